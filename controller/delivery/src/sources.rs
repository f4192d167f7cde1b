//! The revisions that were fetched, for the Kustomizations that apply them.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use kube::ResourceExt;

use crate::{
    git::{Oid, Repository},
    tree::Snapshot,
};

/// The name of a GitRepository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl SourceName {
    /// The name of this object.
    #[must_use]
    pub fn of(object: &impl ResourceExt) -> Self {
        Self {
            namespace: object.namespace().unwrap_or_default(),
            name: object.name_any(),
        }
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What a revision is called and how it is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// `main@sha1:...`
    pub name: String,
    /// The commit.
    pub commit: Oid,
    /// `sha256:...` of the files after ignoring.
    pub digest: String,
    /// The sizes of all files together.
    pub size: u64,
}

/// A revision, with what it takes to read it. It is here because the last look at the server proved that we may.
pub struct Fetched {
    /// Which.
    pub revision: Revision,
    /// The files.
    pub snapshot: Snapshot,
    /// Where their contents are.
    pub repository: Arc<Repository>,
    /// The `spec.ignore` that was applied.
    pub ignore: Option<String>,
}

/// The newest revision of each GitRepository.
#[derive(Default)]
pub struct Sources {
    fetched: Mutex<HashMap<SourceName, Arc<Fetched>>>,
}

impl Sources {
    /// The newest revision, if this process has fetched one.
    #[must_use]
    pub fn find(&self, name: &SourceName) -> Option<Arc<Fetched>> {
        self.lock().get(name).cloned()
    }

    /// Puts a revision in the place of the older one.
    pub fn put(&self, name: &SourceName, fetched: Arc<Fetched>) {
        self.lock().insert(name.clone(), fetched);
    }

    /// What may not be read any more, or is gone.
    pub fn remove(&self, name: &SourceName) {
        self.lock().remove(name);
    }

    /// Keeps those that `keep` says.
    pub fn retain(&self, keep: impl Fn(&SourceName) -> bool) {
        self.lock().retain(|name, _| keep(name));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<SourceName, Arc<Fetched>>> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
