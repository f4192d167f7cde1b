//! Password hashes, and passwords derived from one master password.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::hmac;
use blowfish::Blowfish;
use rand::RngExt as _;

use crate::functions::encoding::encode64;
use crate::functions::function::Incumbent;
use crate::functions::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::Value;

use Type::{String as Str, Uint32};

pub(super) const FUNCTIONS: &[Function] = &[
    function("bcrypt", &[Str], None, |call, a| {
        let hash = bcrypt(call, call.string(a, 0)?.bytes())?;
        call.made(hash)
    }),
    function("htpasswd", &[Str, Str], None, |call, a| {
        htpasswd(call, a, b"bcrypt")
    })
    .only(Incumbent::SealedSecrets),
    function("htpasswd", &[Str, Str, Str], None, |call, a| {
        htpasswd(call, a, call.string(a, 2)?.bytes())
    })
    .only(Incumbent::ExternalSecrets),
    function(
        "derivePassword",
        &[Uint32, Str, Str, Str, Str],
        None,
        derive_password,
    ),
];

fn htpasswd(call: &Call<'_>, a: &[Value], algorithm: &[u8]) -> Result<Value, Failure> {
    let (user, password) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
    if user.contains(&b':') {
        return call.made([b"invalid username: ", user].concat());
    }
    let hash = match algorithm {
        b"sha" => {
            let sum = digest(&SHA1_FOR_LEGACY_USE_ONLY, password);
            [b"{SHA}".as_slice(), &encode64(sum.as_ref())].concat()
        }
        _ => bcrypt(call, password)?,
    };
    call.made([user, b":", &hash].concat())
}

/// Rounds are two to this power (`bcrypt.DefaultCost`).
const COST: u32 = 10;

/// bcrypt cannot take more; Go refuses what is longer and sprig gives the refusal as the result.
const LONGEST_PASSWORD: usize = 72;

fn bcrypt(call: &Call<'_>, password: &[u8]) -> Result<Vec<u8>, Failure> {
    if password.len() > LONGEST_PASSWORD {
        return Ok(
            b"failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_vec(),
        );
    }
    call.budget.slow_call()?;
    let salt: [u8; 16] = rand::rng().random();
    let hash = bcrypt_hash(password, &salt);
    let mut out = format!("$2a${COST:02}$").into_bytes();
    out.extend_from_slice(&encode_bcrypt(&salt));
    out.extend_from_slice(&encode_bcrypt(&hash[..23]));
    Ok(out)
}

/// The hash proper: the expensive key setup, then a fixed text encrypted 64 times.
fn bcrypt_hash(password: &[u8], salt: &[u8; 16]) -> [u8; 24] {
    let key = zeroize::Zeroizing::new([password, &[0]].concat());
    let mut state = Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1u32 << COST {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    let mut out = [0; 24];
    for (at, block) in b"OrpheanBeholderScryDoubt".chunks_exact(8).enumerate() {
        let word = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0u32, |sum, byte| sum << 8 | u32::from(*byte))
        };
        let mut pair = [word(&block[..4]), word(&block[4..])];
        for _ in 0..64 {
            pair = state.bc_encrypt(pair);
        }
        out[at * 8..at * 8 + 4].copy_from_slice(&pair[0].to_be_bytes());
        out[at * 8 + 4..at * 8 + 8].copy_from_slice(&pair[1].to_be_bytes());
    }
    out
}

/// base64 with an alphabet of its own and no padding.
fn encode_bcrypt(bytes: &[u8]) -> Vec<u8> {
    const OWN: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let place = |byte: u8| match byte {
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'a'..=b'z' => usize::from(byte - b'a') + 26,
        b'0'..=b'9' => usize::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    encode64(bytes)
        .into_iter()
        .filter(|byte| *byte != b'=')
        .map(|byte| OWN[place(byte)])
        .collect()
}

/// Kinds of password by name, each a list of patterns; a letter of a pattern is a set.
const PATTERNS: &[(&str, &[&str])] = &[
    ("maximum", &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"]),
    (
        "long",
        &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
    ),
    ("medium", &["CvcnoCvc", "CvcCvcno"]),
    ("short", &["Cvcn"]),
    ("basic", &["aaanaaan", "aannaaan", "aaannaaa"]),
    ("pin", &["nnnn"]),
];

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// Held while scrypt runs.
static SCRYPT: Mutex<()> = Mutex::new(());

/// The Master Password algorithm, as sprig has it.
fn derive_password(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let Some(Value::Uint64(counter)) = a.first() else {
        return Err(Failure::new("expected unsigned integer"));
    };
    let counter = u32::try_from(*counter).unwrap_or(u32::MAX);
    let kind = call.string(a, 1)?.bytes();
    let (password, user, site) = (
        call.string(a, 2)?.bytes(),
        call.string(a, 3)?.bytes(),
        call.string(a, 4)?.bytes(),
    );
    let Some((_, patterns)) = PATTERNS.iter().find(|(name, _)| name.as_bytes() == kind) else {
        return call.made([b"cannot find password template ", kind].concat());
    };
    call.budget.slow_call()?;
    // One at a time in the whole process: each takes 32 MiB while it runs.
    let _turn = SCRYPT.lock().unwrap_or_else(PoisonError::into_inner);
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SEED, &length(user), user].concat();
    let failed = || Failure::new("failed to derive password");
    let parameters = scrypt::Params::new(15, 8, 2).map_err(|_| failed())?;
    let mut key = zeroize::Zeroizing::new([0; 64]);
    scrypt::scrypt(password, &salt, &parameters, &mut *key).map_err(|_| failed())?;
    let message = [SEED, &length(site), site, &counter.to_be_bytes()].concat();
    let seed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*key), &message);
    let seed = seed.as_ref();
    let pattern = patterns[usize::from(seed[0]) % patterns.len()];
    let derived = pattern.bytes().zip(&seed[1..]).map(|(class, byte)| {
        let set = characters(class);
        set[usize::from(*byte) % set.len()]
    });
    call.made(derived.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of golang.org/x/crypto/bcrypt (`TestBcryptingIsCorrect`).
    #[test]
    fn a_known_password_and_salt_give_the_known_hash() {
        let salt = [
            0x65, 0xc9, 0x65, 0x4b, 0x13, 0xe3, 0xc7, 0x14, 0xef, 0xec, 0x85, 0x20, 0x1e, 0x6d,
            0xf3, 0x1e,
        ];
        assert_eq!(encode_bcrypt(&salt), b"XajjQvNhvvRt5GSeFk1xFe");
        let hash = bcrypt_hash(b"allmine", &salt);
        assert_eq!(
            encode_bcrypt(&hash[..23]),
            b"yqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
        );
    }
}
