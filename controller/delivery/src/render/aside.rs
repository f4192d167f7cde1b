//! Where parsing is done: beside the threads that serve everything else.

use tokio::{sync::Semaphore, task::spawn_blocking};

/// Does what only computes on a thread of its own. A few at a time: each may hold a whole build in memory.
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let place = PLACES.acquire().await;
    // Who asks may lose interest; what was begun goes on, and so its place is taken until it ends.
    let done = spawn_blocking(move || {
        let _place = place;
        work()
    });
    match done.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The process ends, and nobody is to go on with half of it.
        Err(_) => std::future::pending().await,
    }
}

/// As many as a small pod has processors; the other blocking threads are for RSA and files.
const MOST: usize = 2;

static PLACES: Semaphore = Semaphore::const_new(MOST);

#[cfg(test)]
pub(super) mod tests {
    use futures::FutureExt as _;

    use super::*;

    /// Takes all places. Nothing is parsed as long as they are held.
    pub(in super::super) async fn all_places() -> tokio::sync::SemaphorePermit<'static> {
        PLACES.acquire_many(2).await.unwrap()
    }

    #[tokio::test]
    async fn work_is_done_elsewhere_and_waits_for_a_place() {
        let here = std::thread::current().id();
        assert_ne!(aside(|| std::thread::current().id()).await, here);
        let held = all_places().await;
        let mut waiting = Box::pin(aside(|| 1));
        assert_eq!(waiting.as_mut().now_or_never(), None);
        drop(held);
        assert_eq!(waiting.await, 1);
    }

    #[tokio::test]
    #[should_panic(expected = "as the work did")]
    async fn a_panic_goes_to_who_asked() {
        aside(|| panic!("as the work did")).await;
    }
}
