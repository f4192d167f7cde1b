//! The keystore functions of external-secrets (`pkcs12.go`).

use super::certificate::{Certificate, chain};
use super::keystore::{self, Keystore};
use super::pem;
use super::pems::charged;
use super::private_key::PrivateKey;
use crate::functions::encoding::encode64;
use crate::functions::function::Incumbent::ExternalSecrets;
use crate::functions::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::Value;

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("pkcs12key", &[Str], None, |call, a| {
        key(call, charged(call, a, 0)?, "")
    })
    .only(ExternalSecrets),
    function("pkcs12keyPass", &[Str, Str], None, |call, a| {
        key(call, charged(call, a, 1)?, &password(call, a, 0)?)
    })
    .only(ExternalSecrets),
    function("pkcs12cert", &[Str], None, |call, a| {
        certificates(call, charged(call, a, 0)?, "")
    })
    .only(ExternalSecrets),
    function("pkcs12certPass", &[Str, Str], None, |call, a| {
        certificates(call, charged(call, a, 1)?, &password(call, a, 0)?)
    })
    .only(ExternalSecrets),
    function("pemToPkcs12", &[Str, Str], None, |call, a| {
        store(call, a, "", Chain::Leave)
    })
    .only(ExternalSecrets),
    function("pemToPkcs12Pass", &[Str, Str, Str], None, |call, a| {
        store(call, a, &password(call, a, 2)?, Chain::Leave)
    })
    .only(ExternalSecrets),
    function("fullPemToPkcs12", &[Str, Str], None, |call, a| {
        store(call, a, "", Chain::Take)
    })
    .only(ExternalSecrets),
    function("fullPemToPkcs12Pass", &[Str, Str, Str], None, |call, a| {
        store(call, a, &password(call, a, 2)?, Chain::Take)
    })
    .only(ExternalSecrets),
    function("pemTruststoreToPKCS12", &[Str], None, |call, a| {
        trust(call, a, "")
    })
    .only(ExternalSecrets),
    function("pemTruststoreToPKCS12Pass", &[Str, Str], None, |call, a| {
        trust(call, a, &password(call, a, 1)?)
    })
    .only(ExternalSecrets),
];

fn password(call: &Call<'_>, a: &[Value], at: usize) -> Result<String, Failure> {
    Ok(call.string(a, at)?.lossy().into_owned())
}

fn read(call: &Call<'_>, file: &[u8], password: &str) -> Result<Keystore, Failure> {
    call.budget.slow_call()?;
    keystore::read(file, password)
}

fn key(call: &Call<'_>, file: &[u8], password: &str) -> Result<Value, Failure> {
    call.made(pem::encode(
        "PRIVATE KEY",
        &read(call, file, password)?.key.pkcs8(),
    ))
}

/// All certificates, from leaf to root if they make one chain.
fn certificates(call: &Call<'_>, file: &[u8], password: &str) -> Result<Value, Failure> {
    let store = read(call, file, password)?;
    let mut all = vec![store.certificate];
    all.extend(store.authorities);
    call.budget.step((all.len() as u64).saturating_pow(2))?;
    let ordered = chain(&all).unwrap_or(all);
    call.made(ordered.iter().flat_map(Certificate::pem).collect())
}

/// What becomes of the certificates after the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chain {
    Leave,
    Take,
}

fn store(call: &Call<'_>, a: &[Value], password: &str, chain: Chain) -> Result<Value, Failure> {
    let mut certificates = strict(charged(call, a, 0)?, chain == Chain::Leave)?.into_iter();
    let certificate = certificates
        .next()
        .ok_or_else(|| Failure::new("there is no PEM block in the certificate"))?;
    let key = PrivateKey::from_any_pem(charged(call, a, 1)?)?;
    call.budget.slow_call()?;
    let file = keystore::write(
        &Keystore {
            key,
            certificate,
            authorities: certificates.collect(),
        },
        password,
    )?;
    call.made(encode64(&file))
}

fn trust(call: &Call<'_>, a: &[Value], password: &str) -> Result<Value, Failure> {
    let certificates = strict(charged(call, a, 0)?, false)?;
    call.budget.slow_call()?;
    call.made(encode64(&keystore::write_trust(&certificates, password)?))
}

/// Certificates until the text ends; anything after the last block is an error, in Go a panic.
fn strict(text: &[u8], first_only: bool) -> Result<Vec<Certificate>, Failure> {
    let mut all = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (block, after) =
            pem::decode(rest).ok_or_else(|| Failure::new("there is text that is no PEM block"))?;
        all.push(Certificate::from_der(&block.bytes)?);
        if first_only {
            break;
        }
        rest = after;
    }
    Ok(all)
}
