//! Replays what the real kubeseal sealed (`tests/vectors/`, made by its own program there).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use keys::{
    Certificate, KeyPair, Keyring, Label, PrivateKey, Scope, Validity, decode_base64, encode_base64,
};
use serde::Deserialize;
use x509_cert::der::{DecodePem as _, Encode as _};

#[derive(Deserialize)]
struct Vectors {
    keys: Vec<Key>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Key {
    bits: usize,
    certificate: String,
    pkcs1: String,
    pkcs8: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    key: usize,
    scope: String,
    namespace: String,
    secret: String,
    label: String,
    plaintext_base64: String,
    plaintext_length: usize,
    item: Option<String>,
    item_file: Option<String>,
}

impl Vector {
    fn item(&self) -> String {
        self.item.clone().unwrap_or_else(|| {
            let file = self.item_file.as_ref().unwrap();
            encode_base64(&std::fs::read(directory().join(file)).unwrap())
        })
    }

    fn plaintext(&self) -> Vec<u8> {
        let seed = decode_base64(&self.plaintext_base64).unwrap();
        seed.iter()
            .copied()
            .cycle()
            .take(self.plaintext_length)
            .collect()
    }

    fn scope(&self) -> Scope {
        self.scope.parse().unwrap()
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn vectors() -> Vectors {
    let text = std::fs::read_to_string(directory().join("sealing.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ring(keys: &[Key]) -> Keyring {
    let mut ring = Keyring::new();
    for key in keys {
        let pair = KeyPair::from_pem(key.pkcs1.as_bytes(), key.certificate.as_bytes()).unwrap();
        ring.insert(pair, SystemTime::UNIX_EPOCH);
    }
    ring
}

#[test]
fn every_item_of_the_real_kubeseal_opens() {
    let vectors = vectors();
    let ring = ring(&vectors.keys);
    let mut seen = std::collections::BTreeSet::new();
    for vector in &vectors.vectors {
        let label = Label::new(vector.scope(), &vector.namespace, &vector.secret);
        assert_eq!(label.as_bytes(), vector.label.as_bytes(), "{}", vector.name);
        let opened = ring.open_base64(&vector.item(), &label, None).unwrap();
        assert!(
            opened.plaintext.expose() == vector.plaintext(),
            "{}",
            vector.name
        );
        seen.insert((vector.scope.clone(), vectors.keys[vector.key].bits));
    }
    assert_eq!(seen.len(), 6, "three scopes with two key sizes");
}

#[test]
fn no_item_of_the_real_kubeseal_opens_under_another_label() {
    let vectors = vectors();
    let ring = ring(&vectors.keys);
    let short = |vector: &&Vector| vector.item.is_some();
    for vector in vectors.vectors.iter().filter(short) {
        let label = Label::new(Scope::Strict, &vector.namespace, "another");
        let item = decode_base64(&vector.item()).unwrap();
        assert!(ring.open(&item, &label, None).is_err(), "{}", vector.name);
        let found = ring.scope_that_opens(&item, Scope::Strict, &vector.namespace, &vector.secret);
        let expected = (vector.scope() != Scope::Strict).then(|| vector.scope());
        assert_eq!(found, expected, "{}", vector.name);
    }
}

#[test]
fn the_encodings_of_a_key_are_one_key() {
    for key in vectors().keys {
        let one = PrivateKey::from_pem(key.pkcs1.as_bytes()).unwrap();
        let eight = PrivateKey::from_pem(key.pkcs8.as_bytes()).unwrap();
        let certificate = Certificate::from_pem(key.certificate.as_bytes()).unwrap();
        assert_eq!(one.public_key().bits(), key.bits);
        assert_eq!(
            one.public_key().fingerprint(),
            eight.public_key().fingerprint()
        );
        assert_eq!(
            one.public_key().fingerprint(),
            certificate.public_key().fingerprint()
        );
        // Go wrote both files, so what we write must be the same bytes.
        assert!(eight.to_pem().expose() == key.pkcs1.as_bytes());
        assert_eq!(certificate.to_pem(), key.certificate);
    }
}

#[test]
fn a_certificate_of_ours_differs_from_gos_in_serial_number_and_signature_only() {
    for key in vectors().keys {
        let private = PrivateKey::from_pem(key.pkcs1.as_bytes()).unwrap();
        let theirs = x509_cert::Certificate::from_pem(&key.certificate).unwrap();
        let theirs = theirs.tbs_certificate();
        let start = theirs.validity().not_before.to_system_time();
        let end = theirs.validity().not_after.to_system_time();
        let validity = Validity::starting(start, end.duration_since(start).unwrap());
        let name = Certificate::from_pem(key.certificate.as_bytes()).unwrap();
        let made = Certificate::self_signed(&private, validity, name.common_name()).unwrap();
        let ours = x509_cert::Certificate::from_pem(made.to_pem()).unwrap();
        let ours = ours.tbs_certificate();

        assert_eq!(ours.validity(), theirs.validity());
        assert_eq!(ours.signature(), theirs.signature());
        assert_eq!(
            ours.subject().to_der().unwrap(),
            theirs.subject().to_der().unwrap()
        );
        assert_eq!(
            ours.issuer().to_der().unwrap(),
            theirs.issuer().to_der().unwrap()
        );
        assert_eq!(
            ours.subject_public_key_info(),
            theirs.subject_public_key_info()
        );
        assert_eq!(ours.extensions(), theirs.extensions());
        assert!(end > start + Duration::from_secs(1));
    }
}
