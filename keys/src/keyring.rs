//! The keys that open, in the order in which they are tried.

use std::sync::Arc;
use std::time::SystemTime;

use crate::envelope::{self, Malformed, Parts};
use crate::{
    Certificate, Fingerprint, KeyPair, Label, NotBase64, PrivateKey, Scope, SecretBytes,
    decode_base64,
};

/// Private keys, the newest first. Cloning shares the keys.
#[derive(Clone, Default)]
pub struct Keyring {
    /// Ordered by `since`, the newest first; among equals the one that came first.
    entries: Vec<Entry>,
}

/// One key of a [`Keyring`].
#[derive(Clone)]
pub struct Entry {
    private: Arc<PrivateKey>,
    certificate: Option<Arc<Certificate>>,
    since: SystemTime,
}

impl Entry {
    /// The key's name.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.private.public_key().fingerprint()
    }

    /// The half that opens.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    /// The certificate, unless the key came without one.
    #[must_use]
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_deref()
    }

    /// The time that it is ordered by.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }
}

/// An opened item.
pub struct Opened {
    /// What was sealed.
    pub plaintext: SecretBytes,
    /// The key that opened it.
    pub key: Fingerprint,
    /// How many RSA operations that took: 1 when the hint was right.
    pub attempts: usize,
}

/// Why an item did not open. The texts hold nothing of the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no key at all.
    #[error("no key could decrypt secret (there is no key)")]
    NoKeys,
    /// No key has the size that the item was sealed with: another cluster's key, or a broken item.
    #[error(
        "no key could decrypt secret (sealed with a {bits} bit key, and there is none of that size)"
    )]
    NoKeyOfThisSize {
        /// The size of the item's RSA part.
        bits: usize,
    },
    /// Every key that fits was tried: the item is for another name, namespace or scope, was sealed
    /// with a key that is not here, or was damaged.
    #[error("no key could decrypt secret")]
    NoKeyOpens {
        /// How many RSA operations were done.
        attempts: usize,
    },
    /// The text is not base64.
    #[error(transparent)]
    NotBase64(#[from] NotBase64),
    /// The item ends before what it must hold.
    #[error("SealedSecret data is too short")]
    TooShort,
    /// The item is longer than any Secret.
    #[error("SealedSecret data is too long")]
    TooLong,
}

impl Keyring {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key pair. `since` orders it: the incumbent takes the certificate's first moment or the
    /// creation time of the key Secret. A pair with the same key is replaced.
    pub fn insert(&mut self, pair: KeyPair, since: SystemTime) {
        let (private, certificate) = pair.into_parts();
        self.place(Entry {
            private: Arc::new(private),
            certificate: Some(certificate.into()),
            since,
        });
    }

    /// Adds a key that came without a certificate, as for a recovery.
    pub fn insert_private(&mut self, private: PrivateKey, since: SystemTime) {
        self.place(Entry {
            private: Arc::new(private),
            certificate: None,
            since,
        });
    }

    /// Takes a key out. Returns whether it was there.
    pub fn remove(&mut self, key: &Fingerprint) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.fingerprint() != *key);
        self.entries.len() < before
    }

    /// The newest key that has a certificate: the one to seal with.
    #[must_use]
    pub fn current(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.certificate.is_some())
    }

    /// The key of this name.
    #[must_use]
    pub fn find(&self, key: &Fingerprint) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.fingerprint() == *key)
    }

    /// All keys, the newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Opens an item: the hinted key first, then the others, the newest first. A key whose size does
    /// not fit costs nothing, any other one RSA operation.
    ///
    /// # Errors
    ///
    /// An [`OpenError`] that tells a malformed item from one that no key opens, and nothing else.
    pub fn open(
        &self,
        item: &[u8],
        label: &Label,
        hint: Option<&Fingerprint>,
    ) -> Result<Opened, OpenError> {
        self.open_parts(&split(item)?, label, hint)
    }

    /// Opens an item as it stands in a SealedSecret, in base64.
    ///
    /// # Errors
    ///
    /// As [`Keyring::open`], and [`OpenError::NotBase64`].
    pub fn open_base64(
        &self,
        item: &str,
        label: &Label,
        hint: Option<&Fingerprint>,
    ) -> Result<Opened, OpenError> {
        self.open(&decode_base64(item)?, label, hint)
    }

    /// For an item that did not open with the scope `tried`: the scope with which it would, so that
    /// the message can name the annotation that is missing or too many. It costs up to two RSA
    /// operations for each key.
    #[must_use]
    pub fn scope_that_opens(
        &self,
        item: &[u8],
        tried: Scope,
        namespace: &str,
        name: &str,
    ) -> Option<Scope> {
        let parts = split(item).ok()?;
        Scope::ALL
            .into_iter()
            .filter(|scope| *scope != tried)
            .find(|scope| {
                self.open_parts(&parts, &Label::new(*scope, namespace, name), None)
                    .is_ok()
            })
    }

    fn place(&mut self, entry: Entry) {
        self.remove(&entry.fingerprint());
        let position = self
            .entries
            .partition_point(|present| present.since >= entry.since);
        self.entries.insert(position, entry);
    }

    fn open_parts(
        &self,
        parts: &Parts<'_>,
        label: &Label,
        hint: Option<&Fingerprint>,
    ) -> Result<Opened, OpenError> {
        if self.entries.is_empty() {
            return Err(OpenError::NoKeys);
        }
        let mut attempts = 0;
        for entry in self.in_order(hint) {
            if !entry.private.public_key().may_have_encrypted(parts.rsa) {
                continue;
            }
            attempts += 1;
            if let Some(plaintext) = envelope::open(&entry.private, label, parts) {
                return Ok(Opened {
                    plaintext,
                    key: entry.fingerprint(),
                    attempts,
                });
            }
        }
        let fits = |entry: &Entry| entry.private.public_key().modulus_bytes() == parts.rsa.len();
        if self.entries.iter().any(fits) {
            Err(OpenError::NoKeyOpens { attempts })
        } else {
            Err(OpenError::NoKeyOfThisSize {
                bits: parts.rsa.len() * 8,
            })
        }
    }

    fn in_order(&self, hint: Option<&Fingerprint>) -> impl Iterator<Item = &Entry> {
        let hinted = hint.and_then(|key| self.find(key));
        let others = self.entries.iter().filter(move |entry| {
            hinted.is_none_or(|hinted| !Arc::ptr_eq(&hinted.private, &entry.private))
        });
        hinted.into_iter().chain(others)
    }
}

fn split(item: &[u8]) -> Result<Parts<'_>, OpenError> {
    envelope::split(item).map_err(|malformed| match malformed {
        Malformed::TooShort => OpenError::TooShort,
        Malformed::TooLong => OpenError::TooLong,
    })
}
