//! The unit of fetching is (principal, region, id, version). Whoever wants one subscribes to it.
//!
//! # Flow
//! 1. The first who asks opens a window of [`GATHER`]; who asks within it joins.
//! 2. When the window closes, or a whole batch of what is new has gathered, everything in it is read: the
//!    current versions in batches, the rest one by one. Those that are due never close it: many of
//!    them may want the same few secrets, and the last would miss what the first asked for.
//! 3. Each subscriber gets the same payload, which is dropped with the last of them.
//!
//! # Guarantees
//! - A value that was read for one principal never reaches another.
//! - An answer is never older than the question: who asks when a request is under way gets the next.
//! - There is no cache: plaintext lives for the flight.

mod lane;
mod places;
mod timetable;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;

use crate::provider::{Address, Payload, ReadError, Reader, aws::Principal};
use lane::Lane;

pub(crate) use places::{Place, Places, Turn};
pub(crate) use timetable::{Seat, Timetable};

/// How long the first waits for others to join. Long enough that objects which were made or fall due
/// together meet, short enough that nobody notices.
const GATHER: Duration = Duration::from_millis(150);
/// How many lanes are kept before those that nobody uses are dropped.
const LANES_BEFORE_SWEEP: usize = 64;

/// A principal in a region.
pub(crate) type LaneId = (Principal, String);

/// Who is asked, and as whom.
#[derive(Clone)]
pub(crate) struct Source {
    /// The account and region, as the principal sees it.
    pub(crate) reader: Arc<dyn Reader>,
    /// The principal.
    pub(crate) principal: Principal,
    /// The region.
    pub(crate) region: String,
}

impl Source {
    /// The lane on which it is asked.
    pub(crate) fn lane(&self) -> LaneId {
        (self.principal, self.region.clone())
    }
}

/// One answer, shared by all who asked.
pub(crate) type Answer = Result<Arc<Payload>, ReadError>;

/// Reads for all subscribers together.
#[derive(Default)]
pub(crate) struct Fetcher {
    lanes: Mutex<HashMap<LaneId, Arc<Lane>>>,
    asked: AtomicU64,
}

impl Fetcher {
    /// Reads these addresses, together with whoever else wants some of them now.
    pub(crate) async fn read(
        &self,
        source: &Source,
        addresses: &BTreeSet<Address>,
        turn: Turn,
    ) -> BTreeMap<Address, Answer> {
        self.asked
            .fetch_add(addresses.len() as u64, Ordering::Relaxed);
        let lane = self.lane(source);
        let answers = addresses.iter().map(|address| {
            let answer = lane.subscribe(address, turn);
            async move {
                (
                    address.clone(),
                    answer.await.unwrap_or(Err(ReadError::Ended)),
                )
            }
        });
        // Subscribed one after the other before any is waited for.
        let answers: Vec<_> = answers.collect();
        join_all(answers).await.into_iter().collect()
    }

    /// How many values were asked for by all subscribers: what the incumbent would have requested.
    #[must_use]
    pub(crate) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn lane(&self, source: &Source) -> Arc<Lane> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if lanes.len() >= LANES_BEFORE_SWEEP {
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
        }
        let lane = lanes
            .entry(source.lane())
            .or_insert_with(|| Lane::new(Arc::clone(&source.reader)));
        Arc::clone(lane)
    }
}
