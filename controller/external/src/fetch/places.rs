//! Who may go on when many want to.
//!
//! There are three kinds of places. One for *opening* the stores, before a provider is asked: those who
//! fall due together get through it together and share a request. One for *work* with what a provider
//! said: computing, and requests to the API server, which nobody holds while it waits for a provider.
//! And one for *asking* a provider, counted for each set of lanes that is asked: it bounds how many
//! hold plaintext, and however slow a store is, only those who ask the very same ones wait for it.
//!
//! Each kind has places for what is new or has changed and others for what is due, so that the one
//! never waits for the other.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::LaneId;

/// How many of one set of lanes and one turn ask at the same time: the answers of twice as many
/// batches as one lane has under way, so that the next are asked for while these are written.
const ASKING: usize = 320;
/// How many sets of lanes are kept before those that nobody asks are dropped.
const SETS_BEFORE_SWEEP: usize = 64;

/// Why somebody wants a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is new, or something about it has changed.
    Changed,
    /// Its time has come.
    Due,
}

/// The places of the part.
pub(crate) struct Places {
    opening: Pair,
    work: Pair,
    asking: Mutex<HashMap<u64, Pair>>,
    hasher: RandomState,
}

/// A place that is held until this is dropped.
#[must_use]
pub(crate) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

#[derive(Clone)]
struct Pair {
    changed: Arc<Semaphore>,
    due: Arc<Semaphore>,
}

impl Places {
    /// As many places for opening, in each of the two turns, and for work with what has changed;
    /// `due` of them for work with what is due, which makes most of the requests to the API server
    /// and leaves some of these to the other.
    pub(crate) fn new(working: usize, due: usize) -> Self {
        let working = working.max(1);
        Self {
            opening: Pair::new(working, working),
            work: Pair::new(working, due.clamp(1, working)),
            asking: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Waits for a place to open stores. It is not to be kept while a provider is waited for.
    pub(crate) async fn open(&self, turn: Turn) -> Place {
        Place::in_queue(self.opening.of(turn)).await
    }

    /// Waits for a place to work. It is not to be kept while a provider is waited for.
    pub(crate) async fn work(&self, turn: Turn) -> Place {
        Place::in_queue(self.work.of(turn)).await
    }

    /// Waits for a place to ask these lanes.
    pub(crate) async fn ask(&self, lanes: &BTreeSet<LaneId>, turn: Turn) -> Place {
        let set = self.hasher.hash_one(lanes);
        let queue = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            if asking.len() >= SETS_BEFORE_SWEEP {
                asking.retain(|_, pair| pair.is_used());
            }
            asking
                .entry(set)
                .or_insert_with(|| Pair::new(ASKING, ASKING))
                .of(turn)
        };
        Place::in_queue(queue).await
    }
}

impl Pair {
    fn new(changed: usize, due: usize) -> Self {
        Self {
            changed: Arc::new(Semaphore::new(changed)),
            due: Arc::new(Semaphore::new(due)),
        }
    }

    fn of(&self, turn: Turn) -> Arc<Semaphore> {
        Arc::clone(match turn {
            Turn::Changed => &self.changed,
            Turn::Due => &self.due,
        })
    }

    /// Whoever holds a place, or waits for one, holds the semaphore.
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.changed) > 1 || Arc::strong_count(&self.due) > 1
    }
}

impl Place {
    async fn in_queue(queue: Arc<Semaphore>) -> Self {
        Self {
            // These semaphores are never closed; if they were, nobody would be held back.
            _permit: queue.acquire_owned().await.ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::provider::aws::{Base, Identity};

    fn lanes(regions: &[&str]) -> BTreeSet<LaneId> {
        let identity = Identity {
            base: Base::Ambient,
            roles: vec![],
            region: String::new(),
        };
        let lane = |region: &&str| (identity.principal(), (*region).to_owned());
        regions.iter().map(lane).collect()
    }

    fn at_once(asked: impl Future<Output = Place>) -> Option<Place> {
        asked.now_or_never()
    }

    #[test]
    fn what_has_changed_never_waits_for_what_is_due() {
        let places = Places::new(1, 1);
        let due = at_once(places.work(Turn::Due));
        assert!(due.is_some() && at_once(places.work(Turn::Due)).is_none());
        let changed = at_once(places.work(Turn::Changed));
        assert!(changed.is_some() && at_once(places.work(Turn::Changed)).is_none());
        drop(due);
        assert!(at_once(places.work(Turn::Due)).is_some());
    }

    #[test]
    fn who_opens_does_not_wait_for_those_who_write() {
        let places = Places::new(8, 2);
        let writing: Vec<_> = (0..2).map(|_| at_once(places.work(Turn::Due))).collect();
        assert!(writing.iter().all(Option::is_some) && at_once(places.work(Turn::Due)).is_none());
        let opening: Vec<_> = (0..8).map(|_| at_once(places.open(Turn::Due))).collect();
        assert!(opening.iter().all(Option::is_some) && at_once(places.open(Turn::Due)).is_none());
        assert!(at_once(places.open(Turn::Changed)).is_some());
    }

    #[test]
    fn only_those_who_ask_the_same_wait_for_each_other() {
        let places = Places::new(1, 1);
        let (slow, both) = (lanes(&["slow"]), lanes(&["slow", "quick"]));
        let mut held = Vec::new();
        while let Some(place) = at_once(places.ask(&slow, Turn::Due)) {
            held.push(place);
        }
        assert_eq!(held.len(), ASKING);
        for _asker in 0..ASKING {
            held.extend(at_once(places.ask(&both, Turn::Due)));
        }
        assert_eq!(held.len(), 2 * ASKING);
        assert!(at_once(places.ask(&lanes(&["quick"]), Turn::Due)).is_some());
        assert!(at_once(places.ask(&slow, Turn::Changed)).is_some());
        assert!(at_once(places.ask(&slow, Turn::Due)).is_none());
    }

    #[test]
    fn sets_that_nobody_asks_any_more_are_dropped_and_those_in_use_kept() {
        let places = Places::new(1, 1);
        let kept = lanes(&["kept"]);
        let held: Vec<_> = (0..ASKING)
            .map(|_| at_once(places.ask(&kept, Turn::Due)))
            .collect();
        for index in 0..10 * SETS_BEFORE_SWEEP {
            drop(at_once(
                places.ask(&lanes(&[&index.to_string()]), Turn::Due),
            ));
        }
        assert!(places.asking.lock().unwrap().len() <= SETS_BEFORE_SWEEP);
        assert!(held.iter().all(Option::is_some));
        assert!(at_once(places.ask(&kept, Turn::Due)).is_none());
    }
}
