//! The name of a public key.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

/// The fingerprint of an RSA public key as OpenSSH prints it, `SHA256:` and 43 characters.
///
/// It is the SHA-256 of the key's `ssh-rsa` blob, which is what the incumbent keys its registry by
/// (`PublicKeyFingerprint` in `pkg/crypto/crypto.go`) and what `ssh-keygen -l` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; DIGEST_BYTES]);

impl Fingerprint {
    /// The fingerprint of the key with this modulus and exponent, both big-endian and without
    /// leading zeros.
    pub(crate) fn of(modulus: &[u8], exponent: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash_string(&mut hash, b"ssh-rsa");
        hash_integer(&mut hash, exponent);
        hash_integer(&mut hash, modulus);
        Self(hash.finalize().into())
    }

    /// The same 32 bytes as 64 lowercase hexadecimal digits, for file names and keys of a
    /// ConfigMap, where `:`, `/` and `+` are not allowed.
    #[must_use]
    pub fn file_stem(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidFingerprint)?;
        let bytes = STANDARD_NO_PAD
            .decode(encoded)
            .map_err(|_| InvalidFingerprint)?;
        bytes.try_into().map(Self).map_err(|_| InvalidFingerprint)
    }
}

/// The text is not a fingerprint in the form `SHA256:...`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key fingerprint of the form SHA256:...")]
pub struct InvalidFingerprint;

const PREFIX: &str = "SHA256:";
const DIGEST_BYTES: usize = 32;

/// RFC 4251 section 5, `string`.
fn hash_string(hash: &mut Sha256, bytes: &[u8]) {
    hash_length(hash, bytes.len());
    hash.update(bytes);
}

/// RFC 4251 section 5, `mpint`: a leading zero keeps a number with its top bit set positive.
fn hash_integer(hash: &mut Sha256, bytes: &[u8]) {
    let sign_byte = bytes.first().is_some_and(|first| first & 0x80 != 0);
    hash_length(hash, bytes.len() + usize::from(sign_byte));
    if sign_byte {
        hash.update([0]);
    }
    hash.update(bytes);
}

fn hash_length(hash: &mut Sha256, length: usize) {
    // A modulus has at most 1 KiB here, see `PublicKey`.
    hash.update(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}
