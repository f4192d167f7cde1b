//! `filterPEM`, `filterCertChain` and `certSANs` of external-secrets (`pem.go`).

use super::certificate::{Certificate, chain, from_pem};
use super::pem;
use crate::functions::function::Incumbent;
use crate::functions::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Text, Value};

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("filterPEM", &[Str, Str], None, filter).only(Incumbent::ExternalSecrets),
    function("filterCertChain", &[Str, Str], None, filter_chain).only(Incumbent::ExternalSecrets),
    function("certSANs", &[Str], None, |call, a| {
        let text = without_junk(charged(call, a, 0)?);
        let (block, _) =
            pem::decode(text).ok_or_else(|| Failure::new("failed to decode PEM block"))?;
        let names = Certificate::from_der(&block.bytes)?.alternative_names();
        call.made_strings(names.into_iter().map(Text::from).collect())
    })
    .only(Incumbent::ExternalSecrets),
];

/// A text that will be decoded: that takes about its length, and its work about a step a line.
pub(super) fn charged<'v>(call: &Call<'_>, a: &'v [Value], at: usize) -> Result<&'v [u8], Failure> {
    let text = call.string(a, at)?.bytes();
    call.budget.allocate(text.len().saturating_mul(2))?;
    call.budget.step(text.len() as u64 / 64)?;
    Ok(text)
}

fn without_junk(text: &[u8]) -> &[u8] {
    crate::functions::pieces::find(text, b"-----BEGIN").map_or(text, |at| &text[at..])
}

/// The blocks with a label, whatever its case.
fn filter(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let label = call.string(a, 0)?.bytes();
    let mut rest = without_junk(charged(call, a, 1)?);
    let mut out = Vec::new();
    while let Some((block, after)) = pem::decode(rest) {
        if block.label.eq_ignore_ascii_case(label) {
            out.extend_from_slice(&block.encoded());
        }
        rest = after;
    }
    if out.is_empty() && !rest.is_empty() {
        return Err(Failure::new("error filtering pem: found junk"));
    }
    call.made(out)
}

/// `leaf`, `intermediate` or `root` of a chain; nothing if there is none.
fn filter_chain(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let certificates = from_pem(charged(call, a, 1)?)?;
    // Every certificate is held against every other.
    call.budget
        .step((certificates.len() as u64).saturating_pow(2))?;
    let ordered = chain(&certificates)?;
    let (Some(leaf), Some(root)) = (ordered.first(), ordered.last()) else {
        return Ok(Value::text(""));
    };
    let out = match call.string(a, 0)?.bytes() {
        b"leaf" if !leaf.is_root() => leaf.pem(),
        b"intermediate" => ordered[1..]
            .iter()
            .take_while(|certificate| !certificate.is_root())
            .flat_map(Certificate::pem)
            .collect(),
        b"root" if root.is_root() => root.pem(),
        _ => Vec::new(),
    };
    call.made(out)
}
