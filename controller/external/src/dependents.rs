//! Who has to look again when something changes: an index from what an object names to the object.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Mutex, PoisonError},
};

/// Something that an ExternalSecret or a store names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Named {
    /// A Secret: a target, a source of templates, or credentials.
    Secret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A ConfigMap with templates.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A SecretStore.
    Store {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A ClusterSecretStore.
    ClusterStore {
        /// Its name.
        name: String,
    },
    /// An ExternalSecret of a ClusterExternalSecret.
    ExternalSecret {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The labels of a namespace, for the conditions of a ClusterSecretStore.
    Namespace {
        /// Its name.
        name: String,
    },
}

/// An index from what is named to who names it.
pub(crate) struct Dependents<W> {
    index: Mutex<Index<W>>,
}

struct Index<W> {
    by_name: HashMap<Named, BTreeSet<W>>,
    by_who: HashMap<W, BTreeSet<Named>>,
}

impl<W> Default for Dependents<W> {
    fn default() -> Self {
        Self {
            index: Mutex::new(Index {
                by_name: HashMap::new(),
                by_who: HashMap::new(),
            }),
        }
    }
}

impl<W: Clone + Eq + Hash + Ord> Dependents<W> {
    /// Notes all that `who` names, in place of what it named before.
    pub(crate) fn set(&self, who: &W, names: BTreeSet<Named>) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let old = match names.is_empty() {
            true => index.by_who.remove(who),
            false => index.by_who.insert(who.clone(), names.clone()),
        };
        let old = old.unwrap_or_default();
        for gone in old.difference(&names) {
            if let Some(dependents) = index.by_name.get_mut(gone) {
                dependents.remove(who);
                if dependents.is_empty() {
                    index.by_name.remove(gone);
                }
            }
        }
        for new in names.difference(&old) {
            index
                .by_name
                .entry(new.clone())
                .or_default()
                .insert(who.clone());
        }
    }

    /// Forgets `who`.
    pub(crate) fn forget(&self, who: &W) {
        self.set(who, BTreeSet::new());
    }

    /// Who names this.
    pub(crate) fn of(&self, named: &Named) -> Vec<W> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index
            .by_name
            .get(named)
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    }

    /// All who name anything.
    pub(crate) fn all(&self) -> Vec<W> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        index.by_who.keys().cloned().collect()
    }

    /// Whether anybody names this.
    pub(crate) fn knows(&self, named: &Named) -> bool {
        self.index
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_name
            .contains_key(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Named {
        Named::Secret {
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    #[test]
    fn the_index_follows_what_is_named() {
        let dependents = Dependents::default();
        dependents.set(&"a", BTreeSet::from([secret("x"), secret("y")]));
        dependents.set(&"b", BTreeSet::from([secret("y")]));
        assert_eq!(dependents.of(&secret("y")), ["a", "b"]);
        dependents.set(&"a", BTreeSet::from([secret("x"), secret("z")]));
        assert_eq!(dependents.of(&secret("y")), ["b"]);
        assert_eq!(dependents.of(&secret("z")), ["a"]);
        dependents.forget(&"b");
        assert!(!dependents.knows(&secret("y")) && dependents.knows(&secret("x")));
    }
}
