//! Objects that have to be looked at again because something else changed.
//!
//! A set and not a queue: however often an object is woken before its turn, it is looked at once, so
//! the set is never larger than the number of objects.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, stream};
use tokio::sync::Notify;

use crate::key::Key;

/// The objects to be woken, for each watch that follows some of them.
#[derive(Default)]
pub(crate) struct Wakes {
    watches: Mutex<HashMap<String, Arc<Waiting>>>,
}

#[derive(Default)]
struct Waiting {
    keys: Mutex<BTreeSet<Key>>,
    some: Notify,
}

impl Wakes {
    /// Wakes these. Who is followed by no watch yet will be looked at when it is.
    pub(crate) fn wake(&self, keys: impl IntoIterator<Item = Key>) {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            for (namespace, waiting) in watches.iter() {
                if namespace.is_empty() || *namespace == key.namespace {
                    waiting.wake(key.clone());
                }
            }
        }
    }

    /// Those of a namespace that are woken from now on, or of all where it is empty.
    pub(crate) fn stream(&self, namespace: &str) -> impl Stream<Item = Key> + Send + use<> {
        let waiting = Arc::<Waiting>::default();
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.insert(namespace.to_owned(), Arc::clone(&waiting));
        stream::unfold(waiting, |waiting| async move {
            loop {
                let next = waiting
                    .keys
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_first();
                match next {
                    Some(next) => return Some((next, waiting)),
                    None => waiting.some.notified().await,
                }
            }
        })
    }
}

impl Waiting {
    fn wake(&self, key: Key) {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key);
        self.some.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _};

    use super::*;

    #[test]
    fn who_is_woken_twice_comes_once_and_to_its_own_watch() {
        let wakes = Wakes::default();
        wakes.wake([Key::new("a", "early")]);
        let mut all = Box::pin(wakes.stream(""));
        let mut only_b = Box::pin(wakes.stream("b"));
        wakes.wake([Key::new("b", "x"), Key::new("a", "y"), Key::new("b", "x")]);
        assert_eq!(all.next().now_or_never(), Some(Some(Key::new("a", "y"))));
        assert_eq!(all.next().now_or_never(), Some(Some(Key::new("b", "x"))));
        assert_eq!(all.next().now_or_never(), None);
        assert_eq!(only_b.next().now_or_never(), Some(Some(Key::new("b", "x"))));
        assert_eq!(only_b.next().now_or_never(), None);
        wakes.wake([Key::new("a", "y")]);
        assert_eq!(all.next().now_or_never(), Some(Some(Key::new("a", "y"))));
    }
}
