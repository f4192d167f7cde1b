//! What this process remembers of each SealedSecret between two reconciles.

use std::{
    collections::{BTreeMap, HashMap, hash_map::RandomState},
    hash::BuildHasher as _,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crds::sealed_secret::Written;
use kube::runtime::reflector::Store;

use crate::{place::Place, problem::Problem, watch::Watched};

/// What is remembered, by place.
#[derive(Default)]
pub(crate) struct Memory {
    known: Mutex<HashMap<Place, Known>>,
    /// Whether the installed CRD drops what we would remember in the status.
    pruned: AtomicBool,
    /// The SealedSecrets that there are, once they are listed.
    watched: OnceLock<Store<Watched>>,
    /// Seeded at random for each process, so that a mark tells nothing outside of it.
    random: RandomState,
}

/// One SealedSecret as it was when we last worked on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// What the outcome belongs to.
    pub(crate) inputs: Inputs,
    /// What was written, as the status remembers it.
    pub(crate) written: Written,
    /// For each item of the Secret that we made, a keyed hash of its value: enough to see that it
    /// still is the same, and no copy of it.
    pub(crate) marks: BTreeMap<String, u64>,
    /// How it ended.
    pub(crate) outcome: Outcome,
}

/// What makes two attempts the same attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Inputs {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    /// Digest of what counts besides the generation, see [`crate::plan::inputs_digest`].
    pub(crate) digest: String,
}

/// How the last attempt ended.
#[derive(Debug, Clone, Default)]
pub(crate) enum Outcome {
    /// It was begun and not ended, or nothing is known.
    #[default]
    Unknown,
    /// The Secret is as it should be.
    Synced,
    /// It is not, because of this.
    Failed {
        problem: Problem,
        /// How many attempts in a row ended so.
        attempts: u32,
        /// The version of the keys that were tried.
        keys: u64,
        /// The Secret that was there: its resourceVersion, or nothing.
        secret: Option<String>,
    },
}

impl Memory {
    pub(crate) fn recall(&self, place: &Place) -> Option<Known> {
        self.known().get(place).cloned()
    }

    pub(crate) fn remember(&self, place: &Place, known: Known) {
        self.known().insert(place.clone(), known);
    }

    pub(crate) fn forget(&self, place: &Place) {
        self.known().remove(place);
    }

    /// Whether the installed CRD drops `status.written`.
    pub(crate) fn is_pruned(&self) -> bool {
        self.pruned.load(Ordering::Relaxed)
    }

    /// Notes that it does. Returns whether that is new.
    pub(crate) fn set_pruned(&self) -> bool {
        !self.pruned.swap(true, Ordering::Relaxed)
    }

    /// The places whose last attempt wants a key that is not there.
    pub(crate) fn waiting_for_a_key(&self) -> Vec<Place> {
        let waits = |known: &Known| matches!(&known.outcome, Outcome::Failed { problem, .. } if problem.waits_for_a_key());
        let known = self.known();
        known
            .iter()
            .filter(|(_, known)| waits(known))
            .map(|(place, _)| place.clone())
            .collect()
    }

    /// Says which SealedSecrets there are. They have been listed.
    pub(crate) fn listed(&self, watched: &Store<Watched>) {
        self.watched.get_or_init(|| watched.clone());
    }

    /// How many items each key has opened last, by fingerprint. `None` as long as that is not known
    /// of every SealedSecret: who deletes a key for a count that is too low loses what it holds.
    pub(crate) fn census(&self) -> Option<BTreeMap<String, u64>> {
        let watched = self.watched.get()?.state();
        let known = self.known();
        let mut census = BTreeMap::new();
        for object in &watched {
            let here = known.get(&Place::of(object.as_ref()));
            let written = here.map(|known| &known.written);
            let Some(written) = written.or(object.status.written.as_ref()) else {
                // One that is on its way out is not worked on any more.
                if object.metadata.deletion_timestamp.is_some() {
                    continue;
                }
                return None;
            };
            for item in written.items.values() {
                match census.get_mut(&item.key) {
                    Some(count) => *count += 1,
                    None => {
                        census.insert(item.key.clone(), 1);
                    }
                }
            }
        }
        Some(census)
    }

    /// The mark of a value.
    pub(crate) fn mark(&self, item: &str, value: &[u8]) -> u64 {
        self.random.hash_one((item, value))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Place, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crds::sealed_secret::WrittenItem;
    use kube::runtime::{reflector, watcher};

    use super::*;
    use crate::problem::{ItemProblem, WhyNot};

    /// A SealedSecret as it was listed, with what its status remembers.
    fn listed(name: &str, written: Option<Written>) -> watcher::Event<Watched> {
        let mut watched = Watched::default();
        watched.metadata.namespace = Some("ns".into());
        watched.metadata.name = Some(name.into());
        watched.status.written = written;
        watcher::Event::Apply(watched)
    }

    #[test]
    fn the_census_is_known_when_something_is_known_of_all() {
        let memory = Memory::default();
        assert_eq!(memory.census(), None, "nothing is listed");
        let (store, mut writer) = reflector::store();
        memory.listed(&store);
        assert_eq!(memory.census(), Some(BTreeMap::new()));
        let item = WrittenItem {
            key: "a".into(),
            digest: String::new(),
        };
        let written = Written {
            items: [("item".to_owned(), item)].into(),
            ..Written::default()
        };
        writer.apply_watcher_event(&listed("x", Some(written)));
        assert_eq!(memory.census(), Some([("a".to_owned(), 1)].into()));
        writer.apply_watcher_event(&listed("y", None));
        assert_eq!(memory.census(), None, "y has not been looked at");
        memory.remember(&Place::new("ns", "y"), Known::default());
        assert_eq!(memory.census(), Some([("a".to_owned(), 1)].into()));
    }

    #[test]
    fn the_census_counts_the_items_of_each_key() {
        let memory = Memory::default();
        let (store, mut writer) = reflector::store();
        memory.listed(&store);
        let item = |key: &str| WrittenItem {
            key: key.into(),
            digest: String::new(),
        };
        for (name, keys) in [("x", ["a", "b"]), ("y", ["a", "a"])] {
            let items = keys
                .iter()
                .enumerate()
                .map(|(n, key)| (n.to_string(), item(key)));
            let written = Written {
                items: items.collect(),
                ..Written::default()
            };
            writer.apply_watcher_event(&listed(name, None));
            memory.remember(
                &Place::new("ns", name),
                Known {
                    written,
                    ..Known::default()
                },
            );
        }
        assert_eq!(
            memory.census(),
            Some([("a".to_owned(), 3), ("b".to_owned(), 1)].into())
        );
    }

    #[test]
    fn only_what_failed_for_want_of_a_key_waits_for_one() {
        let memory = Memory::default();
        let failed = |problem| Known {
            outcome: Outcome::Failed {
                problem,
                attempts: 1,
                keys: 0,
                secret: None,
            },
            ..Known::default()
        };
        let unopened = ItemProblem {
            name: "a".into(),
            why: WhyNot::Unknown,
        };
        memory.remember(
            &Place::new("ns", "x"),
            failed(Problem::Items(vec![unopened])),
        );
        memory.remember(&Place::new("ns", "y"), failed(Problem::NotOurs("y".into())));
        memory.remember(&Place::new("ns", "z"), Known::default());
        assert_eq!(memory.waiting_for_a_key(), [Place::new("ns", "x")]);
    }

    #[test]
    fn a_mark_depends_on_the_item_and_the_value() {
        let memory = Memory::default();
        assert_eq!(memory.mark("a", b"x"), memory.mark("a", b"x"));
        assert_ne!(memory.mark("a", b"x"), memory.mark("b", b"x"));
        assert_ne!(memory.mark("a", b"x"), memory.mark("a", b"y"));
    }
}
