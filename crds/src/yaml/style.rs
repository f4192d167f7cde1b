//! Which notation holds a text, and which one `yaml.v2` chooses.

use super::scalar::Meaning;

/// The notation of a text.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

impl Style {
    /// The style that `stringv` asks for, or the next best one that can hold the text.
    pub(super) fn of(text: &str, is_key: bool) -> Self {
        let allowed = Allowed::of(text);
        if text.contains('\n') {
            let literal = allowed.block && !is_key;
            return if literal { Self::Literal } else { Self::Double };
        }
        // Go leaves a key `<<` unquoted, which then reads as a merge.
        let merge = text == "<<" && is_key;
        if Meaning::of(text) != Meaning::Text || is_base60(text) || merge {
            return Self::Double;
        }
        match allowed {
            Allowed { plain: true, .. } => Self::Plain,
            Allowed { single: true, .. } => Self::Single,
            _ => Self::Double,
        }
    }
}

/// Which styles can hold a text (`yaml_emitter_analyze_scalar`).
struct Allowed {
    plain: bool,
    single: bool,
    block: bool,
}

impl Allowed {
    fn of(text: &str) -> Self {
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        let mut previous = None;
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            let before_blank = characters
                .peek()
                .is_none_or(|next| matches!(next, ' ' | '\t'));
            let after_blank = previous.is_none_or(|c| matches!(c, ' ' | '\t' | '\0' | '\n'));
            indicator |= match c {
                '#' => after_blank,
                ':' => before_blank,
                '?' | '-' if previous.is_none() => before_blank,
                ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`' => previous.is_none(),
                _ => false,
            };
            previous = Some(c);
        }
        let escapes = !text.chars().all(is_printable) || text.contains(" \n");
        let outer_blank = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
        Self {
            plain: !escapes && !indicator && !outer_blank && !text.contains('\n'),
            single: !escapes && !text.contains("\n "),
            block: !escapes && !text.is_empty() && !text.ends_with(' '),
        }
    }
}

/// Characters that need no escape: `is_printable` of `yamlprivateh.go`, which excludes tabs and all beyond
/// the first plane. Also without U+2028 and U+2029, which break lines for a reader of YAML 1.1 and for one
/// of YAML 1.2 do not; Go writes them as they are, and loses them.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

/// A number with colons, which YAML 1.1 read to base 60 (`base60float`). Nobody reads it so today, but it is
/// quoted.
fn is_base60(text: &str) -> bool {
    let mut parts = text.strip_prefix(['+', '-']).unwrap_or(text).split(':');
    let first = parts.next().unwrap_or_default();
    let starts = first.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !starts
        || !first
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        return false;
    }
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return false;
    }
    while let Some(part) = parts.next() {
        let (digits, fraction) = match part.split_once('.') {
            Some((digits, fraction)) if parts.peek().is_none() => (digits, fraction),
            _ => (part, ""),
        };
        let good = match digits.as_bytes() {
            [digit] => digit.is_ascii_digit(),
            [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        };
        if !good
            || !fraction
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'_')
        {
            return false;
        }
    }
    true
}
