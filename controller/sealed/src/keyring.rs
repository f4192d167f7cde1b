//! The life of the sealing keys: found, watched, made, ordered, published.
//!
//! # Expected flow
//! 1. Every replica lists and watches the key Secrets of our own namespace ([`follow`]) and serves
//!    the newest certificate.
//! 2. The leader makes a key when there is none, or when the newest has had its time ([`tend`]).
//! 3. The leader publishes what there is in one ConfigMap ([`publish`]).
//!
//! # Guarantees
//! - Two replicas never both make a key: the name of a new one is derived from the newest that is
//!   there, so the second create conflicts.
//! - A malformed key Secret is reported and changes nothing for the others.
//! - No key is ever deleted, and none is made because the API server did not answer.

mod follow;
mod key_secret;
mod life;
mod make;
mod publish;
mod shelf;

use std::sync::{Arc, Mutex, PoisonError};

use keys::Keyring;
use tokio::sync::watch;

pub(crate) use follow::{Follower, follow};
pub(crate) use key_secret::KeySecret;
pub(crate) use life::Renewal;
pub(crate) use make::{Asked, Design, Maker, tend};
pub(crate) use publish::publish;
pub(crate) use shelf::{Held, Order, Shelf, State};

/// The keys of the controller, shared by all that use them. Clones are cheap.
#[derive(Clone)]
pub struct Keys {
    shelf: Arc<Mutex<Shelf>>,
    current: Arc<watch::Sender<Arc<KeySet>>>,
}

/// The keys at one moment.
#[derive(Default)]
pub(crate) struct KeySet {
    /// Counts the changes. Zero means that the keys were not listed yet.
    pub(crate) version: u64,
    /// The keys that open, the newest first.
    pub(crate) keyring: Arc<Keyring>,
    /// Every key Secret that could be read, also those that do not open any more.
    pub(crate) held: Vec<Held>,
}

impl KeySet {
    /// Whether the key Secrets have been listed at least once.
    pub(crate) fn is_loaded(&self) -> bool {
        self.version > 0
    }
}

impl Keys {
    pub(crate) fn new(shelf: Shelf) -> Self {
        Self {
            shelf: Arc::new(Mutex::new(shelf)),
            current: Arc::new(watch::channel(Arc::default()).0),
        }
    }

    /// Whether there is a certificate to serve.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.now().keyring.current().is_some()
    }

    /// The keys as they are now.
    pub(crate) fn now(&self) -> Arc<KeySet> {
        Arc::clone(&self.current.borrow())
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<KeySet>> {
        self.current.subscribe()
    }

    /// Changes what is on the shelf, and tells everybody if that changed the keys. The change may
    /// read keys, which costs some milliseconds each.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Shelf)) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut shelf);
        if !shelf.take_changed() {
            return;
        }
        let version = self.current.borrow().version + 1;
        let (keyring, held) = shelf.arranged();
        let set = KeySet {
            version,
            keyring: Arc::new(keyring),
            held,
        };
        self.current.send_replace(Arc::new(set));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use keys::{KeyPair, KeySize, Label, Scope, Validity, seal};

    use super::*;

    #[test]
    fn t31_keys_that_come_and_go_do_not_disturb_who_opens() {
        let pair = |age: u64| {
            let start = SystemTime::now() - Duration::from_secs(age);
            let validity = Validity::starting(start, Duration::from_secs(3_600));
            KeyPair::generate(KeySize::Bits2048, validity, "").unwrap()
        };
        let (kept, changing) = (pair(60), pair(1));
        let secret = |name: &str, pair: &KeyPair| {
            KeySecret::of(KeySecret::compose(
                name.into(),
                "ns".into(),
                pair,
                [].into(),
                [].into(),
            ))
        };
        let keys = Keys::new(Shelf::new(
            Order::CertNotBefore,
            "sealed-secrets-key".into(),
        ));
        keys.change(|shelf| shelf.place(secret("kept", &kept)));
        let label = Label::new(Scope::ClusterWide, "", "");
        let item = seal(kept.public_key(), &label, b"value").unwrap();
        std::thread::scope(|threads| {
            let changes = threads.spawn(|| {
                for _ in 0..50 {
                    keys.change(|shelf| shelf.place(secret("changing", &changing)));
                    keys.change(|shelf| shelf.remove("changing"));
                }
            });
            while !changes.is_finished() {
                let set = keys.now();
                assert!(set.keyring.current().is_some());
                let opened = set.keyring.open(&item, &label, None).unwrap();
                assert_eq!(opened.plaintext.expose(), b"value");
            }
        });
        assert_eq!(keys.now().keyring.len(), 1);
        assert_eq!(keys.now().version, 101);
    }
}
