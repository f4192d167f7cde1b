//! A watch, turned into what has changed in a way that matters and what has gone.

use std::collections::{HashMap, HashSet};

use kube::{Resource, runtime::watcher::Event};

use crate::key::Key;

/// One step of a watch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change<K> {
    /// An object is new, or has changed in a way that matters.
    Changed(K),
    /// An object is gone.
    Gone(Key),
}

/// What a watch has shown so far: for each object a hash of what matters about it.
pub(crate) struct Observed<K> {
    seen: HashMap<Key, u64>,
    listed: Option<HashSet<Key>>,
    matters: fn(&K) -> u64,
}

impl<K: Resource> Observed<K> {
    /// Nothing seen yet. `matters` hashes what makes a change worth a look.
    pub(crate) fn new(matters: fn(&K) -> u64) -> Self {
        Self {
            seen: HashMap::new(),
            listed: None,
            matters,
        }
    }

    /// What an event of the watch means.
    pub(crate) fn step(&mut self, event: Event<K>) -> Vec<Change<K>> {
        match event {
            Event::Init => {
                self.listed = Some(HashSet::new());
                Vec::new()
            }
            Event::Apply(object) | Event::InitApply(object) => self.saw(object),
            Event::Delete(object) => {
                let key = Key::of(&object);
                self.seen.remove(&key);
                vec![Change::Gone(key)]
            }
            Event::InitDone => {
                let Some(listed) = self.listed.take() else {
                    return Vec::new();
                };
                let gone: Vec<Key> = self
                    .seen
                    .keys()
                    .filter(|key| !listed.contains(key))
                    .cloned()
                    .collect();
                for key in &gone {
                    self.seen.remove(key);
                }
                gone.into_iter().map(Change::Gone).collect()
            }
        }
    }

    fn saw(&mut self, object: K) -> Vec<Change<K>> {
        let key = Key::of(&object);
        if let Some(listed) = &mut self.listed {
            listed.insert(key.clone());
        }
        let hash = (self.matters)(&object);
        match self.seen.insert(key, hash) {
            Some(before) if before == hash => Vec::new(),
            _ => vec![Change::Changed(object)],
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt as _;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.into());
        object.metadata.resource_version = Some(version.into());
        object
    }

    fn told(changes: Vec<Change<ConfigMap>>) -> Vec<String> {
        let tell = |change| match change {
            Change::Changed(object) => ConfigMap::name_any(&object),
            Change::Gone(key) => format!("-{key}"),
        };
        changes.into_iter().map(tell).collect()
    }

    #[test]
    fn only_what_matters_is_told_and_a_new_listing_tells_what_has_gone() {
        let mut observed = Observed::new(|object: &ConfigMap| {
            object
                .resource_version()
                .unwrap_or_default()
                .parse()
                .unwrap_or_default()
        });
        assert!(observed.step(Event::Init).is_empty());
        assert_eq!(
            told(observed.step(Event::InitApply(object("a", "1")))),
            ["a"]
        );
        assert_eq!(
            told(observed.step(Event::InitApply(object("b", "1")))),
            ["b"]
        );
        assert!(observed.step(Event::InitDone).is_empty());
        assert!(observed.step(Event::Apply(object("a", "1"))).is_empty());
        assert_eq!(told(observed.step(Event::Apply(object("a", "2")))), ["a"]);
        observed.step(Event::Init);
        assert!(observed.step(Event::InitApply(object("a", "2"))).is_empty());
        assert_eq!(told(observed.step(Event::InitDone)), ["-b"]);
        assert_eq!(told(observed.step(Event::Delete(object("a", "3")))), ["-a"]);
        assert_eq!(told(observed.step(Event::Apply(object("a", "2")))), ["a"]);
    }
}
