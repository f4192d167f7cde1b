//! New keys and certificates (`crypto.go` of sprig). Each is another one at every render.

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rsa::KeySize;
use rand::RngExt as _;

use super::certificate::Certificate;
use super::der::{
    GENERALIZED_TIME, UTC_TIME, bits, context, element, number, object, octets, sequence, unsigned,
};
use super::private_key::{NO_DSA, PrivateKey};
use super::{name, pem};
use crate::functions::encoding::decode64;
use crate::functions::{Call, Function, Time, Type, function, layout};
use crate::run::Failure;
use crate::value::{self, Text, Value};

use Type::{Anys, Certificate as Issued, Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("genPrivateKey", &[Str], None, |call, a| {
        let kind = call.string(a, 0)?.bytes();
        call.budget.slow_call()?;
        let key = match kind {
            b"" | b"rsa" => PrivateKey::generate_rsa(KeySize::Rsa4096)?,
            b"ecdsa" => PrivateKey::generate_p256()?,
            b"ed25519" => PrivateKey::generate_ed25519()?,
            b"dsa" => return Err(Failure::new(NO_DSA)),
            other => return call.made([b"Unknown type ", other].concat()),
        };
        call.made(key.pem())
    }),
    function("buildCustomCert", &[Str, Str], None, |call, a| {
        let decoded = |at: usize, what: &str| {
            decode64(call.string(a, at)?.bytes())
                .map_err(|_| Failure::new(format!("unable to decode base64 {what}")))
        };
        let (cert, key) = (decoded(0, "certificate")?, decoded(1, "private key")?);
        first_certificate(&cert)?;
        PrivateKey::from_labelled_pem(&key)?;
        Ok(issued(cert, key))
    }),
    function("genCA", &[Str, Int], None, |call, a| {
        authority(
            call,
            a,
            PrivateKey::generate_rsa(slow(call, KeySize::Rsa2048)?)?,
        )
    }),
    function("genCAWithKey", &[Str, Int, Str], None, |call, a| {
        authority(
            call,
            a,
            PrivateKey::from_labelled_pem(call.string(a, 2)?.bytes())?,
        )
    }),
    function(
        "genSelfSignedCert",
        &[Str, Anys, Anys, Int],
        None,
        |call, a| {
            self_signed(
                call,
                a,
                PrivateKey::generate_rsa(slow(call, KeySize::Rsa2048)?)?,
            )
        },
    ),
    function(
        "genSelfSignedCertWithKey",
        &[Str, Anys, Anys, Int, Str],
        None,
        |call, a| {
            self_signed(
                call,
                a,
                PrivateKey::from_labelled_pem(call.string(a, 4)?.bytes())?,
            )
        },
    ),
    function(
        "genSignedCert",
        &[Str, Anys, Anys, Int, Issued],
        None,
        |call, a| {
            signed(
                call,
                a,
                PrivateKey::generate_rsa(slow(call, KeySize::Rsa2048)?)?,
            )
        },
    ),
    function(
        "genSignedCertWithKey",
        &[Str, Anys, Anys, Int, Issued, Str],
        None,
        |call, a| {
            signed(
                call,
                a,
                PrivateKey::from_labelled_pem(call.string(a, 5)?.bytes())?,
            )
        },
    ),
];

/// A size of key that takes long to make.
fn slow(call: &Call<'_>, size: KeySize) -> Result<KeySize, Failure> {
    call.budget.slow_call().map(|()| size)
}

fn issued(cert: Vec<u8>, key: Vec<u8>) -> Value {
    Value::Certificate(Rc::new(value::Certificate {
        cert: Text::new(cert),
        key: Text::new(key),
    }))
}

fn first_certificate(text: &[u8]) -> Result<Certificate, Failure> {
    let (block, _) =
        pem::decode(text).ok_or_else(|| Failure::new("unable to decode certificate"))?;
    Certificate::from_der(&block.bytes)
}

/// What is to be certified.
struct Request {
    subject: Vec<u8>,
    names: Vec<Vec<u8>>,
    days: i64,
    authority: bool,
}

/// Who signs.
struct Issuer<'k> {
    subject: Vec<u8>,
    key_identifier: Option<Vec<u8>>,
    key: &'k PrivateKey,
}

fn authority(call: &Call<'_>, a: &[Value], key: PrivateKey) -> Result<Value, Failure> {
    let subject = name::common(&call.string(a, 0)?.lossy());
    let request = Request {
        subject: subject.clone(),
        names: Vec::new(),
        days: call.int(a, 1)?,
        authority: true,
    };
    let issuer = Issuer {
        subject,
        key_identifier: None,
        key: &key,
    };
    certified(call, &request, &key, &issuer)
}

fn request(call: &Call<'_>, a: &[Value]) -> Result<Request, Failure> {
    let mut names = Vec::new();
    for item in anys(call, a, 2)? {
        let Value::String(text) = item else {
            return Err(Failure::new(
                "error processing alternate dns name: it is not a string",
            ));
        };
        names.push(element(0x82, text.bytes()));
    }
    for item in anys(call, a, 1)? {
        let Value::String(text) = item else {
            return Err(Failure::new("error parsing ip: it is not a string"));
        };
        let address: IpAddr = text
            .lossy()
            .parse()
            .map_err(|_| Failure::new("error parsing ip: it is no address"))?;
        names.push(match address {
            IpAddr::V4(four) => element(0x87, &four.octets()),
            IpAddr::V6(six) => element(0x87, &six.octets()),
        });
    }
    let subject = name::common(&call.string(a, 0)?.lossy());
    Ok(Request {
        subject,
        names,
        days: call.int(a, 3)?,
        authority: false,
    })
}

fn anys<'v>(call: &Call<'_>, a: &'v [Value], at: usize) -> Result<&'v [Value], Failure> {
    if a.get(at).is_some_and(Value::is_nil) {
        return Ok(&[]);
    }
    let items = call.list(a, at)?.items();
    call.budget.step(items.len() as u64)?;
    Ok(items)
}

fn self_signed(call: &Call<'_>, a: &[Value], key: PrivateKey) -> Result<Value, Failure> {
    let request = request(call, a)?;
    let issuer = Issuer {
        subject: request.subject.clone(),
        key_identifier: None,
        key: &key,
    };
    certified(call, &request, &key, &issuer)
}

fn signed(call: &Call<'_>, a: &[Value], key: PrivateKey) -> Result<Value, Failure> {
    let Some(Value::Certificate(parent)) = a.get(4) else {
        return Err(Failure::new(
            "wrong type for value; expected sprig.certificate",
        ));
    };
    let certificate = first_certificate(parent.cert.bytes())?;
    let signer = PrivateKey::from_labelled_pem(parent.key.bytes())?;
    let request = request(call, a)?;
    let same_name = certificate.subject == request.subject;
    let issuer = Issuer {
        key_identifier: certificate.subject_key.clone().filter(|_| !same_name),
        subject: certificate.subject,
        key: &signer,
    };
    certified(call, &request, &key, &issuer)
}

/// `x509.CreateCertificate` with the template of sprig.
fn certified(
    call: &Call<'_>,
    request: &Request,
    key: &PrivateKey,
    issuer: &Issuer<'_>,
) -> Result<Value, Failure> {
    let (public, public_bits) = key.public()?;
    let serial: [u8; 16] = rand::rng().random();
    let body = sequence(&[
        &element(context(0), &number(2)),
        &unsigned(&serial),
        &issuer.key.signature_algorithm(),
        &issuer.subject,
        &validity(request.days)?,
        &request.subject,
        &public,
        &element(context(3), &extensions(request, issuer, &public_bits)),
    ]);
    let signature = issuer.key.sign(&body)?;
    let der = sequence(&[&body, &issuer.key.signature_algorithm(), &bits(&signature)]);
    let (cert, key) = (pem::encode("CERTIFICATE", &der), key.pem());
    call.budget.allocate(cert.len() + key.len())?;
    Ok(issued(cert, key))
}

fn validity(days: i64) -> Result<Vec<u8>, Failure> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let now = i64::try_from(now).unwrap_or(0);
    let end = days
        .checked_mul(86_400)
        .and_then(|seconds| now.checked_add(seconds));
    let end = end.filter(|end| (0..=LAST_SECOND).contains(end));
    let end = end.ok_or_else(|| {
        Failure::new("the certificate would end outside of the years 1970 to 9999")
    })?;
    Ok(sequence(&[&instant(now), &instant(end)]))
}

/// The end of the year 9999.
const LAST_SECOND: i64 = 253_402_300_799;

fn instant(seconds: i64) -> Vec<u8> {
    let time = Time::at(seconds, 0);
    if (1950..2050).contains(&time.civil().year) {
        element(
            UTC_TIME,
            layout::formatted(&time, "060102150405Z").as_bytes(),
        )
    } else {
        element(
            GENERALIZED_TIME,
            layout::formatted(&time, "20060102150405Z").as_bytes(),
        )
    }
}

fn extensions(request: &Request, issuer: &Issuer<'_>, public: &[u8]) -> Vec<u8> {
    const CRITICAL: &[u8] = &[1, 1, 0xff];
    let extension = |last: u8, critical: &[u8], value: &[u8]| {
        sequence(&[&object(&[0x55, 0x1d, last]), critical, &octets(value)])
    };
    // Digital signature and key encipherment; for an authority certificate signing too.
    let usage: &[u8] = if request.authority {
        &[3, 2, 2, 0xa4]
    } else {
        &[3, 2, 5, 0xa0]
    };
    let purpose = |last: u8| object(&[0x2b, 6, 1, 5, 5, 7, 3, last]);
    let constraints = sequence(&[if request.authority { CRITICAL } else { &[] }]);
    let mut all = vec![
        extension(15, CRITICAL, usage),
        extension(37, &[], &sequence(&[&purpose(1), &purpose(2)])),
        extension(19, CRITICAL, &constraints),
    ];
    if request.authority {
        let identifier = digest(&SHA1_FOR_LEGACY_USE_ONLY, public);
        all.push(extension(14, &[], &octets(identifier.as_ref())));
    }
    if let Some(identifier) = &issuer.key_identifier {
        all.push(extension(35, &[], &sequence(&[&element(0x80, identifier)])));
    }
    if !request.names.is_empty() {
        let names = element(0x30, &request.names.concat());
        let critical: &[u8] = if request.subject.len() == 2 {
            CRITICAL
        } else {
            &[]
        };
        all.push(extension(17, critical, &names));
    }
    element(0x30, &all.concat())
}
