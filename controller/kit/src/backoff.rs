//! How long to wait before an object that failed is tried again.
//!
//! Errors retry for ever: the wait doubles from the first to the longest and then stays there.
//! A jitter of a tenth keeps objects that failed together from coming back together.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The shortest and the longest wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The wait after the first failure.
    pub first: Duration,
    /// The wait that is never exceeded, before jitter.
    pub longest: Duration,
}

impl Default for Bounds {
    /// One second at first and five minutes at the longest: quick enough that a person who mends
    /// a manifest sees it work, slow enough that ten thousand broken objects are no load.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
        }
    }
}

impl Bounds {
    /// The wait after `failures` failures in a row, before jitter. Zero failures wait nothing.
    #[must_use]
    pub fn after(&self, failures: u32) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let doublings = (failures - 1).min(30);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// The failures of each object since its last success.
pub struct Backoff<K> {
    bounds: Bounds,
    failures: Mutex<HashMap<K, u32>>,
    random: RandomState,
}

impl<K: Eq + Hash + Clone> Backoff<K> {
    /// No failures yet.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            failures: Mutex::default(),
            random: RandomState::new(),
        }
    }

    /// Counts one more failure of `key` and says how long to wait now.
    pub fn failed(&self, key: &K) -> Duration {
        let failures = {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            let count = failures.entry(key.clone()).or_insert(0);
            *count = count.saturating_add(1);
            *count
        };
        let wait = self.bounds.after(failures);
        wait + self.jitter(key, failures, wait)
    }

    /// Forgets the failures of `key`: it succeeded, or it is gone.
    pub fn forget(&self, key: &K) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// Forgets the failures of all keys but these.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|key, _| keep(key));
    }

    /// Between nothing and a tenth of `wait`. The hasher is seeded at random by process, so two
    /// replicas differ, and differs by attempt, so two objects that met once part again.
    fn jitter(&self, key: &K, failures: u32, wait: Duration) -> Duration {
        let thousandths = u32::try_from(self.random.hash_one((key, failures)) % 100).unwrap_or(0);
        wait / 1_000 * thousandths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_then_stays_at_the_longest() {
        let bounds = Bounds {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(10),
        };
        let waits: Vec<u64> = (0..7)
            .map(|failures| bounds.after(failures).as_secs())
            .collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(bounds.after(u32::MAX), bounds.longest);
    }

    #[test]
    fn an_object_that_succeeded_starts_again_at_the_first_wait() {
        let backoff = Backoff::new(Bounds::default());
        for _ in 0..5 {
            backoff.failed(&"a");
        }
        assert!(backoff.failed(&"a") >= Duration::from_secs(32));
        backoff.forget(&"a");
        let first = backoff.failed(&"a");
        assert!(first >= Duration::from_secs(1) && first <= Duration::from_millis(1_100));
    }

    #[test]
    fn what_is_not_kept_starts_again_too() {
        let backoff = Backoff::new(Bounds::default());
        for key in ["kept", "gone"] {
            backoff.failed(&key);
            backoff.failed(&key);
        }
        backoff.retain(|key| *key == "kept");
        assert!(backoff.failed(&"kept") >= Duration::from_secs(4));
        assert!(backoff.failed(&"gone") < Duration::from_secs(2));
    }

    #[test]
    fn the_failures_of_one_object_do_not_slow_another() {
        let backoff = Backoff::new(Bounds::default());
        for _ in 0..9 {
            backoff.failed(&"broken");
        }
        assert!(backoff.failed(&"other") < Duration::from_secs(2));
    }
}
