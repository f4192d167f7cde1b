//! `encryptAES`, `decryptAES` of sprig and `rsaDecrypt` of external-secrets.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit as _};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
    OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use rand::RngExt as _;

use super::private_key::PrivateKey;
use crate::functions::encoding::{decode64, encode64};
use crate::functions::function::Incumbent;
use crate::functions::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::Value;

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("encryptAES", &[Str, Str], None, |call, a| {
        let plaintext = call.string(a, 1)?.bytes();
        if plaintext.is_empty() {
            return Ok(Value::text(""));
        }
        call.budget.allocate(plaintext.len().saturating_mul(3))?;
        let iv: [u8; 16] = rand::rng().random();
        let ciphertext = encrypt_cbc(&Aes256::new(&key(call, a)?.into()), &iv, plaintext);
        call.made(encode64(&[iv.as_slice(), &ciphertext].concat()))
    }),
    function("decryptAES", &[Str, Str], None, |call, a| {
        let text = call.string(a, 1)?.bytes();
        if text.is_empty() {
            return Ok(Value::text(""));
        }
        call.budget.allocate(text.len().saturating_mul(2))?;
        let bytes = decode64(text)
            .map_err(|at| Failure::new(format!("illegal base64 data at input byte {at}")))?;
        let (iv, ciphertext) = bytes.split_at_checked(16).ok_or_else(undecryptable)?;
        call.made(decrypt_cbc(
            &Aes256::new(&key(call, a)?.into()),
            iv,
            ciphertext,
        )?)
    }),
    function("rsaDecrypt", &[Str, Str, Str, Str], None, rsa_decrypt)
        .only(Incumbent::ExternalSecrets),
];

/// The password itself, cut or filled with zeros to 32 bytes.
fn key(call: &Call<'_>, a: &[Value]) -> Result<[u8; 32], Failure> {
    let password = call.string(a, 0)?.bytes();
    let mut key = [0; 32];
    let length = password.len().min(32);
    key[..length].copy_from_slice(&password[..length]);
    Ok(key)
}

fn undecryptable() -> Failure {
    Failure::new("the data cannot be decrypted: wrong password or damaged")
}

/// CBC with PKCS#7 padding.
pub(super) fn encrypt_cbc<C: BlockCipherEncrypt + BlockSizeUser>(
    cipher: &C,
    iv: &[u8],
    plaintext: &[u8],
) -> Vec<u8> {
    let size = iv.len();
    let padding = size - plaintext.len() % size;
    let mut bytes = plaintext.to_vec();
    bytes.resize(bytes.len() + padding, u8::try_from(padding).unwrap_or(0));
    let mut before = iv.to_vec();
    for block in bytes.chunks_exact_mut(size) {
        block
            .iter_mut()
            .zip(&before)
            .for_each(|(byte, mask)| *byte ^= mask);
        if let Ok(block) = block.try_into() {
            cipher.encrypt_block(block);
        }
        before.copy_from_slice(block);
    }
    bytes
}

/// CBC with PKCS#7 padding, which is checked.
pub(super) fn decrypt_cbc<C: BlockCipherDecrypt + BlockSizeUser>(
    cipher: &C,
    iv: &[u8],
    ciphertext: &[u8],
) -> Result<Vec<u8>, Failure> {
    let size = C::block_size();
    if iv.len() != size || ciphertext.is_empty() || !ciphertext.len().is_multiple_of(size) {
        return Err(undecryptable());
    }
    let mut bytes = ciphertext.to_vec();
    let mut before = iv;
    for (block, original) in bytes
        .chunks_exact_mut(size)
        .zip(ciphertext.chunks_exact(size))
    {
        if let Ok(block) = (&mut *block).try_into() {
            cipher.decrypt_block(block);
        }
        block
            .iter_mut()
            .zip(before)
            .for_each(|(byte, mask)| *byte ^= mask);
        before = original;
    }
    let padding = usize::from(bytes.last().copied().unwrap_or(0));
    let kept = bytes
        .len()
        .checked_sub(padding)
        .filter(|_| (1..=size).contains(&padding));
    match kept {
        Some(kept)
            if bytes[kept..]
                .iter()
                .all(|byte| usize::from(*byte) == padding) =>
        {
            bytes.truncate(kept);
            Ok(bytes)
        }
        _ => Err(undecryptable()),
    }
}

fn rsa_decrypt(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (scheme, hash) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
    match scheme {
        b"None" => return Ok(a[2].clone()),
        b"RSA-OAEP" => {}
        _ => return Err(Failure::new("the decryption scheme is not supported")),
    }
    let algorithm: &'static OaepAlgorithm = match hash {
        b"SHA1" => &OAEP_SHA1_MGF1SHA1,
        b"SHA512" => &OAEP_SHA512_MGF1SHA512,
        _ => &OAEP_SHA256_MGF1SHA256,
    };
    let parsed = PrivateKey::from_any_pem(call.string(a, 3)?.bytes())?;
    if !matches!(parsed, PrivateKey::Rsa(_)) {
        return Err(Failure::new("could not parse RSA private key"));
    }
    let failed = || Failure::new("error decrypting data with RSA");
    let key = PrivateDecryptingKey::from_pkcs8(&parsed.pkcs8())
        .map_err(|_| Failure::new("the RSA key cannot be used: it must have 2048 to 8192 bits"))?;
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| failed())?;
    call.budget.slow_call()?;
    let mut plaintext = vec![0; key.min_output_size()];
    let decrypted = key.decrypt(algorithm, call.string(a, 2)?.bytes(), &mut plaintext, None);
    let plaintext = decrypted.map_err(|_| failed())?.to_vec();
    call.made(plaintext)
}
