//! The certificate that a public key is published in.

use std::time::{Duration, SystemTime};

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use der::asn1::{BitString, ObjectIdentifier, OctetString};
use der::{Decode as _, Encode as _};
use rand::TryRng as _;
use sha2::{Digest as _, Sha256};
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, EncodePublicKey,
    SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder as _, CertificateBuilder};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::{TbsCertificate, time};

use crate::{KeyError, PrivateKey, PublicKey, pem};

/// From when to when a certificate may be used for sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first moment.
    pub not_before: SystemTime,
    /// The last moment.
    pub not_after: SystemTime,
}

impl Validity {
    /// From `start` for as long as `lifetime`.
    #[must_use]
    pub fn starting(start: SystemTime, lifetime: Duration) -> Self {
        Self {
            not_before: start,
            not_after: start.checked_add(lifetime).unwrap_or(start),
        }
    }
}

/// A certificate that holds an RSA key. Nobody checks its signature: who it is fetched from is what
/// is trusted, as with the incumbent.
pub struct Certificate {
    der: Vec<u8>,
    public_key: PublicKey,
    validity: Validity,
    common_name: String,
}

impl Certificate {
    /// Makes a self-signed certificate as the incumbent does (`SignKeyWithNotBefore` in
    /// `pkg/crypto/keys.go`): a random serial number below 2^128, key usage "encipher only", a
    /// certificate authority, and the common name as subject and issuer, which may be empty.
    ///
    /// # Errors
    ///
    /// [`KeyError::Make`] when the validity cannot be written in a certificate or the system gives no
    /// random numbers.
    pub fn self_signed(
        key: &PrivateKey,
        validity: Validity,
        common_name: &str,
    ) -> Result<Self, KeyError> {
        let signer = Signer::new(key)?;
        let mut builder = CertificateBuilder::new(
            SealingProfile {
                subject: subject(common_name)?,
            },
            serial_number()?,
            time::Validity::new(
                validity.not_before.try_into().map_err(cannot_make)?,
                validity.not_after.try_into().map_err(cannot_make)?,
            ),
            SubjectPublicKeyInfoOwned::from_der(&signer.spki).map_err(cannot_make)?,
        )
        .map_err(cannot_make)?;
        let to_be_signed = builder.finalize(&signer).map_err(cannot_make)?;
        let signature = signer.sign(&to_be_signed)?;
        let certificate = builder.assemble(signature, &signer).map_err(cannot_make)?;
        Self::from_der(certificate.to_der().map_err(cannot_make)?)
    }

    /// Reads the first certificate of a PEM text. Other blocks, and certificate blocks with PEM
    /// headers, are skipped, as client-go's `cert.ParseCertsPEM` does.
    ///
    /// # Errors
    ///
    /// A [`KeyError`] that says whether there is none, whether it cannot be read, or whether its key
    /// cannot be used.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        pem::blocks(text)?
            .into_iter()
            .find(|block| block.label == LABEL && !block.has_headers)
            .ok_or(KeyError::NoCertificate)
            .and_then(|block| Self::from_der(block.data.expose().to_vec()))
    }

    /// Writes it as PEM, in the form of `tls.crt` in a key Secret.
    #[must_use]
    pub fn to_pem(&self) -> String {
        String::from_utf8_lossy(pem::write(LABEL, &self.der).expose()).into_owned()
    }

    /// The key that it holds.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// When it may be used.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Whether its time has passed. That its time has begun is not asked, as in the incumbent
    /// (`ParseKey` in `pkg/kubeseal/kubeseal.go`).
    #[must_use]
    pub fn is_expired(&self, now: SystemTime) -> bool {
        now > self.validity.not_after
    }

    /// The common name of its subject, mostly empty.
    #[must_use]
    pub fn common_name(&self) -> &str {
        &self.common_name
    }

    fn from_der(der: Vec<u8>) -> Result<Self, KeyError> {
        let parsed = x509_cert::Certificate::from_der(&der).map_err(KeyError::Certificate)?;
        let content = parsed.tbs_certificate();
        let spki = content
            .subject_public_key_info()
            .to_der()
            .map_err(KeyError::Certificate)?;
        let public_key = PublicKey::from_spki(&spki)?;
        let validity = Validity {
            not_before: content.validity().not_before.to_system_time(),
            not_after: content.validity().not_after.to_system_time(),
        };
        let name = content.subject().common_name().ok().flatten();
        let common_name = name.map_or_else(String::new, |name| name.value().into_owned());
        Ok(Self {
            der,
            public_key,
            validity,
            common_name,
        })
    }
}

const LABEL: &str = "CERTIFICATE";
/// The incumbent draws a number below 2^128.
const SERIAL_NUMBER_BYTES: usize = 16;
/// Go 1.25 and later cut the SHA-256 of the key to this length (RFC 7093 section 2 method 1).
const KEY_IDENTIFIER_BYTES: usize = 20;
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");

fn cannot_make(error: impl std::fmt::Display) -> KeyError {
    KeyError::Make(error.to_string())
}

fn serial_number() -> Result<SerialNumber, KeyError> {
    let mut bytes = [0; SERIAL_NUMBER_BYTES];
    rand::rngs::SysRng
        .try_fill_bytes(&mut bytes)
        .map_err(cannot_make)?;
    SerialNumber::new(&bytes).map_err(cannot_make)
}

/// `CN=...` from any text. The value is given in the hexadecimal form of RFC 4514 section 2.4, which
/// needs no escapes.
fn subject(common_name: &str) -> Result<Name, KeyError> {
    if common_name.is_empty() {
        return Ok(Name::default());
    }
    let value = common_name.to_owned().to_der().map_err(cannot_make)?;
    let hex: String = value.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("CN=#{hex}").parse().map_err(cannot_make)
}

/// What the incumbent's template sets, in the order in which Go writes it.
struct SealingProfile {
    subject: Name,
}

impl BuilderProfile for SealingProfile {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        content: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let key_digest = Sha256::digest(key.subject_public_key.raw_bytes());
        let key_identifier = OctetString::new(&key_digest[..KEY_IDENTIFIER_BYTES])?;
        let subject = content.subject();
        Ok(vec![
            KeyUsage(KeyUsages::EncipherOnly.into()).to_extension(subject, &[])?,
            BasicConstraints {
                ca: true,
                path_len_constraint: None,
            }
            .to_extension(subject, &[])?,
            SubjectKeyIdentifier(key_identifier).to_extension(subject, &[])?,
        ])
    }
}

/// The private key in the shape that the certificate builder asks for.
struct Signer {
    pair: RsaKeyPair,
    spki: Vec<u8>,
}

impl Signer {
    fn new(key: &PrivateKey) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_der(key.pkcs1()).map_err(cannot_make)?;
        let spki: PublicKeyX509Der<'static> = pair.public_key().as_der().map_err(cannot_make)?;
        let spki = spki.as_ref().to_vec();
        Ok(Self { pair, spki })
    }

    fn sign(&self, message: &[u8]) -> Result<BitString, KeyError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(cannot_make)?;
        BitString::from_bytes(&signature).map_err(cannot_make)
    }
}

impl rsa::signature::Keypair for Signer {
    type VerifyingKey = EncodedPublicKey;

    fn verifying_key(&self) -> EncodedPublicKey {
        EncodedPublicKey(self.spki.clone())
    }
}

impl DynSignatureAlgorithmIdentifier for Signer {
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned {
            oid: SHA256_WITH_RSA,
            parameters: Some(der::Any::null()),
        })
    }
}

/// A `SubjectPublicKeyInfo` that is encoded already.
#[derive(Clone)]
struct EncodedPublicKey(Vec<u8>);

impl EncodePublicKey for EncodedPublicKey {
    fn to_public_key_der(&self) -> spki::Result<der::Document> {
        Ok(der::Document::try_from(self.0.as_slice())?)
    }
}
