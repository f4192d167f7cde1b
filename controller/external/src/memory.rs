//! What is remembered of each ExternalSecret between its reconciles. No value is ever here.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::external_secret::WrittenSecret;

use crate::key::Key;

/// What is remembered of one ExternalSecret.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remembered {
    /// The version of the target that was found to be as it should.
    pub(crate) good: Option<WrittenSecret>,
    /// A salted digest of all that the target was made from. Equal to that of the next refresh, and
    /// the target untouched: nothing to do.
    pub(crate) made_from: Option<[u8; 32]>,
    /// Since when the provider throttles us.
    pub(crate) throttled_since: Option<Instant>,
    /// The version that its object has since we last wrote its status, and when that was.
    pub(crate) reported: Option<(u64, Instant)>,
    /// How often it was looked at.
    pub(crate) calls: u64,
    /// How often that failed.
    pub(crate) errors: u64,
    /// How long that took last.
    pub(crate) took: Duration,
}

/// What is remembered of all of them.
#[derive(Default)]
pub(crate) struct Memory {
    all: Mutex<HashMap<Key, Remembered>>,
}

impl Memory {
    /// What is remembered of one.
    pub(crate) fn of(&self, key: &Key) -> Remembered {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(key).cloned().unwrap_or_default()
    }

    /// Changes what is remembered of one.
    pub(crate) fn change(&self, key: &Key, change: impl FnOnce(&mut Remembered)) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(key.clone()).or_default());
    }

    /// Forgets one that is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.all
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// All of them, for metrics.
    pub(crate) fn each(&self, mut look: impl FnMut(&Key, &Remembered)) {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, remembered) in all.iter() {
            look(key, remembered);
        }
    }
}
