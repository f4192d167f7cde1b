//! JSON text as Go's `encoding/json` writes it: keys sorted, numbers through a float, and, where
//! asked for, `<`, `>` and `&` escaped.

use std::fmt::Write as _;

use serde_json::Value;

/// Whether `<`, `>` and `&` are written as `\u003c` and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Html {
    /// As `json.Marshal` does.
    Escaped,
    /// As an encoder with `SetEscapeHTML(false)` does.
    Plain,
}

/// The text of a value.
#[must_use]
pub(crate) fn print(value: &Value, html: Html) -> String {
    let mut text = String::new();
    write(&mut text, value, html);
    text
}

/// A float as Go's `strconv.FormatFloat(value, 'f', -1, 64)` writes it.
#[must_use]
pub(crate) fn plain_float(value: f64) -> String {
    value.to_string()
}

fn write(text: &mut String, value: &Value, html: Html) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&float(number.as_f64().unwrap_or_default())),
        Value::String(value) => write_string(text, value, html),
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(text, value, html);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_string(text, key, html);
                text.push(':');
                write(text, value, html);
            }
            text.push('}');
        }
    }
}

/// Go's `floatEncoder`: an exponent below 1e-6 and from 1e21 on, without a leading zero in it.
fn float(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        let text = format!("{value:e}");
        return match text.split_once('e') {
            Some((digits, exponent)) if !exponent.starts_with('-') => {
                format!("{digits}e+{exponent}")
            }
            _ => text,
        };
    }
    plain_float(value)
}

fn write_string(text: &mut String, value: &str, html: Html) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '<' | '>' | '&' if html == Html::Escaped => push_escaped(text, character),
            '\0'..='\u{1f}' | '\u{2028}' | '\u{2029}' => push_escaped(text, character),
            _ => text.push(character),
        }
    }
    text.push('"');
}

fn push_escaped(text: &mut String, character: char) {
    let written = write!(text, "\\u{:04x}", u32::from(character));
    debug_assert!(written.is_ok(), "a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_written_as_go_writes_it() {
        let value: Value = serde_json::from_str(
            r#"{"b":[1,1.50,1e3,1e21,1e-7,-0.0,12345678901234567890],"a":"<&>\u2028\u0001\n","é":null,"t":true}"#,
        )
        .unwrap();
        assert_eq!(
            print(&value, Html::Escaped),
            "{\"a\":\"\\u003c\\u0026\\u003e\\u2028\\u0001\\n\",\
             \"b\":[1,1.5,1000,1e+21,1e-7,-0,12345678901234567000],\"t\":true,\"é\":null}"
        );
        assert!(print(&value, Html::Plain).starts_with("{\"a\":\"<&>\\u2028"));
    }
}
