//! Values to JSON text, as `encoding/json` writes it.

use crate::print::{Sink, exponential, fixed};
use crate::run::Failure;
use crate::value::{MAXIMUM_DEPTH, Value, first_rune, push_rune};

/// How JSON is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// With `<`, `>` and `&` escaped.
    Escaped,
    /// The same, indented by two spaces.
    Pretty,
    /// Without that escaping.
    Raw,
}

/// Writes a value.
pub(super) fn write(sink: &mut Sink<'_>, value: &Value, style: Style) -> Result<(), Failure> {
    write_at(sink, value, style, 0)
}

fn write_at(sink: &mut Sink<'_>, value: &Value, style: Style, depth: usize) -> Result<(), Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep"));
    }
    match value {
        Value::Missing | Value::Nil => sink.put("null"),
        Value::Bool(value) => sink.put(if *value { "true" } else { "false" }),
        Value::Int(n) | Value::Int64(n) | Value::Named(_, n) => sink.put(&n.to_string()),
        Value::Uint8(n) => sink.put(&n.to_string()),
        Value::Uint64(n) => sink.put(&n.to_string()),
        Value::Float(n) => sink.put(&number(*n)?),
        Value::String(text) => string(sink, text.bytes(), style),
        Value::List(list) if list.nil => sink.put("null"),
        Value::List(list) => {
            let items = list.items();
            sink.put("[")?;
            for (at, item) in items.iter().enumerate() {
                between(sink, at, style, depth + 1)?;
                write_at(sink, item, style, depth + 1)?;
            }
            close(sink, items.len(), "]", style, depth)
        }
        Value::Map(map) => {
            sink.put("{")?;
            for (at, (key, item)) in map.entries().iter().enumerate() {
                between(sink, at, style, depth + 1)?;
                string(sink, key.bytes(), style)?;
                sink.put(if style == Style::Pretty { ": " } else { ":" })?;
                write_at(sink, item, style, depth + 1)?;
            }
            close(sink, map.len(), "}", style, depth)
        }
        Value::Time(time) => string(sink, time.rfc3339_nano()?.as_bytes(), style),
        Value::Version(version) => string(sink, version.to_string().as_bytes(), style),
        Value::Certificate(certificate) => {
            sink.put("{")?;
            for (at, (name, field)) in [("Cert", &certificate.cert), ("Key", &certificate.key)]
                .into_iter()
                .enumerate()
            {
                between(sink, at, style, depth + 1)?;
                string(sink, name.as_bytes(), style)?;
                sink.put(if style == Style::Pretty { ": " } else { ":" })?;
                string(sink, field.bytes(), style)?;
            }
            close(sink, 2, "}", style, depth)
        }
    }
}

fn between(sink: &mut Sink<'_>, at: usize, style: Style, depth: usize) -> Result<(), Failure> {
    if at > 0 {
        sink.put(",")?;
    }
    if style == Style::Pretty {
        newline(sink, depth)
    } else {
        Ok(())
    }
}

fn close(
    sink: &mut Sink<'_>,
    count: usize,
    bracket: &str,
    style: Style,
    depth: usize,
) -> Result<(), Failure> {
    if style == Style::Pretty && count > 0 {
        newline(sink, depth)?;
    }
    sink.put(bracket)
}

fn newline(sink: &mut Sink<'_>, depth: usize) -> Result<(), Failure> {
    sink.put("\n")?;
    sink.put(&"  ".repeat(depth))
}

/// `floatEncoder`: an exponent only for the very small and the very large.
fn number(n: f64) -> Result<String, Failure> {
    if !n.is_finite() {
        return Err(Failure::new("json: unsupported value"));
    }
    let magnitude = n.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        // e-09 is written e-9.
        let text = exponential(n, None);
        return Ok(text.replacen("e-0", "e-", 1));
    }
    Ok(fixed(n, None))
}

fn string(sink: &mut Sink<'_>, bytes: &[u8], style: Style) -> Result<(), Failure> {
    sink.budget().allocate(bytes.len())?;
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    let mut rest = bytes;
    while let Some((rune, width)) = first_rune(rest) {
        match rune {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '<' | '>' | '&' if style != Style::Raw => escape(&mut out, rune),
            '\u{2028}' | '\u{2029}' => escape(&mut out, rune),
            low if low < ' ' => escape(&mut out, rune),
            char::REPLACEMENT_CHARACTER if width == 1 => out.extend_from_slice(b"\\ufffd"),
            other => push_rune(&mut out, other),
        }
        rest = &rest[width..];
    }
    out.push(b'"');
    sink.write(&out)
}

fn escape(out: &mut Vec<u8>, rune: char) {
    out.extend_from_slice(format!("\\u{:04x}", u32::from(rune)).as_bytes());
}
