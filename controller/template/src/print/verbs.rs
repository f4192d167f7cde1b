//! The verbs of `printf`, by the type of the value (`fmt/print.go`, `fmt/format.go`).

use super::format::Flags;
use super::numbers::{Whole, float, integer};
use super::{Sink, plain, quoted, quoted_ascii};
use crate::run::Failure;
use crate::value::{MAXIMUM_DEPTH, Value};

/// `printArg` and `printValue`.
pub(super) fn argument(
    sink: &mut Sink<'_>,
    flags: &Flags,
    value: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    sink.budget().step(1)?;
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep to be printed"));
    }
    if verb == 'T' {
        return string(sink, flags, value.type_name().as_bytes(), 's');
    }
    match value {
        Value::Missing | Value::Nil if verb == 'v' => string(sink, flags, b"<nil>", 's'),
        Value::Missing | Value::Nil => bad_verb(sink, value, verb),
        Value::Bool(truth) if matches!(verb, 't' | 'v') => {
            pad(sink, flags, if *truth { b"true" } else { b"false" })
        }
        Value::Bool(_) => bad_verb(sink, value, verb),
        Value::Int(n) | Value::Int64(n) => integer(sink, flags, Whole::signed(*n), value, verb),
        Value::Uint8(n) => integer(sink, flags, Whole::unsigned(u64::from(*n)), value, verb),
        Value::Uint64(n) => integer(sink, flags, Whole::unsigned(*n), value, verb),
        Value::Float(n) => float(sink, flags, *n, value, verb),
        Value::String(text) if matches!(verb, 'v' | 's' | 'x' | 'X' | 'q') => {
            string(sink, flags, text.bytes(), verb)
        }
        Value::String(_) => bad_verb(sink, value, verb),
        Value::List(_) | Value::Map(_) | Value::Certificate(_) => {
            compound(sink, flags, value, verb, depth)
        }
        Value::Named(_, n) => match verb {
            'v' if flags.sharp_v => integer(sink, flags, Whole::signed(*n), value, 'v'),
            'v' | 's' | 'x' | 'X' | 'q' => stringer(sink, flags, value, verb),
            _ => integer(sink, flags, Whole::signed(*n), value, verb),
        },
        Value::Time(_) | Value::Version(_) => match verb {
            'v' | 's' | 'x' | 'X' | 'q' => stringer(sink, flags, value, verb),
            _ => bad_verb(sink, value, verb),
        },
    }
}

fn stringer(sink: &mut Sink<'_>, flags: &Flags, value: &Value, verb: char) -> Result<(), Failure> {
    let text = super::text_of(value, sink.budget())?;
    string(sink, flags, text.bytes(), verb)
}

/// A list, map or struct: the verb is for the items.
fn compound(
    sink: &mut Sink<'_>,
    flags: &Flags,
    value: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    let go = flags.sharp_v;
    let (open, between, close) = match (value, go) {
        (_, true) => (format!("{}{{", value.type_name()), ", ", "}"),
        (Value::List(_), false) => ("[".to_owned(), " ", "]"),
        (Value::Map(_), false) => ("map[".to_owned(), " ", "]"),
        (_, false) => ("{".to_owned(), " ", "}"),
    };
    if let (Value::List(list), true) = (value, go)
        && list.nil
    {
        return sink.put(&format!("{}(nil)", value.type_name()));
    }
    sink.put(&open)?;
    let mut first = true;
    let mut separate = |sink: &mut Sink<'_>| {
        if std::mem::take(&mut first) {
            Ok(())
        } else {
            sink.put(between)
        }
    };
    match value {
        Value::List(list) => {
            for item in list.items() {
                separate(sink)?;
                nested(sink, flags, item, verb, depth)?;
            }
        }
        Value::Map(map) => {
            for (key, item) in map.entries().iter() {
                separate(sink)?;
                argument(sink, flags, &Value::String(key.clone()), verb, depth + 1)?;
                sink.put(":")?;
                nested(sink, flags, item, verb, depth)?;
            }
        }
        Value::Certificate(certificate) => {
            for (name, field) in [("Cert", &certificate.cert), ("Key", &certificate.key)] {
                separate(sink)?;
                if go || flags.plus_v {
                    sink.put(name)?;
                    sink.put(":")?;
                }
                argument(sink, flags, &Value::String(field.clone()), verb, depth + 1)?;
            }
        }
        _ => {}
    }
    sink.put(close)
}

/// An item of a container: an absent one is `<nil>` whatever the verb, `interface {}(nil)` in Go syntax.
fn nested(
    sink: &mut Sink<'_>,
    flags: &Flags,
    item: &Value,
    verb: char,
    depth: usize,
) -> Result<(), Failure> {
    match item {
        Value::Missing | Value::Nil if flags.sharp_v => sink.put("interface {}(nil)"),
        Value::Missing | Value::Nil => sink.put("<nil>"),
        other => argument(sink, flags, other, verb, depth + 1),
    }
}

pub(super) fn bad_verb(sink: &mut Sink<'_>, value: &Value, verb: char) -> Result<(), Failure> {
    if value.is_nil() {
        return sink.put(&format!("%!{verb}(<nil>)"));
    }
    sink.put(&format!("%!{verb}({}=", value.type_name()))?;
    plain(sink, value)?;
    sink.put(")")
}

/// `fmtString`.
fn string(sink: &mut Sink<'_>, flags: &Flags, bytes: &[u8], verb: char) -> Result<(), Failure> {
    match verb {
        'x' => hexadecimal(sink, flags, bytes, false),
        'X' => hexadecimal(sink, flags, bytes, true),
        'q' => quote(sink, flags, flags.sharp, flags.plus, bytes),
        'v' if flags.sharp_v => quote(sink, flags, false, false, bytes),
        _ => pad(sink, flags, truncated(flags, bytes)),
    }
}

fn truncated<'t>(flags: &Flags, bytes: &'t [u8]) -> &'t [u8] {
    let Some(precision) = flags.precision else {
        return bytes;
    };
    let length = crate::value::runes(bytes)
        .take(precision)
        .map(|(_, width)| width)
        .sum();
    &bytes[..length]
}

fn quote(
    sink: &mut Sink<'_>,
    flags: &Flags,
    raw: bool,
    ascii: bool,
    bytes: &[u8],
) -> Result<(), Failure> {
    let bytes = truncated(flags, bytes);
    let can_be_raw = std::str::from_utf8(bytes).is_ok_and(|text| {
        text.chars()
            .all(|c| (c >= ' ' || c == '\t') && !matches!(c, '`' | '\u{7f}' | '\u{feff}'))
    });
    sink.budget().allocate(bytes.len() * 4)?;
    if raw && can_be_raw {
        pad(sink, flags, &[b"`", bytes, b"`"].concat())
    } else if ascii {
        pad(sink, flags, &quoted_ascii(bytes))
    } else {
        pad(sink, flags, &quoted(bytes))
    }
}

/// `fmtSbx`.
fn hexadecimal(
    sink: &mut Sink<'_>,
    flags: &Flags,
    bytes: &[u8],
    upper: bool,
) -> Result<(), Failure> {
    let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
    sink.budget().allocate(bytes.len() * 5)?;
    let prefix = if upper { "0X" } else { "0x" };
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if flags.space && at > 0 {
            text.push(' ');
        }
        if flags.sharp && (at == 0 || flags.space) {
            text.push_str(prefix);
        }
        let digits = if upper {
            format!("{byte:02X}")
        } else {
            format!("{byte:02x}")
        };
        text.push_str(&digits);
    }
    pad(
        sink,
        &Flags {
            zero: false,
            ..flags.clone()
        },
        text.as_bytes(),
    )
}

/// `pad`: the width counts runes.
pub(super) fn pad(sink: &mut Sink<'_>, flags: &Flags, bytes: &[u8]) -> Result<(), Failure> {
    let Some(width) = flags.width else {
        return sink.write(bytes);
    };
    let missing = width.saturating_sub(crate::value::runes(bytes).count());
    sink.budget().allocate(missing)?;
    if flags.minus {
        sink.write(bytes)?;
        sink.write(&vec![b' '; missing])
    } else {
        sink.write(&vec![if flags.zero { b'0' } else { b' ' }; missing])?;
        sink.write(bytes)
    }
}
