//! Targets for fuzzing: readers of what anybody may send. None of them may panic or hang, whatever the
//! bytes. Property tests and the long runs share them.

use std::time::SystemTime;

use crate::{
    Certificate, Keyring, Label, PrivateKey, PublicKey, Scope, decode_base64, sealed_sizes,
};

/// Certificates, keys in every encoding, and bare public keys.
pub fn keys(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::from_pem(bytes) {
        let again = Certificate::from_pem(certificate.to_pem().as_bytes());
        assert!(again.is_ok_and(|again| {
            again.public_key().fingerprint() == certificate.public_key().fingerprint()
        }));
    }
    if let Ok(key) = PrivateKey::from_pem(bytes) {
        assert!(PrivateKey::from_pem(key.to_pem().expose()).is_ok());
    }
    drop(PublicKey::from_spki(bytes));
}

/// Items, in base64 and in bytes, with and without keys to open them.
pub fn items(ring: &Keyring, bytes: &[u8]) {
    let label = Label::new(Scope::Strict, "namespace", "name");
    drop(ring.open(bytes, &label, None));
    let _sizes = sealed_sizes(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(decode_base64(text));
        drop(ring.open_base64(text, &label, None));
    }
    let _entry = ring
        .current()
        .map(|entry| entry.since() > SystemTime::UNIX_EPOCH);
}
