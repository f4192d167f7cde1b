//! Asking for reconciles from inside the process.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use futures::Stream;
use tokio::sync::Notify;

/// Names that are waiting for a reconcile. Clones share one set: asking twice before the first is served is asking once, so
/// it is bounded by the number of objects.
pub struct Wake<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Clone for Wake<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

struct Shared<T> {
    waiting: Mutex<BTreeSet<T>>,
    more: Notify,
}

impl<T: Ord> Default for Wake<T> {
    fn default() -> Self {
        let shared = Shared {
            waiting: Mutex::default(),
            more: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<T: Ord + Send + 'static> Wake<T> {
    /// Asks for a reconcile of `name`.
    pub fn wake(&self, name: T) {
        self.shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name);
        self.shared.more.notify_one();
    }

    /// The names as they are asked for. There is one such stream for each `Wake`.
    pub fn stream(&self) -> impl Stream<Item = T> + Send + use<T> {
        futures::stream::unfold(self.clone(), |wake| async move {
            loop {
                let next = wake
                    .shared
                    .waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_first();
                match next {
                    Some(name) => return Some((name, wake)),
                    None => wake.shared.more.notified().await,
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;

    #[tokio::test]
    async fn a_name_is_given_once_however_often_it_is_asked_for() {
        let wake = Wake::default();
        for name in ["b", "a", "b"] {
            wake.wake(name);
        }
        let mut stream = Box::pin(wake.stream());
        assert_eq!(stream.next().await, Some("a"));
        assert_eq!(stream.next().await, Some("b"));
        assert!(stream.next().now_or_never().is_none());
        wake.wake("b");
        assert_eq!(stream.next().await, Some("b"));
    }
}
