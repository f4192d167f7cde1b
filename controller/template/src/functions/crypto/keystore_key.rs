//! How a PKCS#12 file makes keys out of a password, and what it encrypts with.

use std::num::NonZeroU32;

use aes::cipher::KeyInit as _;
use aes::{Aes128, Aes192, Aes256};
use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use aws_lc_rs::{hmac, pbkdf2};
use des::TdesEde3;
use rc2::Rc2;
use zeroize::Zeroizing;

use super::cipher::decrypt_cbc;
use super::der::{INTEGER, OBJECT, OCTET_STRING, Reader, SEQUENCE};
use crate::run::Failure;

pub(super) const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
pub(super) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
pub(super) const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
pub(super) const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
pub(super) const DIGEST_SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const PBMAC1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 14];
const DIGEST_SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 26];
const DIGEST_SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
const AES_128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
const AES_192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 3];
const RC2_128: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 5];
const RC2_40: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 6];

/// A password in the two forms of PKCS#12.
pub(super) struct Password {
    /// UTF-16, most significant byte first, with a zero at the end; or nothing at all, which some
    /// programs use for an empty password.
    wide: Zeroizing<Vec<u8>>,
    plain: Zeroizing<Vec<u8>>,
}

impl Password {
    pub(super) fn new(password: &str) -> Result<Self, Failure> {
        let mut wide = wide_text(password)?;
        wide.extend_from_slice(&[0, 0]);
        Ok(Self {
            wide: wide.into(),
            plain: password.as_bytes().to_vec().into(),
        })
    }

    pub(super) fn absent() -> Self {
        Self {
            wide: Vec::new().into(),
            plain: Vec::new().into(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty()
    }
}

/// UCS-2: no character beyond the basic plane.
pub(super) fn wide_text(text: &str) -> Result<Vec<u8>, Failure> {
    let mut wide = Vec::with_capacity(text.len() * 2);
    for unit in text.encode_utf16() {
        if (0xd800..0xe000).contains(&unit) {
            return Err(Failure::new(
                "pkcs12: string contains characters that cannot be encoded in UCS-2",
            ));
        }
        wide.extend_from_slice(&unit.to_be_bytes());
    }
    Ok(wide)
}

/// The most rounds of key derivation that a file may ask for; usual are 2,000 to 10,000.
const MOST_ROUNDS: u64 = 600_000;

fn rounds(n: u64) -> Result<u32, Failure> {
    u32::try_from(n)
        .ok()
        .filter(|n| (1..=MOST_ROUNDS).contains(&u64::from(*n)))
        .ok_or_else(|| {
            Failure::new(format!(
                "pkcs12: the file asks for {n} rounds; at most {MOST_ROUNDS} are done"
            ))
        })
}

fn unsupported(what: &str) -> Failure {
    Failure::new(format!("pkcs12: this {what} is not supported"))
}

/// Decrypts with what an algorithm identifier says.
pub(super) fn decrypt(
    algorithm: Reader<'_>,
    ciphertext: &[u8],
    password: &Password,
) -> Result<Vec<u8>, Failure> {
    let mut algorithm = algorithm;
    let identifier = algorithm.expect(OBJECT)?;
    if identifier == PBES2 {
        return decrypt_pbes2(algorithm.open(SEQUENCE)?, ciphertext, password);
    }
    let mut parameters = algorithm.open(SEQUENCE)?;
    let salt = parameters.expect(OCTET_STRING)?;
    let count = rounds(parameters.small()?)?;
    let derived = |purpose, length| {
        derive(
            &SHA1_FOR_LEGACY_USE_ONLY,
            64,
            salt,
            &password.wide,
            count,
            purpose,
            length,
        )
    };
    let (iv, length) = match identifier {
        TRIPLE_DES => (derived(2, 8), 24),
        RC2_128 => (derived(2, 8), 16),
        RC2_40 => (derived(2, 8), 5),
        _ => return Err(unsupported("encryption")),
    };
    let key = derived(1, length);
    let unusable = |_| unsupported("encryption");
    match identifier {
        TRIPLE_DES => decrypt_cbc(
            &TdesEde3::new_from_slice(&key).map_err(unusable)?,
            &iv,
            ciphertext,
        ),
        _ => decrypt_cbc(
            &Rc2::new_with_eff_key_len(&key, length * 8),
            &iv,
            ciphertext,
        ),
    }
}

fn decrypt_pbes2(
    mut parameters: Reader<'_>,
    ciphertext: &[u8],
    password: &Password,
) -> Result<Vec<u8>, Failure> {
    let mut derivation = parameters.open(SEQUENCE)?;
    let mut scheme = parameters.open(SEQUENCE)?;
    let cipher = scheme.expect(OBJECT)?;
    let iv = scheme.expect(OCTET_STRING)?;
    let length = match cipher {
        AES_128_CBC => 16,
        AES_192_CBC => 24,
        AES_256_CBC => 32,
        _ => return Err(unsupported("encryption")),
    };
    let key = pbkdf2_key(&mut derivation, &password.plain, Some(length))?;
    let unusable = |_| unsupported("encryption");
    match length {
        16 => decrypt_cbc(
            &Aes128::new_from_slice(&key).map_err(unusable)?,
            iv,
            ciphertext,
        ),
        24 => decrypt_cbc(
            &Aes192::new_from_slice(&key).map_err(unusable)?,
            iv,
            ciphertext,
        ),
        _ => decrypt_cbc(
            &Aes256::new_from_slice(&key).map_err(unusable)?,
            iv,
            ciphertext,
        ),
    }
}

/// A key by PBKDF2 with what its parameters say; the length is there or given.
fn pbkdf2_key(
    derivation: &mut Reader<'_>,
    password: &[u8],
    length: Option<usize>,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if derivation.expect(OBJECT)? != PBKDF2 {
        return Err(unsupported("key derivation"));
    }
    let mut parameters = derivation.open(SEQUENCE)?;
    let salt = parameters.expect(OCTET_STRING)?;
    let count = rounds(parameters.small()?)?;
    let said = parameters.optional(INTEGER)?.map(|bytes| {
        bytes
            .iter()
            .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
    });
    let function = if parameters.is_empty() {
        HMAC_SHA1
    } else {
        parameters.open(SEQUENCE)?.expect(OBJECT)?
    };
    let algorithm = match function {
        HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
        HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
        HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
        _ => return Err(unsupported("key derivation")),
    };
    let length = length.or(said).filter(|length| (1..=64).contains(length));
    let length = length.ok_or_else(|| unsupported("key length"))?;
    derive_pbkdf2(algorithm, count, salt, password, length)
}

pub(super) fn derive_pbkdf2(
    algorithm: pbkdf2::Algorithm,
    count: u32,
    salt: &[u8],
    password: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let count = NonZeroU32::new(count).ok_or_else(|| unsupported("key derivation"))?;
    let mut key = Zeroizing::new(vec![0; length]);
    pbkdf2::derive(algorithm, count, salt, password, &mut key);
    Ok(key)
}

/// The MAC of a file: the algorithm and what stands beside it, over the content.
pub(super) fn mac(
    mut algorithm: Reader<'_>,
    salt: &[u8],
    count: u64,
    password: &Password,
    content: &[u8],
) -> Result<Vec<u8>, Failure> {
    let identifier = algorithm.expect(OBJECT)?;
    if identifier == PBMAC1 {
        let mut parameters = algorithm.open(SEQUENCE)?;
        let mut derivation = parameters.open(SEQUENCE)?;
        let key = pbkdf2_key(&mut derivation, &password.plain, None)?;
        let function = match parameters.open(SEQUENCE)?.expect(OBJECT)? {
            HMAC_SHA1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            HMAC_SHA256 => hmac::HMAC_SHA256,
            HMAC_SHA512 => hmac::HMAC_SHA512,
            _ => return Err(unsupported("MAC")),
        };
        return Ok(hmac::sign(&hmac::Key::new(function, &key), content)
            .as_ref()
            .to_vec());
    }
    let (sum, function, block): (&'static Algorithm, _, _) = match identifier {
        DIGEST_SHA1 => (
            &SHA1_FOR_LEGACY_USE_ONLY,
            hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            64,
        ),
        DIGEST_SHA256 => (&SHA256, hmac::HMAC_SHA256, 64),
        DIGEST_SHA512 => (&SHA512, hmac::HMAC_SHA512, 128),
        _ => return Err(unsupported("MAC")),
    };
    let key = derive(
        sum,
        block,
        salt,
        &password.wide,
        rounds(count)?,
        3,
        sum.output_len(),
    );
    Ok(hmac::sign(&hmac::Key::new(function, &key), content)
        .as_ref()
        .to_vec())
}

/// The key derivation of PKCS#12 itself (RFC 7292, appendix B.2). `purpose` is 1 for a key, 2 for an
/// IV, 3 for a MAC; `block` is the input block of the hash.
fn derive(
    sum: &'static Algorithm,
    block: usize,
    salt: &[u8],
    password: &[u8],
    count: u32,
    purpose: u8,
    length: usize,
) -> Zeroizing<Vec<u8>> {
    let filled = |text: &[u8]| -> Vec<u8> {
        let length = text.len().div_ceil(block) * block;
        text.iter()
            .copied()
            .cycle()
            .take(if text.is_empty() { 0 } else { length })
            .collect()
    };
    let mut input = Zeroizing::new([filled(salt), filled(password)].concat());
    let mut key = Zeroizing::new(Vec::new());
    while key.len() < length {
        let mut hash = digest(sum, &[vec![purpose; block].as_slice(), &input].concat());
        for _ in 1..count {
            hash = digest(sum, hash.as_ref());
        }
        key.extend_from_slice(hash.as_ref());
        // Every block of the input grows by the hash, repeated, plus one.
        for part in input.chunks_exact_mut(block) {
            let mut carry = 1u16;
            for (at, byte) in part.iter_mut().enumerate().rev() {
                let all =
                    u16::from(*byte) + u16::from(hash.as_ref()[at % sum.output_len()]) + carry;
                *byte = u8::try_from(all & 0xff).unwrap_or(0);
                carry = all >> 8;
            }
        }
    }
    key.truncate(length);
    key
}
