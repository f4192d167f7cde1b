//! Sealing and opening, against the `rsa` crate as a second implementation of the RSA part.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use keys::{
    Certificate, KeyPair, KeySize, Keyring, Label, OpenError, PrivateKey, Scope, Validity,
    encode_base64, fuzz, seal,
};
use proptest::prelude::*;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::{Oaep, RsaPrivateKey};
use sha2::Sha256;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + 20_000 * DAY
}

fn pair() -> KeyPair {
    KeyPair::generate(KeySize::Bits2048, Validity::starting(start(), DAY), "").unwrap()
}

/// One key for all properties, since making one takes longer than a case.
fn shared() -> &'static (Keyring, Certificate) {
    static SHARED: OnceLock<(Keyring, Certificate)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let pair = pair();
        let certificate = Certificate::from_pem(pair.certificate().to_pem().as_bytes()).unwrap();
        (ring([(pair, 0)]), certificate)
    })
}

fn ring<const N: usize>(pairs: [(KeyPair, u32); N]) -> Keyring {
    let mut ring = Keyring::new();
    for (pair, day) in pairs {
        ring.insert(pair, start() + day * DAY);
    }
    ring
}

fn label() -> Label {
    Label::new(Scope::Strict, "ns", "name")
}

fn independent(key: &PrivateKey) -> RsaPrivateKey {
    let pem = String::from_utf8(key.to_pem().expose().to_vec()).unwrap();
    RsaPrivateKey::from_pkcs1_pem(&pem).unwrap()
}

fn oaep(label: &Label) -> Oaep<Sha256> {
    Oaep::<Sha256>::new_with_label(label.as_bytes().to_vec())
}

#[test]
fn the_second_implementation_opens_what_was_sealed_here() {
    for size in [KeySize::Bits2048, KeySize::Bits4096] {
        let key = PrivateKey::generate(size).unwrap();
        let item = seal(key.public_key(), &label(), b"value").unwrap();
        let rsa_bytes = key.public_key().modulus_bytes();
        assert_eq!(item.len(), 2 + rsa_bytes + 5 + 16);

        let (rsa, message) = item[2..].split_at(rsa_bytes);
        let session_key = independent(&key).decrypt(oaep(&label()), rsa).unwrap();
        let cipher = Aes256Gcm::new_from_slice(&session_key).unwrap();
        assert_eq!(
            cipher.decrypt(&Nonce::default(), message).unwrap(),
            b"value"
        );
    }
}

#[test]
fn what_the_second_implementation_sealed_is_opened_here() {
    let pair = pair();
    let session_key = [7; 32];
    let rsa = independent(pair.private_key())
        .to_public_key()
        .encrypt(&mut rand::rng(), oaep(&label()), &session_key)
        .unwrap();
    let cipher = Aes256Gcm::new_from_slice(&session_key).unwrap();
    let mut item = u16::try_from(rsa.len()).unwrap().to_be_bytes().to_vec();
    item.extend(rsa);
    item.extend(cipher.encrypt(&Nonce::default(), &b"value"[..]).unwrap());

    let opened = ring([(pair, 0)]).open(&item, &label(), None).unwrap();
    assert_eq!(opened.plaintext.expose(), b"value");
}

#[test]
fn the_hinted_key_is_tried_first_and_then_the_newest() {
    let (old, middle, new) = (pair(), pair(), pair());
    let (old_name, new_name) = (old.fingerprint(), new.fingerprint());
    // One that the other keys cannot rule out by its size alone.
    let by_old = std::iter::repeat_with(|| seal(old.public_key(), &label(), b"x").unwrap())
        .find(|item| {
            [&middle, &new]
                .iter()
                .all(|pair| pair.public_key().may_have_sealed(item))
        })
        .unwrap();
    let by_new = seal(new.public_key(), &label(), b"x").unwrap();
    let ring = ring([(old, 0), (new, 2), (middle, 1)]);

    assert_eq!(ring.current().unwrap().fingerprint(), new_name);
    assert_eq!(ring.open(&by_new, &label(), None).unwrap().attempts, 1);
    let unhinted = ring.open(&by_old, &label(), None).unwrap();
    assert_eq!(unhinted.key, old_name);
    assert_eq!(unhinted.attempts, 3);
    assert_eq!(
        ring.open(&by_old, &label(), Some(&old_name))
            .unwrap()
            .attempts,
        1
    );
    let misled = ring.open(&by_new, &label(), Some(&old_name)).unwrap();
    assert_eq!(misled.key, new_name);
}

#[test]
fn a_wrong_hint_or_a_removed_key_is_no_obstacle() {
    let (kept, removed) = (pair(), pair());
    let (item, name) = (
        seal(kept.public_key(), &label(), b"x").unwrap(),
        removed.fingerprint(),
    );
    let mut ring = ring([(kept, 0), (removed, 1)]);
    assert!(ring.remove(&name));
    assert!(!ring.remove(&name));
    assert!(ring.open(&item, &label(), Some(&name)).is_ok());
}

#[test]
fn another_label_does_not_open_and_the_right_scope_is_named() {
    let pair = pair();
    let wide = Label::new(Scope::NamespaceWide, "ns", "name");
    let item = seal(pair.public_key(), &wide, b"x").unwrap();
    let ring = ring([(pair, 0)]);

    let error = ring.open(&item, &label(), None).err().unwrap();
    assert_eq!(error, OpenError::NoKeyOpens { attempts: 1 });
    let scope = ring.scope_that_opens(&item, Scope::Strict, "ns", "name");
    assert_eq!(scope, Some(Scope::NamespaceWide));
    assert_eq!(
        ring.scope_that_opens(&item, Scope::Strict, "elsewhere", "name"),
        None
    );
}

#[test]
fn a_malformed_item_is_told_from_one_that_no_key_opens() {
    let (ring, _) = shared();
    let open = |item: &str| ring.open_base64(item, &label(), None).err().unwrap();
    assert!(matches!(open("not base64!"), OpenError::NotBase64(_)));
    assert_eq!(open(""), OpenError::TooShort);
    assert_eq!(open(&encode_base64(&[1, 0, 3])), OpenError::TooShort);
    let mut other_size = vec![2, 0];
    other_size.resize(2 + 512 + 16, 1);
    assert_eq!(
        open(&encode_base64(&other_size)),
        OpenError::NoKeyOfThisSize { bits: 4096 }
    );
    // A number that is not below the modulus costs no RSA operation.
    let mut too_great = vec![1, 0];
    too_great.resize(2 + 256 + 16, 0xff);
    assert_eq!(
        open(&encode_base64(&too_great)),
        OpenError::NoKeyOpens { attempts: 0 }
    );
    assert_eq!(
        Keyring::new().open(&other_size, &label(), None).err(),
        Some(OpenError::NoKeys)
    );
}

#[test]
fn a_number_not_below_the_modulus_proves_another_key() {
    let (_, certificate) = shared();
    let mut item = seal(certificate.public_key(), &label(), b"x").unwrap();
    assert!(certificate.public_key().may_have_sealed(&item));
    item[2..10].fill(0xff);
    assert!(!certificate.public_key().may_have_sealed(&item));
}

#[test]
fn a_key_survives_both_of_its_written_forms() {
    let key = PrivateKey::generate(KeySize::Bits2048).unwrap();
    let pkcs1 = key.to_pem();
    assert!(
        pkcs1
            .expose()
            .starts_with(b"-----BEGIN RSA PRIVATE KEY-----\n")
    );
    let pkcs8 = independent(&key).to_pkcs8_pem(LineEnding::CRLF).unwrap();
    for text in [pkcs1.expose(), pkcs8.as_bytes()] {
        let read = PrivateKey::from_pem(text).unwrap();
        assert!(read.public_key().fingerprint() == key.public_key().fingerprint());
        assert!(read.to_pem().expose() == pkcs1.expose());
    }
}

#[test]
fn a_certificate_is_read_as_it_was_made() {
    let validity = Validity::starting(start(), 3650 * DAY);
    let key = PrivateKey::generate(KeySize::Bits2048).unwrap();
    let made = Certificate::self_signed(&key, validity, "sealed, \"secrets\"=+#").unwrap();
    let read = Certificate::from_pem(made.to_pem().as_bytes()).unwrap();
    assert_eq!(read.validity(), validity);
    assert_eq!(read.common_name(), "sealed, \"secrets\"=+#");
    assert_eq!(
        read.public_key().fingerprint(),
        key.public_key().fingerprint()
    );
    assert!(!read.is_expired(validity.not_after));
    assert!(read.is_expired(validity.not_after + Duration::from_secs(1)));
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    let (one, two) = (pair(), pair());
    let mixed = KeyPair::from_pem(
        one.private_key().to_pem().expose(),
        two.certificate().to_pem().as_bytes(),
    );
    assert!(matches!(mixed.err(), Some(keys::KeyError::Mismatch)));
}

#[test]
fn a_fingerprint_is_the_one_that_openssh_prints() {
    // Made by openssl req -x509, and ssh-keygen -lf over its public key.
    let pem = include_bytes!("fixtures/openssl-certificate.pem");
    let printed = include_str!("fixtures/openssl-fingerprint.txt").trim();
    let certificate = Certificate::from_pem(pem).unwrap();
    let fingerprint = certificate.public_key().fingerprint();
    assert_eq!(fingerprint.to_string(), printed);
    assert_eq!(printed.parse(), Ok(fingerprint));
    assert_eq!(fingerprint.file_stem().len(), 64);
    assert_eq!(certificate.common_name(), "byo");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_sealed_opens(
        plaintext in proptest::collection::vec(any::<u8>(), 0..2048),
        namespace in "[a-z]{1,8}",
        name in "[a-z]{1,8}",
        scope in proptest::sample::select(&Scope::ALL[..]),
    ) {
        let (ring, certificate) = shared();
        let label = Label::new(scope, &namespace, &name);
        let item = seal(certificate.public_key(), &label, &plaintext).unwrap();
        let opened = ring.open_base64(&encode_base64(&item), &label, None).unwrap();
        prop_assert_eq!(opened.plaintext.expose(), plaintext);
    }

    #[test]
    fn a_changed_byte_does_not_open(at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let (ring, certificate) = shared();
        let mut item = seal(certificate.public_key(), &label(), b"some value").unwrap();
        let at = at.index(item.len());
        item[at] ^= flip;
        prop_assert!(ring.open(&item, &label(), None).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_reader_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600), text in ".{0,400}") {
        let (ring, _) = shared();
        fuzz::items(ring, &bytes);
        fuzz::items(ring, text.as_bytes());
        fuzz::keys(&bytes);
        let body = encode_base64(&bytes);
        for kind in ["CERTIFICATE", "RSA PRIVATE KEY", "PRIVATE KEY"] {
            let pem = format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n{text}");
            fuzz::keys(pem.as_bytes());
        }
    }

    #[test]
    fn no_mutation_of_a_real_certificate_or_key_panics(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let (ring, certificate) = shared();
        let mut text = certificate.to_pem().into_bytes();
        let place = at.index(text.len());
        text[place] = byte;
        fuzz::keys(&text);
        let mut text = ring.current().unwrap().private_key().to_pem().expose().to_vec();
        let place = at.index(text.len());
        text[place] = byte;
        fuzz::keys(&text);
    }
}
