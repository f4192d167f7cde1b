//! Texts cut into pieces and put together.

use super::{Call, Function, Type, function};
use crate::print::{Sink, text_of};
use crate::run::Failure;
use crate::value::{Map, Text, Value, first_rune};

use Type::{Any, Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("toStrings", &[Any], None, |call, a| {
        call.made_strings(strings_of(call, &a[0])?)
    }),
    function("join", &[Str, Any], None, |call, a| {
        let (separator, parts) = (call.string(a, 0)?, strings_of(call, &a[1])?);
        let mut out = Sink::made(call.budget);
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                out.write(separator.bytes())?;
            }
            out.write(part.bytes())?;
        }
        Ok(Value::bytes(out.finish()))
    }),
    function("sortAlpha", &[Any], None, |call, a| {
        let mut parts = strings_of(call, &a[0])?;
        if matches!(a[0], Value::Missing | Value::Nil) {
            parts = vec![text_of(&a[0], call.budget)?];
        }
        parts.sort();
        call.made_strings(parts)
    }),
    function("split", &[Str, Str], None, |call, a| {
        numbered(
            call,
            split(
                call,
                call.string(a, 1)?.bytes(),
                call.string(a, 0)?.bytes(),
                None,
            )?,
        )
    }),
    function("splitn", &[Str, Int, Str], None, |call, a| {
        let count = call.int(a, 1)?;
        let (text, separator) = (call.string(a, 2)?.bytes(), call.string(a, 0)?.bytes());
        numbered(
            call,
            split(call, text, separator, usize::try_from(count).ok())?,
        )
    }),
    function("splitList", &[Str, Str], None, |call, a| {
        let parts = split(
            call,
            call.string(a, 1)?.bytes(),
            call.string(a, 0)?.bytes(),
            None,
        )?;
        call.made_strings(parts)
    }),
];

/// Where a part first occurs. The first byte is looked for, then the rest compared.
pub(super) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let Some((first, _)) = part.split_first() else {
        return Some(0);
    };
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| byte == first) {
        if text[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// `strings.SplitN`: without a separator into runes; `count` pieces at most.
pub(super) fn split(
    call: &Call<'_>,
    text: &[u8],
    separator: &[u8],
    count: Option<usize>,
) -> Result<Vec<Text>, Failure> {
    let mut parts = Vec::new();
    if count == Some(0) {
        return Ok(parts);
    }
    call.budget.allocate(text.len())?;
    let mut rest = text;
    while count.is_none_or(|count| parts.len() + 1 < count) {
        let (end, next) = if separator.is_empty() {
            let Some((_, width)) = first_rune(rest) else {
                return Ok(parts);
            };
            if width == rest.len() {
                break;
            }
            (width, width)
        } else {
            let Some(at) = find(rest, separator) else {
                break;
            };
            (at, at + separator.len())
        };
        call.budget.allocate(crate::value::ENTRY_BYTES)?;
        parts.push(Text::new(rest[..end].to_vec()));
        rest = &rest[next..];
    }
    if !(separator.is_empty() && rest.is_empty()) {
        parts.push(Text::new(rest.to_vec()));
    }
    Ok(parts)
}

/// sprig's `split`: a map with the keys `_0`, `_1`...
fn numbered(call: &Call<'_>, parts: Vec<Text>) -> Result<Value, Failure> {
    call.budget
        .allocate_many(parts.len(), crate::value::ENTRY_BYTES)?;
    let entries = parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| (Text::from(format!("_{at}")), part));
    Ok(Value::Map(Map::strings(entries.collect())))
}

/// sprig's `strslice`: every item as text, without the absent ones.
pub(super) fn strings_of(call: &Call<'_>, value: &Value) -> Result<Vec<Text>, Failure> {
    match value {
        Value::Missing | Value::Nil => Ok(Vec::new()),
        Value::List(list) => list
            .items()
            .iter()
            .filter(|item| !item.is_nil())
            .map(|item| text_of(item, call.budget))
            .collect(),
        other => Ok(vec![text_of(other, call.budget)?]),
    }
}
