//! The half of a key that opens.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, PrivateDecryptingKey};
use der::Encode as _;
use der::asn1::OctetStringRef;
use rsa::pkcs8::PrivateKeyInfoRef;
use zeroize::Zeroizing;

use crate::{KeyError, PublicKey, SecretBytes, pem};

/// The sizes that a new key may have. Keys that were made elsewhere may have any size from 2048 to
/// 8192 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeySize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits, the default of the incumbent.
    #[default]
    Bits4096,
    /// 8192 bits. Opening is about eight times as slow as with 4096.
    Bits8192,
}

impl KeySize {
    /// The size with this number of bits, if new keys may have it.
    #[must_use]
    pub fn from_bits(bits: usize) -> Option<Self> {
        match bits {
            2048 => Some(Self::Bits2048),
            3072 => Some(Self::Bits3072),
            4096 => Some(Self::Bits4096),
            8192 => Some(Self::Bits8192),
            _ => None,
        }
    }

    fn for_aws_lc(self) -> aws_lc_rs::rsa::KeySize {
        match self {
            Self::Bits2048 => aws_lc_rs::rsa::KeySize::Rsa2048,
            Self::Bits3072 => aws_lc_rs::rsa::KeySize::Rsa3072,
            Self::Bits4096 => aws_lc_rs::rsa::KeySize::Rsa4096,
            Self::Bits8192 => aws_lc_rs::rsa::KeySize::Rsa8192,
        }
    }
}

/// An RSA private key of 2048 to 8192 bits. It has neither `Debug` nor `Clone`.
pub struct PrivateKey {
    decrypting: OaepPrivateDecryptingKey,
    public: PublicKey,
    pkcs1: SecretBytes,
}

impl PrivateKey {
    /// Makes a new one. 4096 bits take about half a second, 8192 many seconds.
    ///
    /// # Errors
    ///
    /// [`KeyError::Make`] when the system gives no random numbers.
    pub fn generate(size: KeySize) -> Result<Self, KeyError> {
        let key = PrivateDecryptingKey::generate(size.for_aws_lc())
            .map_err(|_| KeyError::Make("RSA key generation failed".to_owned()))?;
        let pkcs8: Pkcs8V1Der<'static> = key
            .as_der()
            .map_err(|_| KeyError::Make("the new RSA key cannot be encoded".to_owned()))?;
        let pkcs1 = pkcs1_in(pkcs8.as_ref())?;
        Self::new(key, pkcs1)
    }

    /// Reads the first RSA key of a PEM text: PKCS#1 (`RSA PRIVATE KEY`) or PKCS#8 (`PRIVATE KEY`).
    /// Other blocks are skipped, as client-go's `keyutil.ParsePrivateKeyPEM` does.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says which of these it is: no key, another kind of key, an encrypted one,
    /// or one that cannot be used.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        for block in pem::blocks(text)? {
            match block.label {
                "RSA PRIVATE KEY" if block.has_headers => return Err(KeyError::Encrypted),
                "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
                "RSA PRIVATE KEY" => return Self::from_pkcs1(block.data),
                "PRIVATE KEY" => return Self::from_pkcs1(pkcs1_in(block.data.expose())?),
                "EC PRIVATE KEY" => return Err(KeyError::NotRsaPrivateKey),
                _ => {}
            }
        }
        Err(KeyError::NoPrivateKey)
    }

    /// Writes the key as PKCS#1 in PEM, the form of `tls.key` in the incumbent's key Secrets
    /// (`keyutil.MarshalPrivateKeyToPEM`).
    #[must_use]
    pub fn to_pem(&self) -> SecretBytes {
        pem::write("RSA PRIVATE KEY", self.pkcs1.expose())
    }

    /// The half that seals.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn decrypting(&self) -> &OaepPrivateDecryptingKey {
        &self.decrypting
    }

    pub(crate) fn pkcs1(&self) -> &[u8] {
        self.pkcs1.expose()
    }

    fn from_pkcs1(pkcs1: SecretBytes) -> Result<Self, KeyError> {
        let inner = OctetStringRef::new(pkcs1.expose()).map_err(|_| KeyError::PrivateKey)?;
        let info = PrivateKeyInfoRef::new(rsa::pkcs1::ALGORITHM_ID, inner);
        let pkcs8 = Zeroizing::new(info.to_der().map_err(|_| KeyError::PrivateKey)?);
        let key = PrivateDecryptingKey::from_pkcs8(&pkcs8).map_err(|_| KeyError::PrivateKey)?;
        Self::new(key, pkcs1)
    }

    fn new(key: PrivateDecryptingKey, pkcs1: SecretBytes) -> Result<Self, KeyError> {
        let spki: PublicKeyX509Der<'static> = key
            .public_key()
            .as_der()
            .map_err(|_| KeyError::PrivateKey)?;
        let public = PublicKey::from_spki(spki.as_ref())?;
        let decrypting = OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::PrivateKey)?;
        Ok(Self {
            decrypting,
            public,
            pkcs1,
        })
    }
}

/// The PKCS#1 key inside a PKCS#8 one.
fn pkcs1_in(pkcs8: &[u8]) -> Result<SecretBytes, KeyError> {
    let info = PrivateKeyInfoRef::try_from(pkcs8).map_err(|_| KeyError::PrivateKey)?;
    if info.algorithm.oid != rsa::pkcs1::ALGORITHM_OID {
        return Err(KeyError::NotRsaPrivateKey);
    }
    Ok(SecretBytes::new(info.private_key.as_bytes().to_vec()))
}
