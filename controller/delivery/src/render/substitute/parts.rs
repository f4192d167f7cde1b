//! Parts of a value.

use crate::tree::glob;

pub(super) fn first(value: &str, change: fn(char) -> String) -> String {
    let mut rest = value.chars();
    rest.next()
        .map_or_else(String::new, |c| change(c) + rest.as_str())
}

/// A part of the value by bytes, counted from the end where negative. What is no number gives the whole value.
pub(super) fn substring(value: &str, start: &str, length: Option<&str>) -> String {
    let number = |text: &str| text.parse::<i64>().ok();
    let size = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let Some(start) = number(start) else {
        return value.to_owned();
    };
    let start = if start < 0 {
        size.saturating_add(start).max(0)
    } else {
        start
    };
    let end = match length {
        None => size,
        Some(length) => match number(length) {
            None => return value.to_owned(),
            Some(length) if length < 0 => size.saturating_add(length),
            Some(length) => start.saturating_add(length).min(size),
        },
    };
    let index = |at: i64| usize::try_from(at).unwrap_or_default();
    let part = value
        .as_bytes()
        .get(index(start)..index(end.max(0)))
        .unwrap_or_default();
    String::from_utf8_lossy(part).into_owned()
}

/// The value without what its beginning has of the pattern: the longest such beginning, or the shortest, but never none.
pub(super) fn without_prefix(value: &str, pattern: &str, longest: bool) -> String {
    let ends = value.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut fitting = ends.filter(|end| glob::matches(pattern, &value[..*end]));
    let end = if longest {
        fitting.next_back()
    } else {
        fitting.next()
    };
    value[end.unwrap_or_default()..].to_owned()
}
