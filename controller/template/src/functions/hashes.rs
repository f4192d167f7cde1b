//! Digests in hexadecimal, Adler-32 in decimal.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::Value;

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] = &[
    function("sha1sum", &[Str], None, |call, a| {
        summed(call, a, &SHA1_FOR_LEGACY_USE_ONLY)
    }),
    function("sha256sum", &[Str], None, |call, a| {
        summed(call, a, &SHA256)
    }),
    function("sha512sum", &[Str], None, |call, a| {
        summed(call, a, &SHA512)
    }),
    function("adler32sum", &[Str], None, |call, a| {
        let bytes = call.string(a, 0)?.bytes();
        call.budget.step(bytes.len() as u64 / 64)?;
        call.made(adler32(bytes).to_string().into_bytes())
    }),
];

fn summed(call: &Call<'_>, a: &[Value], algorithm: &'static Algorithm) -> Result<Value, Failure> {
    let bytes = call.string(a, 0)?.bytes();
    call.budget.step(1 + bytes.len() as u64 / 64)?;
    let sum: String = digest(algorithm, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    call.made(sum.into_bytes())
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1, 0);
    for byte in bytes {
        low = (low + u32::from(*byte)) % MODULUS;
        high = (high + low) % MODULUS;
    }
    high << 16 | low
}
