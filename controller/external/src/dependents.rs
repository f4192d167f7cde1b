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
    by_name: HashMap<Named, Who<W>>,
    /// In order.
    by_who: HashMap<W, Box<[Named]>>,
}

/// Who names something. Nearly everything is named by one alone, and a set for each of those would
/// be most of the memory of the index.
enum Who<W> {
    One(W),
    Many(BTreeSet<W>),
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
        let old = index.by_who.remove(who).unwrap_or_default();
        for gone in old.iter().filter(|old| !names.contains(old)) {
            index.remove(gone, who);
        }
        for new in names.iter().filter(|new| old.binary_search(new).is_err()) {
            index.insert(new, who);
        }
        if !names.is_empty() {
            index
                .by_who
                .insert(who.clone(), names.into_iter().collect());
        }
    }

    /// Forgets `who`.
    pub(crate) fn forget(&self, who: &W) {
        self.set(who, BTreeSet::new());
    }

    /// Who names this.
    pub(crate) fn of(&self, named: &Named) -> Vec<W> {
        let index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        match index.by_name.get(named) {
            None => Vec::new(),
            Some(Who::One(who)) => vec![who.clone()],
            Some(Who::Many(all)) => all.iter().cloned().collect(),
        }
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

impl<W: Clone + Eq + Hash + Ord> Index<W> {
    fn insert(&mut self, named: &Named, who: &W) {
        let Some(known) = self.by_name.get_mut(named) else {
            self.by_name.insert(named.clone(), Who::One(who.clone()));
            return;
        };
        match known {
            Who::One(first) => *known = Who::Many(BTreeSet::from([first.clone(), who.clone()])),
            Who::Many(all) => drop(all.insert(who.clone())),
        }
    }

    fn remove(&mut self, named: &Named, who: &W) {
        let nobody_left = match self.by_name.get_mut(named) {
            None => false,
            Some(Who::One(one)) => one == who,
            Some(Who::Many(all)) => {
                all.remove(who);
                all.is_empty()
            }
        };
        if nobody_left {
            self.by_name.remove(named);
        }
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
        dependents.forget(&"a");
        assert!(dependents.all().is_empty() && dependents.index.lock().unwrap().by_name.is_empty());
    }

    #[test]
    fn many_may_name_the_same() {
        let dependents = Dependents::default();
        for who in ["a", "b", "c"] {
            dependents.set(&who, BTreeSet::from([secret("x")]));
            dependents.set(&who, BTreeSet::from([secret("x")]));
        }
        assert_eq!(dependents.of(&secret("x")), ["a", "b", "c"]);
        for who in ["b", "a", "b"] {
            dependents.forget(&who);
        }
        assert_eq!(dependents.of(&secret("x")), ["c"]);
    }
}
