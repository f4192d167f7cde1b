//! Base64, base32 and hexadecimal. What cannot be decoded gives Go's error text as the result, as
//! sprig does it: no value is in that text, but the position in one.

use super::function::Incumbent;
use super::{Function, Type, function};
use crate::print::is_printable;

use Type::String as Str;

pub(super) const FUNCTIONS: &[Function] =
    &[
        function("b64enc", &[Str], None, |call, a| {
            let bytes = call.string(a, 0)?.bytes();
            call.budget.allocate(bytes.len().saturating_mul(2))?;
            call.made(encode64(bytes))
        }),
        function("b64dec", &[Str], None, |call, a| {
            let text = call.string(a, 0)?.bytes();
            call.budget.allocate(text.len())?;
            call.made(decode64(text).unwrap_or_else(|at| {
                format!("illegal base64 data at input byte {at}").into_bytes()
            }))
        }),
        function("b32enc", &[Str], None, |call, a| {
            let bytes = call.string(a, 0)?.bytes();
            call.budget.allocate(bytes.len().saturating_mul(2))?;
            call.made(encode(bytes, ALPHABET_32, 5, 8))
        }),
        function("b32dec", &[Str], None, |call, a| {
            let text = call.string(a, 0)?.bytes();
            call.budget.allocate(text.len())?;
            call.made(decode_base32(text).unwrap_or_else(|at| {
                format!("illegal base32 data at input byte {at}").into_bytes()
            }))
        }),
        function("hexdec", &[Str], None, |call, a| {
            call.made(hexadecimal(call.string(a, 0)?.bytes()))
        })
        .only(Incumbent::ExternalSecrets),
    ];

const ALPHABET_64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const ALPHABET_32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `base64.StdEncoding.EncodeToString`.
pub(super) fn encode64(bytes: &[u8]) -> Vec<u8> {
    encode(bytes, ALPHABET_64, 6, 4)
}

/// `base64.StdEncoding.DecodeString`; the error is the place of the first wrong byte.
pub(super) fn decode64(text: &[u8]) -> Result<Vec<u8>, usize> {
    decode_base64(text)
}

fn encode(bytes: &[u8], alphabet: &[u8], bits: u32, group: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() * 2 + group);
    let (mut buffer, mut filled) = (0u32, 0);
    let mask = (1 << bits) - 1;
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xffff;
        filled += 8;
        while filled >= bits {
            filled -= bits;
            out.push(alphabet[(buffer >> filled & mask) as usize]);
        }
    }
    if filled > 0 {
        out.push(alphabet[(buffer << (bits - filled) & mask) as usize]);
    }
    while out.len() % group != 0 {
        out.push(b'=');
    }
    out
}

/// Line breaks are passed over; the last group is padded and nothing follows it
/// (`decodeQuantum` of encoding/base64).
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len());
    let mut input = text
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, byte)| !is_break(*byte));
    loop {
        let (mut buffer, mut count) = (0, 0);
        while count < 4 {
            let Some((at, byte)) = input.next() else {
                return if count == 0 {
                    Ok(out)
                } else {
                    Err(text.len() - count)
                };
            };
            let Some(digit) = digit_of(ALPHABET_64, byte) else {
                if byte != b'=' || count < 2 {
                    return Err(at);
                }
                if count == 2 {
                    match input.next() {
                        Some((_, b'=')) => {}
                        Some((at, _)) => return Err(at - 1),
                        None => return Err(text.len()),
                    }
                }
                if let Some((at, _)) = input.next() {
                    return Err(at);
                }
                push_group(&mut out, buffer, count, 6, 4);
                return Ok(out);
            };
            buffer = buffer << 6 | digit;
            count += 1;
        }
        push_group(&mut out, buffer, 4, 6, 4);
    }
}

/// Line breaks are taken out first, so places are counted without them (`decode` of encoding/base32).
fn decode_base32(text: &[u8]) -> Result<Vec<u8>, usize> {
    let text: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !is_break(*byte))
        .collect();
    let mut out = Vec::with_capacity(text.len());
    for (number, group) in text.chunks(8).enumerate() {
        let start = number * 8;
        let mut buffer = 0;
        for (count, byte) in group.iter().enumerate() {
            let rest = &text[start + count + 1..];
            if *byte == b'=' && count >= 2 && rest.len() < 8 {
                if rest.len() + count < 7 {
                    return Err(text.len());
                }
                if let Some(wrong) = rest.iter().take(7 - count).position(|byte| *byte != b'=') {
                    return Err(start + count + wrong);
                }
                if matches!(count, 3 | 6) {
                    return Err(start + count);
                }
                push_group(&mut out, buffer, count, 5, 8);
                return Ok(out);
            }
            buffer = buffer << 5 | digit_of(ALPHABET_32, *byte).ok_or(start + count)?;
        }
        if group.len() < 8 {
            return Err(start);
        }
        push_group(&mut out, buffer, 8, 5, 8);
    }
    Ok(out)
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn digit_of(alphabet: &[u8], byte: u8) -> Option<u64> {
    alphabet
        .iter()
        .position(|known| *known == byte)
        .and_then(|at| u64::try_from(at).ok())
}

/// The whole bytes of `count` digits out of a group.
fn push_group(out: &mut Vec<u8>, digits: u64, count: usize, bits: usize, group: usize) {
    let whole = (digits << ((group - count) * bits)).to_be_bytes();
    let start = 8 - group * bits / 8;
    out.extend_from_slice(&whole[start..start + count * bits / 8]);
}

/// `hex.DecodeString`, or the text of its error.
fn hexadecimal(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(text.len() / 2);
    for pair in text.chunks(2) {
        for byte in pair {
            if digit(*byte).is_none() {
                let rune = char::from(*byte);
                let shown = if is_printable(rune) {
                    format!(" '{rune}'")
                } else {
                    String::new()
                };
                return format!("encoding/hex: invalid byte: U+{byte:04X}{shown}").into_bytes();
            }
        }
        match pair {
            [high, low] => out.push(digit(*high).unwrap_or(0) << 4 | digit(*low).unwrap_or(0)),
            _ => return b"encoding/hex: odd length hex string".to_vec(),
        }
    }
    out
}
