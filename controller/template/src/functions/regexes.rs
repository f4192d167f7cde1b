//! sprig's regular expressions (`regex.go`).

use std::borrow::Cow;

use super::pattern::Pattern;
use super::{Call, Function, Type, function};
use crate::print::Sink;
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, Element, List, Text, Value, runes};

use Type::{Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("regexMatch", &[Str, Str], None, |call, a| {
        match matches(call, a) {
            Err(Failure::Problem(_)) => Ok(Value::Bool(false)),
            other => other,
        }
    }),
    function("mustRegexMatch", &[Str, Str], None, matches),
    function("regexFind", &[Str, Str], None, first),
    function("mustRegexFind", &[Str, Str], None, first),
    function("regexFindAll", &[Str, Str, Int], None, all),
    function("mustRegexFindAll", &[Str, Str, Int], None, all),
    function("regexReplaceAll", &[Str, Str, Str], None, |call, a| {
        replaced(call, a, expand)
    }),
    function("mustRegexReplaceAll", &[Str, Str, Str], None, |call, a| {
        replaced(call, a, expand)
    }),
    function(
        "regexReplaceAllLiteral",
        &[Str, Str, Str],
        None,
        |call, a| replaced(call, a, literal),
    ),
    function(
        "mustRegexReplaceAllLiteral",
        &[Str, Str, Str],
        None,
        |call, a| replaced(call, a, literal),
    ),
    function("regexSplit", &[Str, Str, Int], None, split),
    function("mustRegexSplit", &[Str, Str, Int], None, split),
    function("regexQuoteMeta", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.budget.allocate(text.len())?;
        let mut out = Vec::with_capacity(text.len());
        for byte in text {
            if b"\\.+*?()|[]{}^$".contains(byte) {
                out.push(b'\\');
            }
            out.push(*byte);
        }
        call.made(out)
    }),
];

/// An expression with the text it is for.
struct Searcher<'t> {
    pattern: Pattern,
    text: Cow<'t, str>,
    /// Where each byte of the text is in the original, if the original is no UTF-8: there a wrong
    /// byte counts as one U+FFFD, as in Go.
    places: Option<Vec<usize>>,
}

impl<'t> Searcher<'t> {
    fn new(call: &Call<'_>, source: &Text, text: &'t Text) -> Result<Self, Failure> {
        let Ok(source) = std::str::from_utf8(source.bytes()) else {
            return Err(Failure::new("error parsing regexp: invalid UTF-8"));
        };
        call.budget
            .step(200 + source.len() as u64 + text.len() as u64 / 64)?;
        let pattern = Pattern::new(source)?;
        if let Ok(text) = std::str::from_utf8(text.bytes()) {
            return Ok(Self {
                pattern,
                text: Cow::Borrowed(text),
                places: None,
            });
        }
        call.budget
            .allocate_many(text.len(), 4 * size_of::<usize>())?;
        let (mut lossy, mut places, mut at) = (String::new(), Vec::new(), 0);
        for (rune, width) in runes(text.bytes()) {
            places.resize(places.len() + rune.len_utf8(), at);
            lossy.push(rune);
            at += width;
        }
        places.push(at);
        Ok(Self {
            pattern,
            text: Cow::Owned(lossy),
            places: Some(places),
        })
    }

    /// The places of all groups of every match, `most` at most.
    fn find(&self, call: &Call<'_>, most: usize) -> Result<Vec<Groups>, Failure> {
        let place = |at: usize| match &self.places {
            None => at,
            Some(places) => places.get(at).copied().unwrap_or(0),
        };
        let mut found = Vec::new();
        for captures in self.pattern.regex.captures_iter(&self.text).take(most) {
            call.budget.allocate_many(captures.len(), ENTRY_BYTES)?;
            let groups = captures
                .iter()
                .map(|group| group.map(|m| (place(m.start()), place(m.end()))));
            found.push(groups.collect());
        }
        Ok(found)
    }
}

type Groups = Vec<Option<(usize, usize)>>;

fn matches(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (source, text) = (call.string(a, 0)?, call.string(a, 1)?);
    let searcher = Searcher::new(call, source, text)?;
    Ok(Value::Bool(!searcher.find(call, 1)?.is_empty()))
}

fn whole(groups: &Groups) -> (usize, usize) {
    groups.first().copied().flatten().unwrap_or((0, 0))
}

fn first(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (source, text) = (call.string(a, 0)?, call.string(a, 1)?);
    let found = Searcher::new(call, source, text)?.find(call, 1)?;
    let (start, end) = found.first().map_or((0, 0), whole);
    call.made(text.bytes()[start..end].to_vec())
}

/// A negative count is no limit.
fn limit(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn all(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (source, text, most) = (call.string(a, 0)?, call.string(a, 1)?, call.int(a, 2)?);
    let found = Searcher::new(call, source, text)?.find(call, limit(most))?;
    if found.is_empty() {
        return Ok(Value::List(List::nil(Element::String)));
    }
    let parts = found
        .iter()
        .map(whole)
        .map(|(start, end)| Text::new(text.bytes()[start..end].to_vec()));
    call.budget.allocate(text.len())?;
    call.made_strings(parts.collect())
}

/// `Split` of package regexp.
fn split(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (source, text, most) = (call.string(a, 0)?, call.string(a, 1)?, call.int(a, 2)?);
    let searcher = Searcher::new(call, source, text)?;
    if most == 0 {
        return Ok(Value::List(List::nil(Element::String)));
    }
    if !source.is_empty() && text.is_empty() {
        return call.made_strings(vec![Text::from("")]);
    }
    let most = limit(most);
    let bytes = text.bytes();
    call.budget.allocate(bytes.len())?;
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for (start, after) in searcher.find(call, most)?.iter().map(whole) {
        if parts.len() + 1 == most {
            break;
        }
        end = start;
        if after != 0 {
            parts.push(Text::new(bytes[begin..end].to_vec()));
        }
        begin = after;
    }
    if end != bytes.len() {
        parts.push(Text::new(bytes[begin..].to_vec()));
    }
    call.made_strings(parts)
}

type Expansion =
    fn(&Searcher<'_>, template: &[u8], text: &[u8], &Groups, &mut Sink<'_>) -> Result<(), Failure>;

fn replaced(call: &Call<'_>, a: &[Value], expansion: Expansion) -> Result<Value, Failure> {
    let (source, text, template) = (call.string(a, 0)?, call.string(a, 1)?, call.string(a, 2)?);
    let searcher = Searcher::new(call, source, text)?;
    let bytes = text.bytes();
    let mut out = Sink::made(call.budget);
    let mut done = 0;
    for groups in searcher.find(call, usize::MAX)? {
        let (start, end) = whole(&groups);
        out.write(&bytes[done..start])?;
        expansion(&searcher, template.bytes(), bytes, &groups, &mut out)?;
        done = end;
    }
    out.write(&bytes[done..])?;
    Ok(Value::bytes(out.finish()))
}

fn literal(
    _: &Searcher<'_>,
    template: &[u8],
    _: &[u8],
    _: &Groups,
    out: &mut Sink<'_>,
) -> Result<(), Failure> {
    out.write(template)
}

fn expand(
    searcher: &Searcher<'_>,
    template: &[u8],
    text: &[u8],
    groups: &Groups,
    out: &mut Sink<'_>,
) -> Result<(), Failure> {
    let group = |index: usize| {
        let (start, end) = groups.get(index).copied().flatten()?;
        text.get(start..end)
    };
    let mut write = |piece: &[u8]| out.write(piece);
    searcher.pattern.expanded(template, &group, &mut write)
}
