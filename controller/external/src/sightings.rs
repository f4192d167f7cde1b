//! What the metadata watch last saw of the Secrets that something names.
//!
//! No body is ever here, and no metadata but what decides whether a Secret has changed: uid,
//! resourceVersion, and a digest of the label that says who owns it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use crate::key::Key;

/// One version of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// Its uid.
    pub(crate) uid: String,
    /// Its resourceVersion.
    pub(crate) resource_version: String,
    /// The value of its `created-by` label.
    pub(crate) created_by: Option<String>,
}

/// What was last seen of the Secrets that matter.
#[derive(Default)]
pub(crate) struct Sightings {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashMap<Key, Sighting>,
    /// For each watch that lists anew, what was listed so far. The watch of all namespaces has the
    /// empty name.
    listed: HashMap<String, HashSet<Key>>,
    /// The watches whose listing was complete at least once.
    complete: HashSet<String>,
}

impl Sightings {
    /// A listing of a namespace, or of all where it is empty, begins.
    pub(crate) fn begin(&self, namespace: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.listed.insert(namespace.to_owned(), HashSet::new());
    }

    /// That listing is complete. Returns what has gone since the one before.
    pub(crate) fn end(&self, namespace: &str) -> Vec<Key> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.complete.insert(namespace.to_owned());
        let Some(listed) = state.listed.remove(namespace) else {
            return Vec::new();
        };
        let here = |key: &&Key| namespace.is_empty() || key.namespace == namespace;
        let gone = state
            .seen
            .keys()
            .filter(here)
            .filter(|key| !listed.contains(key));
        let gone: Vec<Key> = gone.cloned().collect();
        for key in &gone {
            state.seen.remove(key);
        }
        gone
    }

    /// A Secret was seen. Says whether that is news.
    pub(crate) fn saw(&self, name: Key, sighting: Sighting) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for watch in ["", name.namespace.as_str()] {
            if let Some(listed) = state.listed.get_mut(watch) {
                listed.insert(name.clone());
            }
        }
        let old = state.seen.insert(name, sighting.clone());
        old.as_ref() != Some(&sighting)
    }

    /// A Secret is gone, or of no interest any more.
    pub(crate) fn lost(&self, name: &Key) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .seen
            .remove(name);
    }

    /// What was last seen of a Secret.
    pub(crate) fn of(&self, name: &Key) -> Option<Sighting> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .seen
            .get(name)
            .cloned()
    }

    /// The Secrets of a namespace that carry this `created-by` label.
    pub(crate) fn created_by(&self, namespace: &str, label: &str) -> Vec<Key> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let owned = state.seen.iter().filter(|(name, sighting)| {
            name.namespace == namespace && sighting.created_by.as_deref() == Some(label)
        });
        owned.map(|(name, _)| name.clone()).collect()
    }

    /// Whether a whole listing of this namespace was seen, so that what is not here is not there.
    pub(crate) fn complete(&self, namespace: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.complete.contains("") || state.complete.contains(namespace)
    }

    /// How many Secrets are remembered.
    pub(crate) fn len(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .seen
            .len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Key {
        Key::new("ns", name)
    }

    fn version(resource_version: &str) -> Sighting {
        Sighting {
            uid: "u".into(),
            resource_version: resource_version.into(),
            created_by: Some("o".into()),
        }
    }

    #[test]
    fn a_new_listing_tells_what_has_gone_and_what_is_new() {
        let sightings = Sightings::default();
        assert!(!sightings.complete("ns"));
        sightings.begin("");
        assert!(sightings.saw(name("a"), version("1")) && sightings.saw(name("b"), version("1")));
        assert_eq!(sightings.end(""), []);
        assert!(sightings.complete("ns"));
        sightings.begin("");
        assert!(!sightings.saw(name("a"), version("1")));
        assert_eq!(sightings.end(""), [name("b")]);
        assert!(sightings.saw(name("a"), version("2")));
        assert_eq!(sightings.of(&name("a")), Some(version("2")));
        assert_eq!(sightings.created_by("ns", "o"), [name("a")]);
        assert_eq!(sightings.created_by("other", "o"), []);
        sightings.begin("other");
        assert_eq!(
            sightings.end("other"),
            [],
            "what is in another namespace is not gone"
        );
        sightings.lost(&name("a"));
        assert_eq!((sightings.of(&name("a")), sightings.len()), (None, 0));
    }
}
