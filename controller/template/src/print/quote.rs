//! `strconv.Quote`.

use std::sync::LazyLock;

use regex::Regex;

use crate::value::{first_rune, push_rune};

/// `%q`.
pub(crate) fn quoted(bytes: &[u8]) -> Vec<u8> {
    quote_with(bytes, false)
}

/// `%+q`.
pub(crate) fn quoted_ascii(bytes: &[u8]) -> Vec<u8> {
    quote_with(bytes, true)
}

fn quote_with(bytes: &[u8], ascii: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    out.push(b'"');
    let mut rest = bytes;
    while let Some((rune, width)) = first_rune(rest) {
        if width == 1 && rune == char::REPLACEMENT_CHARACTER {
            out.extend_from_slice(format!("\\x{:02x}", rest[0]).as_bytes());
        } else {
            escape(&mut out, rune, '"', ascii);
        }
        rest = &rest[width..];
    }
    out.push(b'"');
    out
}

/// One rune as it stands between quotes.
pub(crate) fn escape(out: &mut Vec<u8>, rune: char, quote: char, ascii: bool) {
    if rune == quote || rune == '\\' {
        out.push(b'\\');
        push_rune(out, rune);
        return;
    }
    if (rune.is_ascii() || !ascii) && is_printable(rune) {
        push_rune(out, rune);
        return;
    }
    let text = match rune {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{C}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{B}' => "\\v".to_owned(),
        low if low < ' ' || low == '\u{7f}' => format!("\\x{:02x}", u32::from(low)),
        basic if u32::from(basic) < 0x1_0000 => format!("\\u{:04x}", u32::from(basic)),
        other => format!("\\U{:08x}", u32::from(other)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_printable(rune: char) -> bool {
    if rune.is_ascii() {
        return (' '..='~').contains(&rune);
    }
    let mut buffer = [0; 4];
    PRINTABLE
        .as_ref()
        .is_some_and(|class| class.is_match(rune.encode_utf8(&mut buffer)))
}

static PRINTABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").ok());
