//! What is remembered of the objects of one kind that fail: how often in a row, and what was said.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::backoff::{Backoff, Bounds};

/// How many failing objects there have to be before those that are gone are looked for.
const FIRST_SWEEP: usize = 64;

/// What is remembered of the objects that fail. An object that is deleted while it waits for a
/// change sends no word; it is found when the objects that fail have doubled since the last look, so
/// that no more is kept than twice what there is.
pub(super) struct Trouble<K> {
    backoff: Backoff<K>,
    told: Mutex<Told<K>>,
}

struct Told<K> {
    by_key: HashMap<K, Last>,
    next_sweep: usize,
}

/// The last error that was logged for an object, by its hash.
struct Last {
    uid: Option<String>,
    error: u64,
}

impl<K: Eq + Hash + Clone> Trouble<K> {
    /// Nothing has failed yet.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            backoff: Backoff::new(bounds),
            told: Mutex::new(Told {
                by_key: HashMap::new(),
                next_sweep: FIRST_SWEEP,
            }),
        }
    }

    /// Notes how an object failed, and says whether that is news. `is_there` tells whether there
    /// still is an object of a name.
    pub(super) fn is_new(
        &self,
        key: &K,
        uid: Option<String>,
        error: &str,
        is_there: impl Fn(&K) -> bool,
    ) -> bool {
        let mut hasher = DefaultHasher::new();
        error.hash(&mut hasher);
        let error = hasher.finish();
        let mut told = self.told();
        if told.by_key.len() >= told.next_sweep {
            told.by_key.retain(|key, _| is_there(key));
            self.backoff.retain(is_there);
            told.next_sweep = FIRST_SWEEP.max(told.by_key.len() * 2);
        }
        let last = Last {
            uid: uid.clone(),
            error,
        };
        match told.by_key.insert(key.clone(), last) {
            Some(before) if before.uid == uid => before.error != error,
            Some(_another) => {
                self.backoff.forget(key);
                true
            }
            None => true,
        }
    }

    /// How long an object that has failed once more waits now.
    pub(super) fn wait(&self, key: &K) -> Duration {
        self.backoff.failed(key)
    }

    /// Forgets an object: it succeeded, or it is gone.
    pub(super) fn forget(&self, key: &K) {
        self.told().by_key.remove(key);
        self.backoff.forget(key);
    }

    fn told(&self) -> MutexGuard<'_, Told<K>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(uid: &str) -> Option<String> {
        Some(uid.to_owned())
    }

    #[test]
    fn the_same_error_of_the_same_object_is_news_once() {
        let trouble = Trouble::new(Bounds::default());
        let met = |uid_, error| trouble.is_new(&"a", uid(uid_), error, |_| true);
        assert!(met("1", "x") && !met("1", "x") && met("1", "y"));
        assert!(met("2", "y"), "another object of this name");
        trouble.forget(&"a");
        assert!(met("2", "y"), "it was well meanwhile");
    }

    #[test]
    fn an_object_that_is_made_anew_does_not_inherit_the_waits_of_the_old_one() {
        let trouble = Trouble::new(Bounds::default());
        for _attempt in 0..5 {
            trouble.is_new(&"a", uid("old"), "x", |_| true);
            trouble.wait(&"a");
        }
        trouble.is_new(&"a", uid("new"), "x", |_| true);
        assert!(trouble.wait(&"a") < Duration::from_secs(2));
    }

    #[test]
    fn nothing_is_kept_of_objects_that_are_gone() {
        let trouble = Trouble::new(Bounds::default());
        for index in 0..10_000_u32 {
            // Each is gone when the next one comes, but for every hundredth.
            let is_there = |other: &u32| *other == index || other.is_multiple_of(100);
            trouble.is_new(&index, uid("u"), "x", is_there);
            trouble.wait(&index);
        }
        let kept = trouble.told().by_key.len();
        assert!((100..=200).contains(&kept), "{kept} of 100 that are there");
        assert!(trouble.wait(&100) > Duration::from_secs(1), "still failing");
        assert!(trouble.wait(&101) < Duration::from_secs(2), "gone");
    }
}
