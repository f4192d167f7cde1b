//! `check`: a whole repository at once, without a cluster.

mod kustomize;
mod report;
mod tree;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use document::{DocumentKind, Finding, Identity, KnownKeys, Rule, Severity, examine};
use keys::Certificate;
use serde_json::Value;

use crate::arguments::Settings;
use crate::error::Failure;
use crate::profile::Profile;
use crate::tasks::ReportFormat;
use crate::{files, terminal};

/// Checks files and directories and prints what was found.
///
/// What is an error fails the run with an exit code of its own, see [`Failure::Findings`].
pub(crate) fn check(
    settings: &Settings,
    paths: &[PathBuf],
    format: ReportFormat,
) -> Result<(), Failure> {
    let here = [PathBuf::from(".")];
    let paths = tree::files(if paths.is_empty() { &here } else { paths })?;
    let mut profiles = Profiles::new(settings)?;
    let jobs: Vec<(PathBuf, Arc<KnownKeys>)> = paths
        .into_iter()
        .map(|path| profiles.keys_for(&path).map(|keys| (path, keys)))
        .collect::<Result<_, _>>()?;
    let mut files = examine_all(&jobs);
    files.sort_by(|left, right| left.path.cmp(&right.path));
    find_duplicates(&mut files);
    kustomize::find_changes(&mut files);
    let report = report::write(&files, format);
    terminal::print(report.as_bytes())?;
    let is_error = |found: &Found| found.finding.rule.severity() == Severity::Error;
    match files
        .iter()
        .flat_map(|file| &file.findings)
        .filter(|found| is_error(found))
        .count()
    {
        0 => Ok(()),
        errors => Err(Failure::Findings(errors)),
    }
}

/// What was found in one file.
pub(crate) struct CheckedFile {
    path: PathBuf,
    findings: Vec<Found>,
    sealed: Vec<Sealed>,
    items: usize,
    recorded: usize,
    /// The file as a kustomization, if it is one.
    kustomization: Option<Value>,
}

/// A finding and its line.
struct Found {
    finding: Finding,
    line: usize,
}

/// A SealedSecret of a file.
struct Sealed {
    identity: Identity,
    line: usize,
}

/// The keys that are known for each file: those of `--cert`, else those of the file's profile.
struct Profiles {
    fixed: Option<Arc<KnownKeys>>,
    by_directory: BTreeMap<PathBuf, Arc<KnownKeys>>,
}

impl Profiles {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let fixed = if settings.certificate.is_empty() {
            None
        } else {
            let pem = crate::certificate::fetch(settings)?;
            let certificate = Certificate::from_pem(&pem).map_err(Failure::work)?;
            Some(Arc::new(KnownKeys {
                published: None,
                certificates: vec![certificate],
            }))
        };
        Ok(Self {
            fixed,
            by_directory: BTreeMap::new(),
        })
    }

    fn keys_for(&mut self, path: &Path) -> Result<Arc<KnownKeys>, Failure> {
        if let Some(keys) = &self.fixed {
            return Ok(Arc::clone(keys));
        }
        let directory = path.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        if let Some(keys) = self.by_directory.get(&directory) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(known_keys(path)?);
        self.by_directory.insert(directory, Arc::clone(&keys));
        Ok(keys)
    }
}

/// The keys of the profile that is for a path.
fn known_keys(path: &Path) -> Result<KnownKeys, Failure> {
    let Some(profile) = Profile::for_path(path)? else {
        return Ok(KnownKeys::default());
    };
    let published = profile.published()?;
    let mut certificates = profile.certificates()?;
    // A check is made without a network, so a certificate that is a URL is not used.
    if certificates.is_empty()
        && let Some(file) = profile
            .certificate()?
            .filter(|place| !place.contains("://"))
    {
        let pem = files::read(Path::new(&file))?;
        let certificate = Certificate::from_pem(pem.expose());
        certificates.push(certificate.map_err(|error| Failure::Work(format!("{file}: {error}")))?);
    }
    Ok(KnownKeys {
        published,
        certificates,
    })
}

fn examine_all(jobs: &[(PathBuf, Arc<KnownKeys>)]) -> Vec<CheckedFile> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = jobs.len().div_ceil(threads).max(1);
    let work = |jobs: &[(PathBuf, Arc<KnownKeys>)]| -> Vec<CheckedFile> {
        jobs.iter()
            .filter_map(|(path, keys)| examine_file(path, keys))
            .collect()
    };
    thread::scope(|scope| {
        let running: Vec<_> = jobs
            .chunks(share)
            .map(|jobs| scope.spawn(move || work(jobs)))
            .collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_default())
            .collect()
    })
}

/// `None` for a file that holds nothing that is of interest here.
fn examine_file(path: &Path, keys: &KnownKeys) -> Option<CheckedFile> {
    let mut checked = CheckedFile {
        path: path.to_owned(),
        findings: Vec::new(),
        sealed: Vec::new(),
        items: 0,
        recorded: 0,
        kustomization: None,
    };
    let unreadable = |message: String, line| Found {
        finding: Finding::new(Rule::Unreadable, message),
        line,
    };
    let bytes = match files::read(path) {
        Ok(bytes) => bytes,
        Err(failure) => {
            checked.findings.push(unreadable(failure.to_string(), 1));
            return Some(checked);
        }
    };
    // Most files of a repository are about something else, and need not be parsed.
    let is_kustomization = kustomize::is_name(path);
    let mentions = |word: &[u8]| bytes.expose().windows(word.len()).any(|part| part == word);
    let is_sealed = mentions(b"SealedSecret");
    if !is_kustomization && !is_sealed && !mentions(b"Secret") {
        return None;
    }
    let documents = crds::yaml::text(bytes.expose())
        .map_err(|error| (error.line, error.to_string()))
        .and_then(|text| document::read(&text).map_err(|error| (error.line, error.to_string())));
    let documents = match documents {
        Ok(documents) => documents,
        // A template of Helm is no YAML; one of a sealed Secret mostly is.
        Err(_) if !is_sealed || mentions(b"{{") => return None,
        Err((line, message)) => {
            checked.findings.push(unreadable(message, line));
            return Some(checked);
        }
    };
    let text = String::from_utf8_lossy(bytes.expose());
    let lines = Lines::of(&text);
    for document in documents {
        match document.kind() {
            DocumentKind::SealedSecret => {
                let examined = examine(&document.value, keys);
                checked.items += examined.items;
                checked.recorded += examined.recorded;
                checked
                    .findings
                    .extend(examined.findings.into_iter().map(|finding| Found {
                        line: lines.of_item(finding.item.as_deref(), document.line),
                        finding,
                    }));
                let identity = Identity::of(&document.value);
                checked.sealed.push(Sealed {
                    identity,
                    line: document.line,
                });
            }
            // kustomize takes a file without a kind for a Kustomization.
            DocumentKind::Secret if is_kustomization => {
                checked.kustomization = Some(document.value);
            }
            DocumentKind::Secret => {
                if let Some(finding) = plain_secret(&document.value) {
                    checked.findings.push(Found {
                        finding,
                        line: document.line,
                    });
                }
            }
            DocumentKind::Other if is_kustomization => {
                checked.kustomization = Some(document.value);
            }
            DocumentKind::Other => {}
        }
    }
    Some(checked)
}

/// The lines of a file.
struct Lines<'a>(Vec<&'a str>);

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self(text.lines().collect())
    }

    /// The line of an item, looked for from the start of its document on.
    fn of_item(&self, item: Option<&str>, start: usize) -> usize {
        let Some(item) = item else { return start };
        let is_item = |line: &&str| {
            let line = line.trim_start().trim_start_matches(['"', '\'', '{']);
            line.strip_prefix(item).is_some_and(|rest| {
                rest.trim_start_matches(['"', '\''])
                    .trim_start()
                    .starts_with(':')
            })
        };
        let from = start.saturating_sub(1);
        let items = |line: &&str| line.contains("encryptedData");
        let data = self.0.iter().skip(from).position(items).unwrap_or(0);
        let found = self.0.iter().skip(from + data).position(is_item);
        found.map_or(start, |at| from + data + at + 1)
    }
}

/// A Secret with values is the very thing that is not to be in Git. One that SOPS encrypted is not in
/// clear, and one that names no kind is not known to be a Secret.
fn plain_secret(object: &Value) -> Option<Finding> {
    let is_secret = object.get("kind").and_then(Value::as_str) == Some("Secret");
    let filled = |field: &str| {
        object
            .get(field)
            .and_then(Value::as_object)
            .is_some_and(|items| !items.is_empty())
    };
    if !is_secret || object.get("sops").is_some() || !(filled("data") || filled("stringData")) {
        return None;
    }
    let name = object
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or("?");
    Some(Finding::new(
        Rule::PlainSecret,
        format!(
            "Secret {name} has values in clear: seal it, take it out of the history, and change the \
             values"
        ),
    ))
}

/// The same SealedSecret twice in one directory: the later one wins in the cluster. In other directories
/// it may be another environment's.
fn find_duplicates(files: &mut [CheckedFile]) {
    let mut first: BTreeMap<(PathBuf, String, String), (PathBuf, usize)> = BTreeMap::new();
    for file in files {
        let directory = file
            .path
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .to_owned();
        for sealed in &file.sealed {
            let Identity {
                name, namespace, ..
            } = sealed.identity.clone();
            let key = (directory.clone(), namespace.clone(), name.clone());
            match first.get(&key) {
                None => {
                    first.insert(key, (file.path.clone(), sealed.line));
                }
                Some((path, line)) => file.findings.push(Found {
                    finding: Finding::new(
                        Rule::Duplicate,
                        format!(
                            "SealedSecret {namespace}/{name} is in {} line {line} too",
                            path.display()
                        ),
                    ),
                    line: sealed.line,
                }),
            }
        }
    }
}
