//! From the bytes of a file to text.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Error;

/// Decodes UTF-8, and UTF-16 as a Windows shell's `>` writes it; strips a byte order mark.
///
/// # Errors
/// Where the bytes are neither. Position is that of the first bad byte.
pub fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // A NUL is no part of any YAML, so these cannot be UTF-8.
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|error| not_utf8(bytes, error))?;
            Ok(Cow::Borrowed(text))
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>, Error> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len() / 2);
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(character) = character else {
            return Err(after(&text, "is not UTF-16"));
        };
        text.push(character);
    }
    if rest.is_empty() {
        Ok(Cow::Owned(text))
    } else {
        Err(after(&text, "is not UTF-16"))
    }
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Error {
    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
    after(&String::from_utf8_lossy(good), "is not UTF-8")
}

fn after(good: &str, message: &str) -> Error {
    let line_begins = good.rfind('\n').map_or(0, |newline| newline + 1);
    let line = good.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = good.get(line_begins..).unwrap_or_default().chars().count() + 1;
    Error::new(line, column, message)
}

/// The text that a `!!binary` value holds. Go puts replacement characters where it is no UTF-8; a Secret's
/// value would be silently destroyed.
pub(super) fn binary(base64: &str) -> Result<Value, &'static str> {
    let base64: String = base64.split(['\r', '\n']).collect();
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| "!!binary value is not base64")?;
    String::from_utf8(bytes)
        .map(Value::String)
        .map_err(|_| "!!binary value is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_marks_and_utf16_are_understood() {
        let utf16: Vec<u16> = "a: \u{e9}\u{1f600}\n".encode_utf16().collect();
        let little: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for bytes in [
            "a: \u{e9}\u{1f600}\n".as_bytes().to_vec(),
            "\u{feff}a: \u{e9}\u{1f600}\n".as_bytes().to_vec(),
            [b"\xFF\xFE", little.as_slice()].concat(),
            [b"\xFE\xFF", big.as_slice()].concat(),
            little,
            big,
        ] {
            assert_eq!(text(&bytes).unwrap(), "a: \u{e9}\u{1f600}\n");
        }
        assert_eq!(text(b"").unwrap(), "");
    }

    #[test]
    fn a_bad_byte_is_named_by_its_position() {
        assert_eq!(
            text(b"a: b\nc: \xC3\xA9\xFF").unwrap_err(),
            Error::new(2, 5, "is not UTF-8")
        );
        assert_eq!(
            text(b"\xFF\xFEa\0\x00\xD8").unwrap_err(),
            Error::new(1, 2, "is not UTF-16")
        );
        assert_eq!(
            text(b"\xFF\xFEa\0b").unwrap_err(),
            Error::new(1, 2, "is not UTF-16")
        );
    }
}
