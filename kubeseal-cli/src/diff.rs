//! `diff`: what changed in sealed files, item by item, for who has to review it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use document::{DocumentKind, Identity, Record};
use keys::{Scope, decode_base64};
use serde_json::Value;

use crate::error::Failure;
use crate::{files, process, profile, terminal};

/// Compares the working tree with a revision, or two revisions (`A..B`), and prints the difference.
pub(crate) fn diff(revision: &str, paths: &[PathBuf], markdown: bool) -> Result<(), Failure> {
    let repository = Repository::here()?;
    let (old, new) = match revision.split_once("..") {
        Some((old, new)) => (old, Some(if new.is_empty() { "HEAD" } else { new })),
        None => (revision, None),
    };
    let old = repository.commit(old)?;
    let new = new.map(|new| repository.commit(new)).transpose()?;
    let changed = repository.changed(&old, new.as_deref(), paths)?;
    let before = repository.contents(Some(&old), &changed)?;
    let after = repository.contents(new.as_deref(), &changed)?;
    let changes = compare(&sealed(&before), &sealed(&after));
    let printed = if markdown {
        as_markdown(&changes)
    } else {
        as_text(&changes)
    };
    terminal::print(printed.as_bytes())
}

/// Where git keeps the files.
struct Repository {
    root: PathBuf,
}

impl Repository {
    fn here() -> Result<Self, Failure> {
        let printed = process::git(Path::new("."), &["rev-parse", "--show-toplevel"], "")?;
        let root = String::from_utf8_lossy(&printed)
            .trim_end_matches(['\r', '\n'])
            .to_owned();
        Ok(Self {
            root: PathBuf::from(root),
        })
    }

    /// The commit that a revision names. A revision is never taken for an option.
    fn commit(&self, revision: &str) -> Result<String, Failure> {
        let wanted = format!("{revision}^{{commit}}");
        let arguments = [
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ];
        let printed = process::git(&self.root, &arguments, "")
            .map_err(|_| Failure::Work(format!("there is no revision {revision}")))?;
        Ok(String::from_utf8_lossy(&printed).trim().to_owned())
    }

    /// The manifests that differ, in the paths that are asked for; without a second commit, those of the
    /// working tree that git does not know yet as well.
    fn changed(
        &self,
        old: &str,
        new: Option<&str>,
        paths: &[PathBuf],
    ) -> Result<Vec<String>, Failure> {
        let limits = paths
            .iter()
            .map(|path| {
                let absolute = profile::absolute(path)?;
                let inside = absolute.strip_prefix(&self.root).map_err(|_| {
                    Failure::Work(format!("{} is outside of the repository", path.display()))
                })?;
                Ok(format!(":(top,literal){}", inside.display()))
            })
            .collect::<Result<Vec<String>, Failure>>()?;
        let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
        let mut arguments = vec!["diff", "--name-only", "--no-renames", "-z", old];
        arguments.extend(new);
        arguments.push("--");
        arguments.extend(&limits);
        let mut names = process::git(&self.root, &arguments, "")?;
        if new.is_none() {
            let arguments = ["ls-files", "--others", "--exclude-standard", "-z", "--"];
            let arguments = [&arguments[..], &limits].concat();
            names.extend(process::git(&self.root, &arguments, "")?);
        }
        let manifest = |name: &&str| {
            [".yaml", ".yml", ".json"]
                .iter()
                .any(|extension| name.to_lowercase().ends_with(extension))
        };
        let names = String::from_utf8_lossy(&names).into_owned();
        let names: BTreeSet<&str> = names.split('\0').filter(manifest).collect();
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    /// The contents of files at a commit, or in the working tree. What is not there has none.
    fn contents(
        &self,
        commit: Option<&str>,
        names: &[String],
    ) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let Some(commit) = commit else {
            let read = |name: &String| {
                let bytes = files::read(&self.root.join(name)).ok()?;
                Some((name.clone(), bytes.expose().to_vec()))
            };
            return Ok(names.iter().filter_map(read).collect());
        };
        // git's batch format has one name on a line.
        let names: Vec<&String> = names.iter().filter(|name| !name.contains('\n')).collect();
        let request: String = names
            .iter()
            .map(|name| format!("{commit}:{name}\n"))
            .collect();
        let answer = process::git(&self.root, &["cat-file", "--batch"], &request)?;
        let mut rest = answer.as_slice();
        let mut contents = BTreeMap::new();
        for name in names {
            let broken = || Failure::work("git cat-file: the answer cannot be read");
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .ok_or_else(broken)?;
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
            if header.ends_with(" missing") {
                continue;
            }
            let length = header
                .rsplit(' ')
                .next()
                .and_then(|length| length.parse::<usize>().ok());
            let length = length
                .filter(|length| *length < rest.len())
                .ok_or_else(broken)?;
            contents.insert(name.clone(), rest[..length].to_vec());
            rest = &rest[length + 1..];
        }
        Ok(contents)
    }
}

/// One SealedSecret with what can be compared.
struct Sealed {
    scope: Scope,
    items: BTreeMap<String, Item>,
    template: Value,
}

#[derive(PartialEq, Eq)]
struct Item {
    value: String,
    key: Option<String>,
}

/// By file, namespace and name.
type Place = (String, String, String);

fn sealed(contents: &BTreeMap<String, Vec<u8>>) -> BTreeMap<Place, Sealed> {
    let mut found = BTreeMap::new();
    for (file, bytes) in contents {
        // A file that cannot be read is for `check` to tell.
        let Ok(text) = crds::yaml::text(bytes) else {
            continue;
        };
        for document in document::read(&text).unwrap_or_default() {
            if document.kind() == DocumentKind::SealedSecret {
                let Identity {
                    name,
                    namespace,
                    scope,
                } = Identity::of(&document.value);
                let items = items(&document.value);
                let template = document.value.pointer("/spec/template").cloned();
                let template = template.unwrap_or_default();
                found.insert(
                    (file.clone(), namespace, name),
                    Sealed {
                        scope,
                        items,
                        template,
                    },
                );
            }
        }
    }
    found
}

fn items(object: &Value) -> BTreeMap<String, Item> {
    let annotation = crds::sealed_secret::SEALED_WITH;
    let record = object
        .pointer("/metadata/annotations")
        .and_then(|all| all.get(annotation));
    let record = record
        .and_then(Value::as_str)
        .map(Record::parse)
        .unwrap_or_default();
    let items = object
        .pointer("/spec/encryptedData")
        .and_then(Value::as_object);
    let item = |(name, value): (&String, &Value)| {
        let value = value.as_str().unwrap_or_default().to_owned();
        let key = decode_base64(&value).ok().and_then(|bytes| {
            record
                .find(name, &bytes)
                .map(|recorded| recorded.key.clone())
        });
        (name.clone(), Item { value, key })
    };
    items.into_iter().flatten().map(item).collect()
}

/// What changed in one SealedSecret.
struct Change {
    file: String,
    /// Namespace and name.
    title: String,
    lines: Vec<Line>,
}

/// One change: what it is about, and what happened to it.
struct Line {
    sign: char,
    subject: String,
    what: String,
}

fn compare(before: &BTreeMap<Place, Sealed>, after: &BTreeMap<Place, Sealed>) -> Vec<Change> {
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    let mut changes = Vec::new();
    for place in places {
        let mut lines = Vec::new();
        let (old, new) = (before.get(place), after.get(place));
        match (old, new) {
            (None, Some(new)) => lines.push(Line::new(
                '+',
                "SealedSecret",
                format!("added, {}", new.scope),
            )),
            (Some(_), None) => lines.push(Line::new('-', "SealedSecret", "removed".to_owned())),
            (Some(old), Some(new)) => {
                if old.scope != new.scope {
                    lines.push(Line::new(
                        '!',
                        "scope",
                        format!("{} -> {}", old.scope, new.scope),
                    ));
                }
                if old.template != new.template {
                    lines.push(Line::new('~', "template", "changed".to_owned()));
                }
            }
            (None, None) => {}
        }
        let empty = BTreeMap::new();
        let old = old.map_or(&empty, |old| &old.items);
        let new = new.map_or(&empty, |new| &new.items);
        lines.extend(compare_items(old, new));
        if !lines.is_empty() {
            let (file, namespace, name) = place.clone();
            let title = if namespace.is_empty() {
                name
            } else {
                format!("{namespace}/{name}")
            };
            changes.push(Change { file, title, lines });
        }
    }
    changes
}

fn compare_items(old: &BTreeMap<String, Item>, new: &BTreeMap<String, Item>) -> Vec<Line> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        let line = match (old.get(name), new.get(name)) {
            (None, Some(new)) => Line::new('+', name, format!("added{}", with_key(new))),
            (Some(_), None) => Line::new('-', name, "removed".to_owned()),
            (Some(old), Some(new)) if old.value != new.value => {
                Line::new('~', name, sealed_anew(old, new))
            }
            _ => continue,
        };
        lines.push(line);
    }
    // A value that left one name and came back under another is the same value.
    let moved = |name: &str| {
        let gone = old.get(name).filter(|_| !new.contains_key(name))?;
        let same = |(other, item): &(&String, &Item)| {
            item.value == gone.value && !old.contains_key(other.as_str())
        };
        new.iter().find(same).map(|(other, _)| other.clone())
    };
    let renamed: Vec<(String, String)> = old
        .keys()
        .filter_map(|name| Some((name.clone(), moved(name)?)))
        .collect();
    for (from, to) in renamed {
        lines.retain(|line| line.subject != from && line.subject != to);
        lines.push(Line::new(
            '~',
            &from,
            format!("renamed to {to}, the same bytes"),
        ));
    }
    lines
}

fn with_key(item: &Item) -> String {
    item.key
        .as_ref()
        .map(|key| format!(", sealed with {key}"))
        .unwrap_or_default()
}

/// Sealing is random, so other bytes do not tell whether the value is another one.
fn sealed_anew(old: &Item, new: &Item) -> String {
    let key = match (&old.key, &new.key) {
        (Some(old), Some(new)) if old == new => ", with the same key".to_owned(),
        (Some(old), Some(new)) => format!(", key {old} -> {new}"),
        (_, Some(new)) => format!(", with {new}"),
        _ => String::new(),
    };
    format!("sealed anew{key}")
}

impl Line {
    fn new(sign: char, subject: &str, what: String) -> Self {
        Self {
            sign,
            subject: subject.to_owned(),
            what,
        }
    }
}

fn as_text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        // Writing into a String cannot fail.
        let _written = writeln!(text, "{}: {}", change.file, change.title);
        for line in &change.lines {
            let _written = writeln!(text, "  {} {}: {}", line.sign, line.subject, line.what);
        }
    }
    text
}

fn as_markdown(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "No sealed value changed.\n".to_owned();
    }
    let mut text = String::from("| file | SealedSecret | item | change |\n|---|---|---|---|\n");
    for change in changes {
        for line in &change.lines {
            let cells = [&change.file, &change.title, &line.subject, &line.what];
            let cells: Vec<String> = cells.into_iter().map(|cell| escaped(cell)).collect();
            let _written = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text
}

/// Text in a cell of a table, of which nothing is taken for markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '@' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}
