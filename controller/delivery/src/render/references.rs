//! Which files a kustomization file leads to, found before kustomize runs.
//!
//! Every string in a kustomization file that is the path of something in the repository counts as a reference, which is
//! more than kustomize reads and seldom less. What it misses, kustomize asks for ([`super::kustomize`]).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use super::scan::kustomization_file;
use super::{
    aside::aside,
    budget::{Budget, ReadError},
    scan,
};
use crate::tree::{Blob, Snapshot, Source, TreeError, TreePath};

/// Files with their contents.
pub(super) type Files = BTreeMap<TreePath, Vec<u8>>;

/// The kustomization files that lead on from `directory`, with all files that they name, read.
///
/// `more` are references of the Flux Kustomization itself, relative to the directory.
pub(super) async fn follow(
    tree: &Snapshot,
    source: &impl Source,
    directory: &TreePath,
    more: &[String],
    budget: &mut Budget,
) -> Result<Files, ReadError> {
    let mut found = Found {
        tree,
        files: BTreeSet::new(),
        directories: BTreeSet::new(),
    };
    let mut level = BTreeSet::new();
    found.directory(directory, &mut level);
    for reference in more {
        found.reference(directory, reference, &mut level);
    }
    let mut contents = Files::new();
    while !level.is_empty() {
        let files = read(tree, source, std::mem::take(&mut level), budget).await?;
        let (files, references) = aside(move || {
            let references = references_in(&files);
            (files, references)
        })
        .await;
        for (base, references) in references {
            for reference in references {
                found.reference(&base, &reference, &mut level);
            }
        }
        contents.extend(files);
    }
    found.files.retain(|path| !contents.contains_key(path));
    contents.extend(read(tree, source, found.files, budget).await?);
    Ok(contents)
}

/// Reads files of the tree out of the budget; those that are not in it are left out.
pub(super) async fn read(
    tree: &Snapshot,
    source: &impl Source,
    paths: impl IntoIterator<Item = TreePath>,
    budget: &mut Budget,
) -> Result<Files, ReadError> {
    let known = paths
        .into_iter()
        .filter_map(|path| tree.file(&path).map(|blob| (path, blob)));
    let known: Vec<(TreePath, Blob)> = known.collect();
    budget.take(&known)?;
    let oids: Vec<_> = known.iter().map(|(_, blob)| blob.oid).collect();
    let bytes = known
        .iter()
        .fold(0, |sum: u64, (_, blob)| sum.saturating_add(blob.size));
    let contents = source.read(&oids, bytes).await.map_err(TreeError::from)?;
    Ok(known
        .into_iter()
        .map(|(path, _)| path)
        .zip(contents)
        .collect())
}

struct Found<'a> {
    tree: &'a Snapshot,
    files: BTreeSet<TreePath>,
    directories: BTreeSet<TreePath>,
}

impl Found<'_> {
    fn reference(&mut self, base: &TreePath, text: &str, next: &mut BTreeSet<TreePath>) {
        // Generators write `key=path`.
        let forms = [Some(text), text.split_once('=').map(|(_, path)| path)];
        for form in forms.into_iter().flatten() {
            let Ok(path) = base.join(form) else { continue };
            if self.tree.file(&path).is_some() {
                self.files.insert(path);
            } else if !path.is_root() && self.tree.is_directory(&path) {
                self.directory(&path, next);
            }
        }
    }

    fn directory(&mut self, directory: &TreePath, next: &mut BTreeSet<TreePath>) {
        if self.directories.len() >= MOST_DIRECTORIES || !self.directories.insert(directory.clone())
        {
            return;
        }
        // kustomize looks at all three names, and two of them at once are its error to tell.
        let names = scan::KUSTOMIZATION_FILES.iter();
        let files = names.filter_map(|name| directory.join(name).ok());
        next.extend(files.filter(|path| self.tree.file(path).is_some()));
    }
}

/// The strings of each file that may be paths, with the directory that they start from.
fn references_in(files: &Files) -> Vec<(TreePath, Vec<String>)> {
    let references = files.iter().map(|(path, content)| {
        let base = path.parent().unwrap_or_default();
        (base, strings_in(content))
    });
    references.collect()
}

/// All strings of a YAML file that may be paths. A file that does not parse has none: kustomize will say why.
fn strings_in(content: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(content) else {
        return Vec::new();
    };
    let mut strings = Vec::new();
    for document in crds::yaml::documents(text).unwrap_or_default() {
        collect(&document.value, &mut strings);
    }
    strings
}

fn collect(value: &Value, strings: &mut Vec<String>) {
    match value {
        Value::String(text)
            if text.len() <= LONGEST_REFERENCE
                && !text.contains('\n')
                && strings.len() < MOST_STRINGS =>
        {
            strings.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, strings)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, strings)),
        _ => {}
    }
}

/// Directories that one build may lead to.
const MOST_DIRECTORIES: usize = 2_000;
/// Strings of one kustomization file.
const MOST_STRINGS: usize = 10_000;
const LONGEST_REFERENCE: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::snapshot;

    #[tokio::test]
    async fn everything_that_a_build_reads_is_found() {
        let (tree, source) = snapshot(&[
            ("prod/kustomization.yaml", "resources: [../base, extra.yaml]\npatches: [{path: p.yaml}]\nconfigMapGenerator: [{name: c, files: [key=data/x.txt]}]\n"),
            ("prod/extra.yaml", "x"),
            ("prod/p.yaml", "x"),
            ("prod/data/x.txt", "x"),
            ("prod/unrelated.yaml", "x"),
            ("base/kustomization.yml", "resources:\n- web.yaml\ncomponents: [../component]\n"),
            ("base/web.yaml", "x"),
            ("component/Kustomization", "replacements: [{path: r.yaml}]\n"),
            ("component/r.yaml", "x"),
            ("added/kustomization.yaml", "{}"),
        ])
        .await;
        let directory = TreePath::of_user("prod").unwrap();
        let more = ["../added".to_owned()];
        let mut budget = Budget::of(&directory);
        let files = follow(&tree, &source, &directory, &more, &mut budget)
            .await
            .unwrap();
        let names: Vec<&str> = files.keys().map(TreePath::as_str).collect();
        assert_eq!(
            names,
            [
                "added/kustomization.yaml",
                "base/kustomization.yml",
                "base/web.yaml",
                "component/Kustomization",
                "component/r.yaml",
                "prod/data/x.txt",
                "prod/extra.yaml",
                "prod/kustomization.yaml",
                "prod/p.yaml",
            ]
        );
    }

    #[tokio::test]
    async fn t17_cycles_are_followed_once() {
        let (tree, source) = snapshot(&[
            ("a/kustomization.yaml", "resources: [../b, ., ..]"),
            ("b/kustomization.yaml", "resources: [../a]"),
        ])
        .await;
        let directory = TreePath::of_user("a").unwrap();
        let files = follow(&tree, &source, &directory, &[], &mut Budget::of(&directory))
            .await
            .unwrap();
        assert_eq!(files.len(), 2);
    }

    #[tokio::test]
    async fn t25_all_levels_share_one_budget() {
        let long = format!("# {}\n", "x".repeat(30 << 20));
        let level = |next: &str| format!("resources: [{next}]\n{long}");
        let (tree, source) = snapshot(&[
            ("a/kustomization.yaml", &level("../b")),
            ("b/kustomization.yaml", &level("../c")),
            ("c/kustomization.yaml", &level("d.yaml")),
            ("c/d.yaml", "x"),
        ])
        .await;
        let directory = TreePath::of_user("a").unwrap();
        let mut budget = Budget::of(&directory);
        let error = follow(&tree, &source, &directory, &[], &mut budget)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("a and what it refers to are more than 64 MiB"),
            "{error}"
        );
    }
}
