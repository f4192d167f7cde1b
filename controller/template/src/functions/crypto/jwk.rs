//! `jwkPublicKeyPem` and `jwkPrivateKeyPem` of external-secrets (`jwk.go`).

use rsa::pkcs1::EncodeRsaPrivateKey as _;
use rsa::{BoxedUint, RsaPrivateKey};

use super::der::{NULL_ELEMENT, algorithm, bits, object, sequence, unsigned};
use super::pem;
use super::private_key::{Curve, EC, ED25519, PrivateKey, RSA};
use crate::functions::encoding::decode64;
use crate::functions::function::Incumbent;
use crate::functions::json_read;
use crate::functions::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Map, Value};

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("jwkPublicKeyPem", &[Str], None, |call, a| {
        let key = Jwk::parse(call, a)?;
        if key.has("d") {
            // Go's MarshalPKIXPublicKey takes public keys only.
            return Err(Failure::new(
                "x509: unsupported public key type: the JWK is a private key",
            ));
        }
        call.made(pem::encode("PUBLIC KEY", &key.public()?))
    })
    .only(Incumbent::ExternalSecrets),
    function("jwkPrivateKeyPem", &[Str], None, |call, a| {
        let key = Jwk::parse(call, a)?;
        if !key.has("d") {
            return Err(Failure::new(
                "x509: unknown key type: the JWK is no private key",
            ));
        }
        call.budget.slow_call()?;
        call.made(pem::encode("PRIVATE KEY", &key.private()?.pkcs8()))
    })
    .only(Incumbent::ExternalSecrets),
];

struct Jwk(Map);

impl Jwk {
    fn parse(call: &Call<'_>, a: &[Value]) -> Result<Self, Failure> {
        match json_read::parse(call.string(a, 0)?.bytes(), call.budget) {
            Ok(Value::Map(map)) => Ok(Self(map)),
            Err(exceeded @ Failure::Exceeded(_)) => Err(exceeded),
            _ => Err(Failure::new("failed to parse the JWK")),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.get(name.as_bytes()).is_some()
    }

    fn text(&self, name: &str) -> Vec<u8> {
        match self.0.get(name.as_bytes()) {
            Some(Value::String(text)) => text.bytes().to_vec(),
            _ => Vec::new(),
        }
    }

    /// A field in base64 for URLs.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, Failure> {
        let mut text = self.text(name);
        for byte in &mut text {
            match *byte {
                b'-' => *byte = b'+',
                b'_' => *byte = b'/',
                _ => {}
            }
        }
        while text.ends_with(b"=") {
            text.pop();
        }
        while !text.len().is_multiple_of(4) {
            text.push(b'=');
        }
        decode64(&text)
            .ok()
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= LONGEST)
            .ok_or_else(|| {
                Failure::new(format!(
                    "the field {name} of the JWK is missing or malformed"
                ))
            })
    }

    fn curve(&self) -> Result<Curve, Failure> {
        match self.text("crv").as_slice() {
            b"P-256" => Ok(Curve::P256),
            b"P-384" => Ok(Curve::P384),
            b"P-521" => Ok(Curve::P521),
            _ => Err(Failure::new("the curve of the JWK is not supported")),
        }
    }

    /// Coordinates have a fixed length.
    fn point(&self, curve: Curve) -> Result<Vec<u8>, Failure> {
        let mut point = vec![4];
        for name in ["x", "y"] {
            let bytes = self.bytes(name)?;
            let missing = curve.length().checked_sub(bytes.len());
            let missing =
                missing.ok_or_else(|| Failure::new("a coordinate of the JWK is too long"))?;
            point.resize(point.len() + missing, 0);
            point.extend_from_slice(&bytes);
        }
        Ok(point)
    }

    /// `x509.MarshalPKIXPublicKey`.
    fn public(&self) -> Result<Vec<u8>, Failure> {
        Ok(match self.text("kty").as_slice() {
            b"RSA" => {
                let key = sequence(&[&unsigned(&self.bytes("n")?), &unsigned(&self.bytes("e")?)]);
                sequence(&[&algorithm(RSA, &NULL_ELEMENT), &bits(&key)])
            }
            b"EC" => {
                let curve = self.curve()?;
                sequence(&[
                    &algorithm(EC, &object(curve.identifier())),
                    &bits(&self.point(curve)?),
                ])
            }
            b"OKP" if self.text("crv") == b"Ed25519" => {
                sequence(&[&algorithm(ED25519, &[]), &bits(&self.bytes("x")?)])
            }
            _ => return Err(unsupported()),
        })
    }

    fn private(&self) -> Result<PrivateKey, Failure> {
        match self.text("kty").as_slice() {
            b"RSA" => {
                let number = |name: &str| {
                    let bytes = self.bytes(name)?;
                    let bits = u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX);
                    BoxedUint::from_be_slice(&bytes, bits)
                        .map_err(|_| Failure::new("a number of the JWK is malformed"))
                };
                let primes = vec![number("p")?, number("q")?];
                let inconsistent = || Failure::new("the numbers of the JWK do not make an RSA key");
                let key = RsaPrivateKey::from_components(
                    number("n")?,
                    number("e")?,
                    number("d")?,
                    primes,
                )
                .map_err(|_| inconsistent())?;
                let der = key.to_pkcs1_der().map_err(|_| inconsistent())?;
                PrivateKey::from_pkcs1(der.as_bytes())
            }
            b"EC" => PrivateKey::from_scalar(self.curve()?, &self.bytes("d")?),
            b"OKP" if self.text("crv") == b"Ed25519" => PrivateKey::from_seed(&self.bytes("d")?),
            _ => Err(unsupported()),
        }
    }
}

fn unsupported() -> Failure {
    Failure::new("the type of the JWK is not supported: it must be RSA, EC or OKP with Ed25519")
}

/// An RSA modulus of 16384 bits.
const LONGEST: usize = 2048;
