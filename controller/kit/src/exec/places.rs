//! How many children run at the same time.
//!
//! Those that talk to a server wait mostly, and for as long as the server likes; those that do not are quick and use
//! memory. So neither takes the places of the other, and no server takes those of all.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// Where a child does its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Here,
    /// At this server.
    At(String),
}

/// Held as long as a child runs.
pub(super) struct Taken {
    _of_host: Option<OwnedSemaphorePermit>,
    _shared: Option<SemaphorePermit<'static>>,
}

impl Place {
    /// Waits for a place. That of the server comes first, so that who waits for a slow one takes no other.
    pub(super) async fn take(&self) -> Taken {
        let (of_host, shared) = match self {
            Self::Here => (None, &HERE),
            Self::At(host) => (of_host(host).acquire_owned().await.ok(), &AWAY),
        };
        Taken {
            _of_host: of_host,
            _shared: shared.acquire().await.ok(),
        }
    }
}

fn of_host(host: &str) -> Arc<Semaphore> {
    let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
    // Permits, and those who wait for one, hold their semaphore.
    hosts.retain(|_, places| Arc::strong_count(places) > 1);
    let places = hosts.entry(host.to_owned());
    Arc::clone(places.or_insert_with(|| Arc::new(Semaphore::new(AT_ONE_HOST))))
}

/// Their memory counts in our pod.
const MOST_HERE: usize = 4;
/// A fetch takes a few megabytes, and most of its time is the server's.
const MOST_AWAY: usize = 8;
/// Two, because most clusters have one server for all: with one, a long fetch would hold up all repositories.
const AT_ONE_HOST: usize = 2;

static HERE: Semaphore = Semaphore::const_new(MOST_HERE);
static AWAY: Semaphore = Semaphore::const_new(MOST_AWAY);
static HOSTS: LazyLock<Mutex<HashMap<String, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn at(host: &str) -> Place {
        Place::At(host.to_owned())
    }

    #[tokio::test]
    async fn a_slow_server_takes_its_own_places_and_no_other() {
        let held = [at("slow").take().await, at("slow").take().await];
        let mut waiting: Vec<_> = (0..20)
            .map(|_| Box::pin(async { at("slow").take().await }))
            .collect();
        for wait in &mut waiting {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        assert!(at("quick").take().now_or_never().is_some());
        assert!(Place::Here.take().now_or_never().is_some());
        drop(held);
        assert!(waiting[0].as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_server_that_nobody_talks_to_is_forgotten() {
        let held = at("remembered").take().await;
        drop(at("forgotten").take().await);
        let _other = at("other").take().await;
        let known = |host: &str| HOSTS.lock().unwrap().contains_key(host);
        assert!(known("remembered") && !known("forgotten"));
        drop(held);
    }
}
