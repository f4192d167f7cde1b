//! The verbs of `printf` for numbers (`fmtInteger`, `fmtFloat`).

use super::format::Flags;
use super::quote::escape;
use super::verbs::{bad_verb, pad};
use super::{Sink, exponential, fixed, general, is_printable};
use crate::run::Failure;
use crate::value::{Value, push_rune};

/// An integer without its sign.
pub(super) struct Whole {
    negative: bool,
    magnitude: u64,
}

impl Whole {
    pub(super) fn signed(n: i64) -> Self {
        Self {
            negative: n < 0,
            magnitude: n.unsigned_abs(),
        }
    }

    pub(super) fn unsigned(n: u64) -> Self {
        Self {
            negative: false,
            magnitude: n,
        }
    }

    /// The bits, as Go passes a signed number on to a verb for characters.
    fn bits(&self) -> u64 {
        if self.negative {
            self.magnitude.wrapping_neg()
        } else {
            self.magnitude
        }
    }
}

pub(super) fn integer(
    sink: &mut Sink<'_>,
    flags: &Flags,
    whole: Whole,
    value: &Value,
    verb: char,
) -> Result<(), Failure> {
    let magnitude = whole.magnitude;
    let (digits, prefix) = match verb {
        'v' if flags.sharp_v && matches!(value, Value::Uint8(_) | Value::Uint64(_)) => {
            (format!("{magnitude:x}"), "0x")
        }
        'd' | 'v' => (magnitude.to_string(), ""),
        'b' => (
            format!("{magnitude:b}"),
            if flags.sharp { "0b" } else { "" },
        ),
        'o' => (format!("{magnitude:o}"), if flags.sharp { "0" } else { "" }),
        'O' => (format!("{magnitude:o}"), "0o"),
        'x' => (
            format!("{magnitude:x}"),
            if flags.sharp { "0x" } else { "" },
        ),
        'X' => (
            format!("{magnitude:X}"),
            if flags.sharp { "0X" } else { "" },
        ),
        'c' | 'q' | 'U' => return character(sink, flags, whole.bits(), verb),
        _ => return bad_verb(sink, value, verb),
    };
    let without_zero = Flags {
        zero: false,
        ..flags.clone()
    };
    let wanted = match flags.precision {
        Some(0) if magnitude == 0 => {
            return pad(
                sink,
                &Flags {
                    width: flags.width,
                    ..Flags::default()
                },
                b"",
            );
        }
        Some(precision) => precision,
        None if flags.zero && !flags.minus => {
            let sign = usize::from(whole.negative || flags.plus || flags.space);
            flags.width.unwrap_or(0).saturating_sub(sign)
        }
        None => 0,
    };
    sink.budget().allocate(wanted)?;
    let mut text = String::new();
    text.push_str(match (whole.negative, flags.plus, flags.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    });
    let zeros = wanted.saturating_sub(digits.len());
    if !(prefix == "0" && (zeros > 0 || digits.starts_with('0'))) {
        text.push_str(prefix);
    }
    text.extend(std::iter::repeat_n('0', zeros));
    text.push_str(&digits);
    pad(sink, &without_zero, text.as_bytes())
}

fn character(sink: &mut Sink<'_>, flags: &Flags, code: u64, verb: char) -> Result<(), Failure> {
    let rune = u32::try_from(code)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(char::REPLACEMENT_CHARACTER);
    let mut text = Vec::new();
    match verb {
        'c' => push_rune(&mut text, rune),
        'q' => {
            text.push(b'\'');
            escape(&mut text, rune, '\'', flags.plus);
            text.push(b'\'');
        }
        _ => {
            let digits = format!("{code:X}");
            let zeros = flags
                .precision
                .unwrap_or(4)
                .max(4)
                .saturating_sub(digits.len());
            sink.budget().allocate(zeros)?;
            text.extend_from_slice(b"U+");
            text.resize(2 + zeros, b'0');
            text.extend_from_slice(digits.as_bytes());
            let shown = u32::try_from(code)
                .ok()
                .and_then(char::from_u32)
                .filter(|c| is_printable(*c));
            if let (true, Some(shown)) = (flags.sharp, shown) {
                text.extend_from_slice(b" '");
                push_rune(&mut text, shown);
                text.push(b'\'');
            }
            return pad(
                sink,
                &Flags {
                    zero: false,
                    ..flags.clone()
                },
                &text,
            );
        }
    }
    pad(sink, flags, &text)
}

/// `fmtFloat`.
pub(super) fn float(
    sink: &mut Sink<'_>,
    flags: &Flags,
    n: f64,
    value: &Value,
    verb: char,
) -> Result<(), Failure> {
    let precision = flags.precision;
    sink.budget().allocate(precision.unwrap_or(0) + 350)?;
    let text = match verb {
        'v' | 'g' => general(n, precision),
        'G' => general(n, precision).to_uppercase(),
        'e' => exponential(n, precision.or(Some(6))),
        'E' => exponential(n, precision.or(Some(6))).to_uppercase(),
        'f' | 'F' => fixed(n, precision.or(Some(6))),
        'b' | 'x' | 'X' => {
            return Err(Failure::new(
                "printf: this engine does not print floats in binary or hexadecimal",
            ));
        }
        _ => return bad_verb(sink, value, verb),
    };
    let text = match (verb, n.is_finite()) {
        ('G' | 'E', false) => fixed(n, None),
        _ => text,
    };
    let unsigned = text.trim_start_matches(['+', '-']);
    let sign = match (text.starts_with('-'), flags.plus, flags.space) {
        (true, _, _) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ if n == f64::INFINITY => "+",
        _ => "",
    };
    let body = if flags.sharp && n.is_finite() {
        sharpened(unsigned, verb, precision)
    } else {
        unsigned.to_owned()
    };
    let zero = flags.zero && n.is_finite() && !flags.minus;
    if zero && let Some(width) = flags.width {
        let zeros = width.saturating_sub(sign.len() + body.len());
        sink.budget().allocate(zeros)?;
        sink.put(sign)?;
        sink.put(&"0".repeat(zeros))?;
        return sink.put(&body);
    }
    pad(
        sink,
        &Flags {
            zero: false,
            ..flags.clone()
        },
        [sign, &body].concat().as_bytes(),
    )
}

/// `%#g` keeps a decimal point and the zeros up to the precision.
fn sharpened(text: &str, verb: char, precision: Option<usize>) -> String {
    let (mantissa, tail) = match text.find(['e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    let mut mantissa = mantissa.to_owned();
    let significant = mantissa
        .chars()
        .filter(char::is_ascii_digit)
        .skip_while(|c| *c == '0')
        .count();
    if !mantissa.contains('.') {
        mantissa.push('.');
    }
    if matches!(verb, 'v' | 'g' | 'G') {
        let wanted = precision.unwrap_or(6);
        let have = if significant == 0 { 1 } else { significant };
        mantissa.extend(std::iter::repeat_n('0', wanted.saturating_sub(have)));
    }
    mantissa + tail
}
