//! Go's regular expressions: compiled, and what a replacement makes of their groups.

use regex::{Regex, RegexBuilder};

use super::notation::{Names, translated};
use crate::run::Failure;
use crate::value::runes;

/// What a compiled expression may take, in bytes. Go has no such limit but one on its syntax.
const COMPILED_BYTES: usize = 1 << 20;

/// How deep groups may stand in each other.
const DEEPEST: u32 = 100;

/// Go's expression, compiled.
pub(crate) struct Pattern {
    pub(crate) regex: Regex,
    /// The names of the groups, by their number.
    names: Names,
}

impl Pattern {
    /// Compiles an expression.
    pub(crate) fn new(source: &str) -> Result<Self, Failure> {
        let (translated, names) = translated(source)?;
        let regex = RegexBuilder::new(&translated)
            .size_limit(COMPILED_BYTES)
            .dfa_size_limit(COMPILED_BYTES)
            .nest_limit(DEEPEST)
            .build();
        let regex = regex.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => Failure::new("the regular expression is too large"),
            _ => Failure::new("error parsing regexp: this is no regular expression"),
        })?;
        Ok(Self { regex, names })
    }

    /// The numbers of the groups of this name, for Go allows several.
    fn named(&self, name: &str) -> impl Iterator<Item = usize> {
        let groups = self.names.iter().enumerate();
        groups.filter_map(move |(at, known)| (known.as_deref() == Some(name)).then_some(at))
    }

    /// `Expand` of package regexp: `$1`, `${1}`, `$name`, `$$`; what is none of these stays. `group` is
    /// the text of a group by its number.
    pub(crate) fn expanded<'t>(
        &self,
        template: &[u8],
        group: &dyn Fn(usize) -> Option<&'t [u8]>,
        write: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut rest = template;
        while let Some(at) = rest.iter().position(|byte| *byte == b'$') {
            write(&rest[..at])?;
            rest = &rest[at..];
            if rest.starts_with(b"$$") {
                write(b"$")?;
                rest = &rest[2..];
                continue;
            }
            let Some((name, length)) = reference(rest) else {
                write(b"$")?;
                rest = &rest[1..];
                continue;
            };
            rest = &rest[length..];
            let numeric = name.bytes().all(|b| b.is_ascii_digit())
                && !(name.len() > 1 && name.starts_with('0'));
            let text = if numeric {
                name.parse().ok().and_then(group)
            } else {
                self.named(name).find_map(group)
            };
            if let Some(text) = text {
                write(text)?;
            }
        }
        write(rest)
    }
}

/// The name after a dollar sign and the length with the sign (`extract` of package regexp).
fn reference(rest: &[u8]) -> Option<(&str, usize)> {
    let after = &rest[1..];
    let (inner, braces) = match after.strip_prefix(b"{") {
        Some(inner) => (inner, true),
        None => (after, false),
    };
    let mut length = 0;
    for (rune, width) in runes(inner) {
        if !(rune.is_alphanumeric() || rune == '_') {
            break;
        }
        length += width;
    }
    let name = std::str::from_utf8(&inner[..length])
        .ok()
        .filter(|name| !name.is_empty())?;
    if !braces {
        return Some((name, 1 + length));
    }
    (inner.get(length) == Some(&b'}')).then_some((name, length + 3))
}
