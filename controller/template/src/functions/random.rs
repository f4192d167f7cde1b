//! What is new at every render.

use rand::RngExt as _;

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{Value, push_rune, runes};

use Type::{Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("randAlphaNum", &[Int], None, |call, a| {
        random(call, a, |c| c.is_ascii_alphanumeric())
    }),
    function("randAlpha", &[Int], None, |call, a| {
        random(call, a, |c| c.is_ascii_alphabetic())
    }),
    function("randAscii", &[Int], None, |call, a| {
        random(call, a, |c| (b' '..=b'~').contains(&c))
    }),
    function("randNumeric", &[Int], None, |call, a| {
        random(call, a, |c| c.is_ascii_digit())
    }),
    function("randBytes", &[Int], None, |call, a| {
        let count = usize::try_from(call.int(a, 0)?)
            .map_err(|_| Failure::new("the count must not be negative"))?;
        call.budget.allocate(count.saturating_mul(3))?;
        let mut bytes = vec![0; count];
        rand::rng().fill(&mut bytes[..]);
        call.made(super::encoding::encode64(&bytes))
    }),
    function("randInt", &[Int, Int], None, |call, a| {
        let (least, end) = (call.int(a, 0)?, call.int(a, 1)?);
        if least >= end {
            return Err(Failure::new(
                "the first argument must be less than the second",
            ));
        }
        Ok(Value::Int(rand::rng().random_range(least..end)))
    }),
    function("shuffle", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len().saturating_mul(4))?;
        let mut all: Vec<char> = runes(text).map(|(rune, _)| rune).collect();
        for last in (1..all.len()).rev() {
            let other = rand::rng().random_range(0..=last);
            all.swap(last, other);
        }
        let mut out = Vec::with_capacity(text.len());
        all.into_iter().for_each(|rune| push_rune(&mut out, rune));
        Ok(Value::bytes(out))
    }),
    function("uuidv4", &[], None, |call, _| {
        let mut bytes: [u8; 16] = rand::rng().random();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut text = String::with_capacity(36);
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            let digits = format!("{byte:02x}");
            text.push_str(&digits);
        }
        call.made(text.into_bytes())
    }),
];

/// So many characters of a set, each as likely as any other. A negative count gives none, as there.
fn random(call: &Call<'_>, a: &[Value], test: fn(u8) -> bool) -> Result<Value, Failure> {
    let count = usize::try_from(call.int(a, 0)?).unwrap_or(0);
    call.budget.allocate(count)?;
    let set: Vec<u8> = (b' '..=b'~').filter(|c| test(*c)).collect();
    let mut rng = rand::rng();
    let text = (0..count)
        .map(|_| set[rng.random_range(0..set.len())])
        .collect();
    Ok(Value::bytes(text))
}
