//! The functions that Go's template language has without sprig (`text/template/funcs.go`).

use super::Failure;
use super::compare::{equal, less};
use crate::functions::{Call, Function, Type, function};
use crate::print::{Sink, is_printable, sprint, sprintf, sprintln};
use crate::value::{MapElement, Value, first_rune, push_rune};

use Type::Any;

/// By name; sprig's `slice` goes before the one here.
pub(crate) const BUILTINS: &[Function] = &[
    // `and` and `or` do not evaluate all their arguments: the call does their work.
    function("and", &[Any], Some(Any), |_, _| Ok(Value::Missing)),
    function("call", &[Any], Some(Any), |_, arguments| {
        Err(Failure::new(format!(
            "non-function of type {}",
            arguments[0].type_name()
        )))
    }),
    function("eq", &[Any], Some(Any), |call, arguments| {
        let (first, others) = arguments.split_first().ok_or_else(missing_argument)?;
        if others.is_empty() {
            return Err(missing_argument());
        }
        for other in others {
            if equal(first, other, call.budget)? {
                return Ok(Value::Bool(true));
            }
        }
        Ok(Value::Bool(false))
    }),
    function("ge", &[Any, Any], None, |_, a| {
        Ok(Value::Bool(!less(&a[0], &a[1])?))
    }),
    function("gt", &[Any, Any], None, |call, a| {
        Ok(Value::Bool(
            !(less(&a[0], &a[1])? || equal(&a[0], &a[1], call.budget)?),
        ))
    }),
    function("html", &[], Some(Any), |call, a| escaped(call, a, html)),
    function("index", &[Any], Some(Any), index),
    function("js", &[], Some(Any), |call, a| escaped(call, a, javascript)),
    function("le", &[Any, Any], None, |call, a| {
        Ok(Value::Bool(
            less(&a[0], &a[1])? || equal(&a[0], &a[1], call.budget)?,
        ))
    }),
    function("len", &[Any], None, |_, a| {
        let length = match &a[0] {
            Value::String(text) => text.len(),
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            other => return Err(Failure::new(format!("len of type {}", other.type_name()))),
        };
        Ok(Value::Int(i64::try_from(length).unwrap_or(i64::MAX)))
    }),
    function("lt", &[Any, Any], None, |_, a| {
        Ok(Value::Bool(less(&a[0], &a[1])?))
    }),
    function("ne", &[Any, Any], None, |call, a| {
        Ok(Value::Bool(!equal(&a[0], &a[1], call.budget)?))
    }),
    function("not", &[Any], None, |_, a| Ok(Value::Bool(!a[0].truth()))),
    function("or", &[Any], Some(Any), |_, _| Ok(Value::Missing)),
    function("print", &[], Some(Any), |call, a| {
        let mut sink = Sink::made(call.budget);
        sprint(&mut sink, a)?;
        Ok(Value::bytes(sink.finish()))
    }),
    function("printf", &[Type::String], Some(Any), |call, a| {
        let (format, values) = (call.string(a, 0)?, &a[1..]);
        Ok(Value::String(sprintf(call.budget, format.bytes(), values)?))
    }),
    function("println", &[], Some(Any), |call, a| {
        let mut sink = Sink::made(call.budget);
        sprintln(&mut sink, a)?;
        Ok(Value::bytes(sink.finish()))
    }),
    function("urlquery", &[], Some(Any), |call, a| {
        escaped(call, a, query)
    }),
];

fn missing_argument() -> Failure {
    Failure::new("missing argument for comparison")
}

/// `index`: a list by number, a text by number (its byte), a map by text.
fn index(_: &Call<'_>, arguments: &[Value]) -> Result<Value, Failure> {
    let (item, places) = arguments.split_first().ok_or_else(missing_argument)?;
    if item.is_nil() {
        return Err(Failure::new("index of untyped nil"));
    }
    let mut item = item.clone();
    for place in places {
        item = match &item {
            Value::List(list) => list.items()[place_in(place, list.len())?].clone(),
            Value::String(text) => Value::Uint8(text.bytes()[place_in(place, text.len())?]),
            Value::Map(map) => {
                let Value::String(key) = place else {
                    return Err(bad_key(place));
                };
                match (map.get(key.bytes()), map.element) {
                    (Some(found), _) => found,
                    (None, MapElement::String) => Value::text(""),
                    (None, MapElement::Any) => Value::Nil,
                }
            }
            Value::Missing | Value::Nil => return Err(Failure::new("index of nil pointer")),
            other => {
                return Err(Failure::new(format!(
                    "can't index item of type {}",
                    other.type_name()
                )));
            }
        };
    }
    Ok(item)
}

fn bad_key(key: &Value) -> Failure {
    if key.is_nil() {
        return Failure::new("value is nil; should be of type string");
    }
    Failure::new(format!(
        "value has type {}; should be string",
        key.type_name()
    ))
}

fn place_in(place: &Value, length: usize) -> Result<usize, Failure> {
    let n = match place {
        Value::Int(n) | Value::Int64(n) | Value::Named(_, n) => *n,
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        Value::Missing | Value::Nil => {
            return Err(Failure::new("cannot index slice/array with nil"));
        }
        other => {
            return Err(Failure::new(format!(
                "cannot index slice/array with type {}",
                other.type_name()
            )));
        }
    };
    usize::try_from(n)
        .ok()
        .filter(|at| *at < length)
        .ok_or_else(|| Failure::new(format!("index out of range: {n}")))
}

/// `evalArgs`: what the arguments print as, an absent one as `<no value>`, then escaped.
fn escaped(
    call: &Call<'_>,
    arguments: &[Value],
    escape: fn(&[u8], &mut Vec<u8>),
) -> Result<Value, Failure> {
    let mut sink = Sink::made(call.budget);
    match arguments {
        [Value::String(text)] => sink.write(text.bytes())?,
        _ => {
            let printable: Vec<Value> = arguments
                .iter()
                .map(|value| {
                    if value.is_nil() {
                        Value::text("<no value>")
                    } else {
                        value.clone()
                    }
                })
                .collect();
            sprint(&mut sink, &printable)?;
        }
    }
    let bytes = sink.finish();
    call.budget.allocate(bytes.len().saturating_mul(6))?;
    let mut out = Vec::with_capacity(bytes.len());
    escape(&bytes, &mut out);
    Ok(Value::bytes(out))
}

fn html(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
}

fn javascript(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some((rune, width)) = first_rune(rest) {
        match rune {
            '\\' => out.extend_from_slice(b"\\\\"),
            '\'' => out.extend_from_slice(b"\\'"),
            '"' => out.extend_from_slice(b"\\\""),
            '<' => out.extend_from_slice(b"\\u003C"),
            '>' => out.extend_from_slice(b"\\u003E"),
            '&' => out.extend_from_slice(b"\\u0026"),
            '=' => out.extend_from_slice(b"\\u003D"),
            low if low < ' ' => {
                out.extend_from_slice(format!("\\u{:04X}", u32::from(low)).as_bytes());
            }
            ascii if ascii.is_ascii() => push_rune(out, ascii),
            // Go writes the bytes as they are, an invalid one too.
            other if is_printable(other) => out.extend_from_slice(&rest[..width]),
            other => out.extend_from_slice(format!("\\u{:04X}", u32::from(other)).as_bytes()),
        }
        rest = &rest[width..];
    }
}

/// `url.QueryEscape`.
fn query(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(*byte),
            b' ' => out.push(b'+'),
            other => out.extend_from_slice(format!("%{other:02X}").as_bytes()),
        }
    }
}
