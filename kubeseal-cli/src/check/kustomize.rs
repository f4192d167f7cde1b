//! Kustomizations that move or rename what is sealed. The controller sees what kustomize makes, and a
//! strict seal does not open under another name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use document::{Finding, Identity, Rule};
use keys::Scope;
use serde_json::Value;

use super::{CheckedFile, Found};

/// The three names that kustomize looks for.
pub(super) fn is_name(path: &Path) -> bool {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    matches!(
        name,
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

/// Adds a finding for each sealed document that a kustomization changes in a way that breaks the seal.
pub(super) fn find_changes(files: &mut [CheckedFile]) {
    let tree = Tree::of(files);
    let mut found: BTreeMap<usize, Vec<Found>> = BTreeMap::new();
    for (directory, (path, kustomization)) in &tree.kustomizations {
        let own = Transformation::of(kustomization);
        if own.is_none() {
            continue;
        }
        for (at, sealed) in tree.reached(directory) {
            let made = tree.made(directory, at, &sealed.1);
            let findings = sealed.1.broken_by(&made, path);
            found
                .entry(at)
                .or_default()
                .extend(findings.into_iter().map(|finding| Found {
                    finding,
                    line: sealed.0,
                }));
        }
    }
    for (at, findings) in found {
        if let Some(file) = files.get_mut(at) {
            file.findings.extend(findings);
        }
    }
}

/// What a kustomization does to names.
#[derive(Clone, Default)]
struct Transformation {
    namespace: Option<String>,
    prefix: String,
    suffix: String,
}

impl Transformation {
    fn of(kustomization: &Value) -> Option<Self> {
        let text = |name: &str| {
            let value = kustomization
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default();
            value.to_owned()
        };
        let made = Self {
            namespace: Some(text("namespace")).filter(|name| !name.is_empty()),
            prefix: text("namePrefix"),
            suffix: text("nameSuffix"),
        };
        let changes =
            made.namespace.is_some() || !made.prefix.is_empty() || !made.suffix.is_empty();
        changes.then_some(made)
    }

    fn apply(&self, (namespace, name): (String, String)) -> (String, String) {
        let namespace = self.namespace.clone().unwrap_or(namespace);
        (namespace, format!("{}{name}{}", self.prefix, self.suffix))
    }
}

/// A sealed document as kustomize sees it.
#[derive(Clone)]
struct Bound(Identity);

impl Bound {
    fn broken_by(&self, (namespace, name): &(String, String), path: &Path) -> Vec<Finding> {
        let Identity {
            name: sealed_name,
            namespace: sealed_namespace,
            scope,
        } = &self.0;
        let mut findings = Vec::new();
        let file = path.display();
        // Where the file names no namespace, the kustomization's may be the one that was meant.
        if *scope != Scope::ClusterWide
            && !sealed_namespace.is_empty()
            && namespace != sealed_namespace
        {
            findings.push(Finding::new(
                Rule::KustomizeNamespace,
                format!(
                    "{file} puts {sealed_name} into namespace {namespace}, and it is sealed for \
                     {sealed_namespace}: seal it for {namespace}, or with scope cluster-wide"
                ),
            ));
        }
        if *scope == Scope::Strict && name != sealed_name {
            findings.push(Finding::new(
                Rule::KustomizeName,
                format!(
                    "{file} renames {sealed_name} to {name}, and it is sealed for {sealed_name}: \
                     seal it for {name}, or with scope namespace-wide"
                ),
            ));
        }
        findings
    }
}

/// The kustomizations of a checked tree, and the sealed files that they reach.
struct Tree {
    /// By directory: the file's path, and what it says.
    kustomizations: BTreeMap<PathBuf, (PathBuf, Value)>,
    /// By path: the file's position, and its sealed documents with their lines.
    sealed: BTreeMap<PathBuf, (usize, Vec<(usize, Bound)>)>,
}

impl Tree {
    fn of(files: &[CheckedFile]) -> Self {
        let mut tree = Self {
            kustomizations: BTreeMap::new(),
            sealed: BTreeMap::new(),
        };
        for (at, file) in files.iter().enumerate() {
            let path = clean(&file.path);
            if let Some(kustomization) = &file.kustomization {
                let directory = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
                tree.kustomizations
                    .insert(directory, (file.path.clone(), kustomization.clone()));
            }
            let bound = file
                .sealed
                .iter()
                .map(|s| (s.line, Bound(s.identity.clone())));
            tree.sealed.insert(path, (at, bound.collect()));
        }
        tree
    }

    /// All sealed documents below a kustomization.
    fn reached(&self, directory: &Path) -> Vec<(usize, (usize, Bound))> {
        let mut reached = Vec::new();
        for file in self.files_below(directory, &mut BTreeSet::new()) {
            if let Some((at, sealed)) = self.sealed.get(&file) {
                reached.extend(sealed.iter().map(|sealed| (*at, sealed.clone())));
            }
        }
        reached
    }

    fn files_below(&self, directory: &Path, seen: &mut BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        if seen.insert(directory.to_owned()) {
            for resource in self.resources(directory) {
                if self.kustomizations.contains_key(&resource) {
                    files.extend(self.files_below(&resource, seen));
                } else {
                    files.insert(resource);
                }
            }
        }
        files
    }

    /// What name and namespace a document of a file gets, from the inside out.
    fn made(&self, directory: &Path, at: usize, bound: &Bound) -> (String, String) {
        let start = (bound.0.namespace.clone(), bound.0.name.clone());
        self.made_in(directory, at, start, &mut BTreeSet::new())
            .unwrap_or_default()
    }

    fn made_in(
        &self,
        directory: &Path,
        at: usize,
        start: (String, String),
        seen: &mut BTreeSet<PathBuf>,
    ) -> Option<(String, String)> {
        if !seen.insert(directory.to_owned()) {
            return None;
        }
        let own = self
            .kustomizations
            .get(directory)
            .and_then(|(_, k)| Transformation::of(k));
        let own = own.unwrap_or_default();
        for resource in self.resources(directory) {
            let inner = if self.kustomizations.contains_key(&resource) {
                self.made_in(&resource, at, start.clone(), seen)
            } else {
                let is_file = self
                    .sealed
                    .get(&resource)
                    .is_some_and(|(found, _)| *found == at);
                is_file.then(|| start.clone())
            };
            if let Some(inner) = inner {
                return Some(own.apply(inner));
            }
        }
        None
    }

    fn resources(&self, directory: &Path) -> Vec<PathBuf> {
        let Some((_, kustomization)) = self.kustomizations.get(directory) else {
            return Vec::new();
        };
        let list = |name: &str| kustomization.get(name).and_then(Value::as_array);
        ["resources", "bases", "components"]
            .into_iter()
            .filter_map(list)
            .flatten()
            .filter_map(Value::as_str)
            .filter(|resource| !resource.contains("://"))
            .map(|resource| clean(&directory.join(resource)))
            .collect()
    }
}

/// The path without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if clean.file_name().is_some() => drop(clean.pop()),
            other => clean.push(other),
        }
    }
    clean
}
