//! JSON strings as Go's decoder reads them.

use kit::SecretBytes;

/// The content of a JSON string with its quotes, which the caller has found to be well-formed.
///
/// Go turns an unpaired surrogate into U+FFFD where serde_json refuses the whole document.
#[must_use]
pub(crate) fn unquote(quoted: &str) -> SecretBytes {
    let inner = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(quoted);
    // The content is never longer than its escaped form, so the buffer never moves.
    let mut content = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        content.extend_from_slice(&rest.as_bytes()[..at]);
        rest = unescape(&rest[at + 1..], &mut content);
    }
    content.extend_from_slice(rest.as_bytes());
    SecretBytes::new(content)
}

/// The text with U+FFFD in place of each unpaired surrogate, or `None` where there is none. It is as
/// long as the original, place by place: only hexadecimal digits are exchanged.
#[must_use]
pub(crate) fn with_paired_surrogates(text: &[u8]) -> Option<SecretBytes> {
    const REPLACEMENT: &[u8; 4] = b"fffd";
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| *byte == b'\\') {
        at += found;
        let next = match unit_at(text, at) {
            Some(0xd800..0xdc00) if matches!(unit_at(text, at + 6), Some(0xdc00..0xe000)) => {
                at + 12
            }
            Some(0xd800..0xe000) => {
                let mended = mended.get_or_insert_with(|| text.to_vec());
                mended[at + 2..at + 6].copy_from_slice(REPLACEMENT);
                at + 6
            }
            Some(_) => at + 6,
            None => at + 2,
        };
        at = next.min(text.len());
    }
    mended.map(SecretBytes::new)
}

/// The unit of an escape that begins here.
fn unit_at(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// Reads what follows a backslash and returns the text behind it.
fn unescape<'a>(text: &'a str, content: &mut Vec<u8>) -> &'a str {
    let mut chars = text.chars();
    let escaped = match chars.next() {
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unescape_unit(chars.as_str(), content),
        Some(other) => other,
        None => return "",
    };
    push(content, escaped);
    chars.as_str()
}

fn unescape_unit<'a>(text: &'a str, content: &mut Vec<u8>) -> &'a str {
    let Some((unit, rest)) = unit(text) else {
        push(content, char::REPLACEMENT_CHARACTER);
        return text;
    };
    if let Some(found) = char::from_u32(unit) {
        push(content, found);
        return rest;
    }
    let low = rest.strip_prefix("\\u").and_then(self::unit);
    if let (0xd800..0xdc00, Some((low @ 0xdc00..0xe000, after))) = (unit, low) {
        let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        push(
            content,
            char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
        );
        return after;
    }
    push(content, char::REPLACEMENT_CHARACTER);
    rest
}

fn unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

fn push(content: &mut Vec<u8>, found: char) {
    content.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_go_reads_them() {
        for (quoted, content) in [
            (r#""""#, ""),
            (r#""a\"b\\c\/d""#, "a\"b\\c/d"),
            (r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t"),
            (r#""\u00e9\u0000x""#, "é\0x"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83dx""#, "\u{fffd}x"),
            (r#""\ud83d\u0041""#, "\u{fffd}A"),
            (r#""\ude00""#, "\u{fffd}"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        ] {
            assert_eq!(unquote(quoted).expose(), content.as_bytes(), "{quoted}");
        }
    }

    #[test]
    fn unpaired_surrogates_are_exchanged_in_their_places() {
        for (text, mended) in [
            (r#"{"a":1}"#, None),
            (r#""\\ud83d""#, None),
            (r#""\ud83d\ude00""#, None),
            (r#""\ud83dx""#, Some(r#""\ufffdx""#)),
            (r#""\ude00\ud83d""#, Some(r#""\ufffd\ufffd""#)),
            (r#""\ud83d\ud83d\ude00""#, Some(r#""\ufffd\ud83d\ude00""#)),
            (r#""\\\ud83d"#, Some(r#""\\\ufffd"#)),
            (r"\ud83", None),
            (r"\", None),
        ] {
            let found = with_paired_surrogates(text.as_bytes());
            let found = found.as_ref().map(SecretBytes::expose);
            assert_eq!(found, mended.map(str::as_bytes), "{text}");
        }
    }
}
