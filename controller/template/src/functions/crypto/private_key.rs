//! Private keys in the encodings Go reads (PKCS#1, PKCS#8, SEC 1) and writes.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use zeroize::Zeroizing;

use super::der::{
    BIT_STRING, INTEGER, NULL_ELEMENT, OBJECT, OCTET_STRING, Reader, SEQUENCE, algorithm, bits,
    context, element, number, object, octets, only, sequence,
};
use super::pem;
use crate::run::Failure;

pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];

/// A named curve.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) fn identifier(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
            Self::P384 => &[0x2b, 0x81, 4, 0, 34],
            Self::P521 => &[0x2b, 0x81, 4, 0, 35],
        }
    }

    fn from_identifier(identifier: &[u8]) -> Result<Self, Failure> {
        [Self::P256, Self::P384, Self::P521]
            .into_iter()
            .find(|curve| curve.identifier() == identifier)
            .ok_or_else(|| Failure::new("x509: unknown elliptic curve"))
    }

    /// The length of a coordinate in bytes.
    pub(super) fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    /// ECDSA with the hash of this curve.
    fn signature_identifier(self) -> &'static [u8] {
        match self {
            Self::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            Self::P384 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
            Self::P521 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
        }
    }
}

/// A private key.
pub(super) enum PrivateKey {
    /// PKCS#1.
    Rsa(Zeroizing<Vec<u8>>),
    Ec {
        curve: Curve,
        scalar: Zeroizing<Vec<u8>>,
        point: Vec<u8>,
    },
    Ed25519 {
        seed: Zeroizing<Vec<u8>>,
        public: Vec<u8>,
    },
}

fn unusable() -> Failure {
    Failure::new("the private key cannot be used")
}

impl PrivateKey {
    pub(super) fn generate_rsa(size: aws_lc_rs::rsa::KeySize) -> Result<Self, Failure> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(size).map_err(|_| unusable())?;
        Self::from_pkcs8(pair.as_der().map_err(|_| unusable())?.as_ref())
    }

    pub(super) fn generate_p256() -> Result<Self, Failure> {
        let pair =
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(|_| unusable())?;
        Self::from_pkcs8(pair.to_pkcs8v1().map_err(|_| unusable())?.as_ref())
    }

    pub(super) fn generate_ed25519() -> Result<Self, Failure> {
        let pair = Ed25519KeyPair::generate().map_err(|_| unusable())?;
        Self::from_pkcs8(pair.to_pkcs8v1().map_err(|_| unusable())?.as_ref())
    }

    /// `x509.ParsePKCS1PrivateKey`: a version and eight numbers.
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, Failure> {
        let mut key = only(der, SEQUENCE)?;
        if key.small()? != 0 {
            return Err(Failure::new("x509: unsupported private key version"));
        }
        for _ in 0..8 {
            if key
                .expect(INTEGER)?
                .first()
                .is_none_or(|byte| byte & 0x80 != 0)
            {
                return Err(Failure::new(
                    "x509: private key contains zero or negative value",
                ));
            }
        }
        Ok(Self::Rsa(der.to_vec().into()))
    }

    /// `x509.ParsePKCS8PrivateKey`.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, Failure> {
        let mut outer = only(der, SEQUENCE)?;
        outer.small()?;
        let mut algorithm = outer.open(SEQUENCE)?;
        let identifier = algorithm.expect(OBJECT)?;
        let key = outer.expect(OCTET_STRING)?;
        match identifier {
            RSA => Self::from_pkcs1(key),
            EC => Self::from_sec1(
                key,
                Some(Curve::from_identifier(algorithm.expect(OBJECT)?)?),
            ),
            ED25519 => Self::from_seed(Reader::new(key).expect(OCTET_STRING)?),
            _ => Err(Failure::new(
                "x509: PKCS#8 wrapping contained private key with unknown algorithm",
            )),
        }
    }

    /// `x509.ParseECPrivateKey`.
    pub(super) fn from_sec1(der: &[u8], curve: Option<Curve>) -> Result<Self, Failure> {
        let mut key = only(der, SEQUENCE)?;
        if key.small()? != 1 {
            return Err(Failure::new("x509: unknown EC private key version"));
        }
        let scalar = key.expect(OCTET_STRING)?;
        let named = match key.optional(context(0))? {
            Some(inner) => Some(Curve::from_identifier(Reader::new(inner).expect(OBJECT)?)?),
            None => None,
        };
        let curve = curve
            .or(named)
            .ok_or_else(|| Failure::new("x509: unknown elliptic curve"))?;
        Self::from_scalar(curve, scalar)
    }

    /// The public point is computed.
    pub(super) fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self, Failure> {
        let start = scalar
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(scalar.len());
        let significant = &scalar[start..];
        let missing = curve
            .length()
            .checked_sub(significant.len())
            .ok_or_else(unusable)?;
        let scalar = Zeroizing::new([vec![0; missing].as_slice(), significant].concat());
        let der = Zeroizing::new(sec1(curve, &scalar, None, true));
        let pair =
            EcdsaKeyPair::from_private_key_der(curve.signing(), &der).map_err(|_| unusable())?;
        Ok(Self::Ec {
            curve,
            scalar,
            point: pair.public_key().as_ref().to_vec(),
        })
    }

    pub(super) fn from_seed(seed: &[u8]) -> Result<Self, Failure> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| unusable())?;
        Ok(Self::Ed25519 {
            seed: seed.to_vec().into(),
            public: pair.public_key().as_ref().to_vec(),
        })
    }

    /// The key in a PEM block, by its label (`parsePrivateKeyPEM` of sprig).
    pub(super) fn from_labelled_pem(text: &[u8]) -> Result<Self, Failure> {
        let (block, _) = pem::decode(text).ok_or_else(|| Failure::new("no PEM data in input"))?;
        match block.label.as_slice() {
            b"PRIVATE KEY" => Self::from_pkcs8(&block.bytes),
            b"RSA PRIVATE KEY" => Self::from_pkcs1(&block.bytes),
            b"EC PRIVATE KEY" => Self::from_sec1(&block.bytes, None),
            b"DSA PRIVATE KEY" => Err(Failure::new(NO_DSA)),
            _ => Err(Failure::new("no private key data in PEM block")),
        }
    }

    /// The key in a PEM block of whatever label (`parsePrivateKey` of external-secrets).
    pub(super) fn from_any_pem(text: &[u8]) -> Result<Self, Failure> {
        let (block, _) =
            pem::decode(text).ok_or_else(|| Failure::new("failed to decode PEM block"))?;
        Self::from_pkcs1(&block.bytes)
            .or_else(|_| Self::from_pkcs8(&block.bytes))
            .or_else(|_| Self::from_sec1(&block.bytes, None))
            .map_err(|_| Failure::new("unable to parse private key type"))
    }

    /// `x509.MarshalPKCS8PrivateKey`.
    pub(super) fn pkcs8(&self) -> Vec<u8> {
        let (algorithm, key) = match self {
            Self::Rsa(pkcs1) => (algorithm(RSA, &NULL_ELEMENT), pkcs1.to_vec()),
            Self::Ec {
                curve,
                scalar,
                point,
            } => (
                algorithm(EC, &object(curve.identifier())),
                sec1(*curve, scalar, Some(point), false),
            ),
            Self::Ed25519 { seed, .. } => (algorithm(ED25519, &[]), octets(seed)),
        };
        sequence(&[&number(0), &algorithm, &octets(&key)])
    }

    /// `pemBlockForKey` of sprig.
    pub(super) fn pem(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pkcs1) => pem::encode("RSA PRIVATE KEY", pkcs1),
            Self::Ec {
                curve,
                scalar,
                point,
            } => pem::encode("EC PRIVATE KEY", &sec1(*curve, scalar, Some(point), true)),
            Self::Ed25519 { .. } => pem::encode("PRIVATE KEY", &self.pkcs8()),
        }
    }

    /// The public half as it stands in a certificate, and its bits alone.
    pub(super) fn public(&self) -> Result<(Vec<u8>, Vec<u8>), Failure> {
        let (algorithm, key) = match self {
            Self::Rsa(pkcs1) => {
                let mut numbers = only(pkcs1, SEQUENCE)?;
                numbers.next()?;
                let (modulus, exponent) = (numbers.next()?, numbers.next()?);
                (
                    algorithm(RSA, &NULL_ELEMENT),
                    sequence(&[modulus.whole, exponent.whole]),
                )
            }
            Self::Ec { curve, point, .. } => {
                (algorithm(EC, &object(curve.identifier())), point.clone())
            }
            Self::Ed25519 { public, .. } => (algorithm(ED25519, &[]), public.clone()),
        };
        Ok((sequence(&[&algorithm, &bits(&key)]), key))
    }

    /// The algorithm of its signatures.
    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => algorithm(RSA_SHA256, &NULL_ELEMENT),
            Self::Ec { curve, .. } => algorithm(curve.signature_identifier(), &[]),
            Self::Ed25519 { .. } => algorithm(ED25519, &[]),
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pkcs1) => {
                let pair = RsaKeyPair::from_der(pkcs1).map_err(|_| unusable())?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| unusable())?;
                Ok(signature)
            }
            Self::Ec { curve, .. } => {
                let pair = EcdsaKeyPair::from_pkcs8(curve.signing(), &self.pkcs8())
                    .map_err(|_| unusable())?;
                Ok(pair
                    .sign(&random, message)
                    .map_err(|_| unusable())?
                    .as_ref()
                    .to_vec())
            }
            Self::Ed25519 { seed, .. } => {
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| unusable())?;
                Ok(pair.sign(message).as_ref().to_vec())
            }
        }
    }
}

pub(super) const NO_DSA: &str = "DSA keys are not supported: use rsa, ecdsa or ed25519";

/// `marshalECPrivateKeyWithOID`.
fn sec1(curve: Curve, scalar: &[u8], point: Option<&[u8]>, named: bool) -> Vec<u8> {
    let name = if named {
        element(context(0), &object(curve.identifier()))
    } else {
        Vec::new()
    };
    let public = point
        .map(|point| element(context(1), &bits(point)))
        .unwrap_or_default();
    sequence(&[&number(1), &octets(scalar), &name, &public])
}

/// Checks that a public key in a certificate is one.
pub(super) fn check_public(reader: &mut Reader<'_>) -> Result<(), Failure> {
    let mut key = reader.open(SEQUENCE)?;
    key.open(SEQUENCE)?.expect(OBJECT)?;
    key.expect(BIT_STRING).map(|_| ())
}
