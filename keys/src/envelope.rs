//! One sealed value: its layout, how it is made, and how one key opens it.

use aes_gcm::aead::consts::U12;
use aes_gcm::aes::Aes192;
use aes_gcm::{AeadInOut, Aes128Gcm, Aes256Gcm, AesGcm, KeyInit as _, Nonce, Tag};
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;
use rand::TryRng as _;
use zeroize::Zeroizing;

use crate::{Label, PrivateKey, PublicKey, SecretBytes};

/// The longest plaintext that is sealed or opened. The API server takes no object above about
/// 3 MiB, and no Secret above 1 MiB; the rest is room for bring-your-own stores.
pub const MAX_PLAINTEXT_BYTES: usize = 8 << 20;

/// Seals one value: the item as bytes, before base64.
///
/// # Errors
///
/// [`SealError::TooLong`] above [`MAX_PLAINTEXT_BYTES`], and [`SealError::Random`] or
/// [`SealError::Encrypt`] when the system or the key fails.
pub fn seal(key: &PublicKey, label: &Label, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > MAX_PLAINTEXT_BYTES {
        return Err(SealError::TooLong(plaintext.len()));
    }
    let mut session_key = Zeroizing::new([0; SESSION_KEY_BYTES]);
    rand::rngs::SysRng
        .try_fill_bytes(session_key.as_mut())
        .map_err(|_| SealError::Random)?;

    let rsa_bytes = key.modulus_bytes();
    let rsa_length = u16::try_from(rsa_bytes).map_err(|_| SealError::Encrypt)?;
    let message_start = LENGTH_BYTES + rsa_bytes;
    let mut item = Vec::with_capacity(message_start + plaintext.len() + TAG_BYTES);
    item.extend_from_slice(&rsa_length.to_be_bytes());
    item.resize(message_start, 0);
    key.encrypting()
        .encrypt(
            &OAEP_SHA256_MGF1SHA256,
            session_key.as_ref(),
            &mut item[LENGTH_BYTES..],
            Some(label.as_bytes()),
        )
        .map_err(|_| SealError::Encrypt)?;

    item.extend_from_slice(plaintext);
    let tag = Aes256Gcm::new_from_slice(session_key.as_ref())
        .map_err(|_| SealError::Encrypt)?
        .encrypt_inout_detached(&zero_nonce(), &[], (&mut item[message_start..]).into())
        .map_err(|_| SealError::Encrypt)?;
    item.extend_from_slice(&tag);
    Ok(item)
}

/// Why a value could not be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The public key refused to encrypt.
    #[error("the public key cannot encrypt")]
    Encrypt,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The value is longer than a Secret can be.
    #[error("the value is too long to be sealed ({0} bytes, at most {MAX_PLAINTEXT_BYTES})")]
    TooLong(usize),
}

/// What an item shows to anybody: the size in bits of the key that it was sealed with, and the length
/// of what was sealed. `None` when it is too short to be one.
#[must_use]
pub fn sealed_sizes(item: &[u8]) -> Option<(usize, usize)> {
    let parts = split(item).ok()?;
    Some((parts.rsa.len() * 8, parts.message.len()))
}

/// The two parts of an item.
pub(crate) struct Parts<'a> {
    pub(crate) rsa: &'a [u8],
    pub(crate) message: &'a [u8],
    pub(crate) tag: &'a [u8],
}

/// Why bytes are no item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    TooShort,
    TooLong,
}

/// Takes an item apart. What the length field claims is compared with what is there.
pub(crate) fn split(item: &[u8]) -> Result<Parts<'_>, Malformed> {
    if item.len() > LENGTH_BYTES + usize::from(u16::MAX) + MAX_PLAINTEXT_BYTES + TAG_BYTES {
        return Err(Malformed::TooLong);
    }
    let (length, rest) = item
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or(Malformed::TooShort)?;
    let rsa_bytes = usize::from(u16::from_be_bytes(*length));
    let (rsa, rest) = rest
        .split_at_checked(rsa_bytes)
        .ok_or(Malformed::TooShort)?;
    let (message, tag) = rest
        .split_last_chunk::<TAG_BYTES>()
        .ok_or(Malformed::TooShort)?;
    Ok(Parts { rsa, message, tag })
}

/// Opens an item with one key: one RSA operation and one decryption, whatever is wrong. Neither the
/// answer nor the way to it tells why it failed: an item whose RSA part does not open is decrypted
/// with a key drawn for it, so that a wrong label, a wrong padding and a wrong tag cost the same.
pub(crate) fn open(key: &PrivateKey, label: &Label, parts: &Parts<'_>) -> Option<SecretBytes> {
    let mut buffer = Zeroizing::new(vec![0; key.decrypting().min_output_size()]);
    let mut decoy = Zeroizing::new([0; SESSION_KEY_BYTES]);
    rand::rngs::SysRng.try_fill_bytes(decoy.as_mut()).ok()?;
    let decrypted = key.decrypting().decrypt(
        &OAEP_SHA256_MGF1SHA256,
        parts.rsa,
        &mut buffer,
        Some(label.as_bytes()),
    );
    let (session_key, is_real) = match &decrypted {
        Ok(session_key) if SESSION_KEY_SIZES.contains(&session_key.len()) => (&**session_key, true),
        _ => (decoy.as_slice(), false),
    };
    let plaintext = decrypt_with(session_key, parts);
    // Nobody knows the decoy, but that it opens nothing must not rest on that.
    plaintext.filter(|_| is_real)
}

/// The encoder always draws 32 bytes, but Go's aes.NewCipher takes the other two as well, so an item
/// made by somebody else's sealer opens here when it opens there.
fn decrypt_with(session_key: &[u8], parts: &Parts<'_>) -> Option<SecretBytes> {
    match session_key.len() {
        16 => decrypt(&Aes128Gcm::new_from_slice(session_key).ok()?, parts),
        24 => decrypt(
            &AesGcm::<Aes192, U12>::new_from_slice(session_key).ok()?,
            parts,
        ),
        32 => decrypt(&Aes256Gcm::new_from_slice(session_key).ok()?, parts),
        _ => None,
    }
}

const SESSION_KEY_SIZES: [usize; 3] = [16, 24, 32];
const SESSION_KEY_BYTES: usize = 32;
const LENGTH_BYTES: usize = 2;
const TAG_BYTES: usize = 16;

/// The nonce of the format. A nonce may not be used twice with one key; here no key is used twice,
/// since each item has a session key of its own, so a fixed nonce is safe.
fn zero_nonce() -> Nonce<U12> {
    Nonce::default()
}

fn decrypt<C>(cipher: &C, parts: &Parts<'_>) -> Option<SecretBytes>
where
    C: AeadInOut<NonceSize = U12, TagSize = aes_gcm::aead::consts::U16>,
{
    let tag = Tag::try_from(parts.tag).ok()?;
    let mut plaintext = Zeroizing::new(parts.message.to_vec());
    cipher
        .decrypt_inout_detached(&zero_nonce(), &[], plaintext.as_mut_slice().into(), &tag)
        .ok()?;
    Some(SecretBytes::new(std::mem::take(&mut *plaintext)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_taken_apart_by_its_length_field() {
        let mut item = vec![0, 3, 1, 2, 3, 9];
        item.extend_from_slice(&[7; TAG_BYTES]);
        let parts = split(&item).ok().unwrap();
        assert_eq!((parts.rsa, parts.message), (&[1, 2, 3][..], &[9][..]));
        assert_eq!(parts.tag, [7; TAG_BYTES]);
    }

    #[test]
    fn a_length_field_that_reaches_beyond_the_end_is_too_short() {
        for item in [&[][..], &[0], &[0, 1], &[255, 255, 0], &[0, 0, 1, 2, 3]] {
            assert_eq!(split(item).err(), Some(Malformed::TooShort));
        }
    }
}
