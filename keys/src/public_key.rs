//! The half of a key that seals.

use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use rsa::pkcs1::RsaPublicKeyRef;
use spki::SubjectPublicKeyInfoRef;

use crate::{Fingerprint, KeyError};

/// An RSA public key of 2048 to 8192 bits, ready to seal with.
pub struct PublicKey {
    encrypting: OaepPublicEncryptingKey,
    modulus: Vec<u8>,
    fingerprint: Fingerprint,
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotRsaPublicKey`] for another algorithm, [`KeyError::PublicKey`] for a key that is
    /// malformed or of a size that cannot be used.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| KeyError::PublicKey)?;
        if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
            return Err(KeyError::NotRsaPublicKey(info.algorithm.oid.to_string()));
        }
        let numbers = info
            .subject_public_key
            .as_bytes()
            .ok_or(KeyError::PublicKey)?;
        let numbers = RsaPublicKeyRef::try_from(numbers).map_err(|_| KeyError::PublicKey)?;
        let encrypting = PublicEncryptingKey::from_der(der)
            .ok()
            .and_then(|key| OaepPublicEncryptingKey::new(key).ok())
            .ok_or(KeyError::PublicKey)?;
        let modulus = numbers.modulus.as_bytes().to_vec();
        let fingerprint = Fingerprint::of(&modulus, numbers.public_exponent.as_bytes());
        Ok(Self {
            encrypting,
            modulus,
            fingerprint,
        })
    }

    /// The key's name.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The size of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.encrypting.key_size_bits()
    }

    /// The size of the modulus in bytes, which is that of every RSA ciphertext made with the key.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.modulus.len()
    }

    /// Whether this key may have made the RSA part of an item. `false` is a proof that it did not:
    /// the length differs, or the number is not below the modulus. `true` proves nothing.
    #[must_use]
    pub fn may_have_sealed(&self, item: &[u8]) -> bool {
        crate::envelope::split(item).is_ok_and(|parts| self.may_have_encrypted(parts.rsa))
    }

    pub(crate) fn may_have_encrypted(&self, rsa_ciphertext: &[u8]) -> bool {
        rsa_ciphertext.len() == self.modulus.len() && rsa_ciphertext < self.modulus.as_slice()
    }

    pub(crate) fn encrypting(&self) -> &OaepPublicEncryptingKey {
        &self.encrypting
    }
}
