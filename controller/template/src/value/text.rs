//! Go's string: any bytes, shared, wiped when the last holder lets go.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use keys::SecretBytes;

/// A Go string. It need not be UTF-8, and it may be a secret.
#[derive(Clone)]
pub(crate) struct Text(Rc<SecretBytes>);

impl Text {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Rc::new(SecretBytes::new(bytes)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with every invalid byte replaced by U+FFFD, as Go's `range` over a string sees it.
    pub(crate) fn lossy(&self) -> Cow<'_, str> {
        let mut text = String::new();
        match std::str::from_utf8(self.bytes()) {
            Ok(valid) => Cow::Borrowed(valid),
            Err(_) => {
                text.extend(runes(self.bytes()).map(|rune| rune.0));
                Cow::Owned(text)
            }
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl std::borrow::Borrow<[u8]> for Text {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

/// The runes of a Go string with the number of bytes each took: one byte that belongs to no valid
/// sequence is U+FFFD of width one (`utf8.DecodeRune`).
pub(crate) fn runes(bytes: &[u8]) -> impl Iterator<Item = (char, usize)> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (rune, width) = first_rune(rest)?;
        rest = &rest[width..];
        Some((rune, width))
    })
}

/// The first rune and its width in bytes.
pub(crate) fn first_rune(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    if first < 0x80 {
        return Some((char::from(first), 1));
    }
    for width in 2..=bytes.len().min(4) {
        if let Some(rune) = std::str::from_utf8(&bytes[..width])
            .ok()
            .and_then(|s| s.chars().next())
        {
            return Some((rune, width));
        }
    }
    Some((char::REPLACEMENT_CHARACTER, 1))
}

/// `unicode.ToUpper`: one rune for one rune, so a letter without a single upper form stays.
pub(crate) fn upper(rune: char) -> char {
    let mut mapped = rune.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => rune,
    }
}

/// `unicode.ToLower`.
pub(crate) fn lower(rune: char) -> char {
    rune.to_lowercase().next().unwrap_or(rune)
}

/// `unicode.ToTitle`: the four digraphs have a title form of their own.
pub(crate) fn title(rune: char) -> char {
    match rune {
        '\u{1C4}'..='\u{1C6}' => '\u{1C5}',
        '\u{1C7}'..='\u{1C9}' => '\u{1C8}',
        '\u{1CA}'..='\u{1CC}' => '\u{1CB}',
        '\u{1F1}'..='\u{1F3}' => '\u{1F2}',
        other => upper(other),
    }
}

/// `unicode.IsSpace`.
pub(crate) fn is_space(rune: char) -> bool {
    matches!(
        rune,
        '\t' | '\n' | '\u{B}' | '\u{C}' | '\r' | ' ' | '\u{85}' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200A}' | '\u{2028}' | '\u{2029}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// Appends a rune in UTF-8.
pub(crate) fn push_rune(out: &mut Vec<u8>, rune: char) {
    let mut buffer = [0; 4];
    out.extend_from_slice(rune.encode_utf8(&mut buffer).as_bytes());
}
