//! sprig's string functions (`strings.go`). Positions count bytes, as there.

use super::pieces::find;
use super::{Call, Function, Type, function};
use crate::print::{Sink, plain, quoted, text_of};
use crate::run::Failure;
use crate::value::{Value, first_rune, is_space, lower, push_rune, runes, title, upper};

use Type::{Any, Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("hello", &[], None, |_, _| Ok(Value::text("Hello!"))),
    function("abbrev", &[Int, Str], None, |call, a| {
        let (width, text) = (call.int(a, 0)?, call.string(a, 1)?);
        if width < 4 {
            Ok(a[1].clone())
        } else {
            abbreviated(call, text.bytes(), 0, width)
        }
    }),
    function("abbrevboth", &[Int, Int, Str], None, |call, a| {
        let (left, right, text) = (call.int(a, 0)?, call.int(a, 1)?, call.string(a, 2)?);
        if right < 4 || left > 0 && right < 7 {
            return Ok(a[2].clone());
        }
        abbreviated(call, text.bytes(), left, right)
    }),
    function("trunc", &[Int, Str], None, |call, a| {
        let (count, text) = (call.int(a, 0)?, call.string(a, 1)?.bytes());
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if count < 0 && length.saturating_add(count) > 0 {
            return call.made(text[place(length + count)..].to_vec());
        }
        if count >= 0 && length > count {
            return call.made(text[..place(count)].to_vec());
        }
        Ok(a[1].clone())
    }),
    function("trim", &[Str], None, |call, a| {
        let text = call.string(a, 0)?.bytes();
        call.made(trimmed(text, is_space, is_space).to_vec())
    }),
    function("upper", &[Str], None, |call, a| mapped(call, a, upper)),
    function("lower", &[Str], None, |call, a| mapped(call, a, lower)),
    function("title", &[Str], None, titled),
    function("untitle", &[Str], None, |call, a| {
        let mut next = true;
        mapped(call, a, |rune| {
            if is_space(rune) {
                next = true;
                rune
            } else if std::mem::take(&mut next) {
                lower(rune)
            } else {
                rune
            }
        })
    }),
    function("substr", &[Int, Int, Str], None, |call, a| {
        let (start, end, text) = (call.int(a, 0)?, call.int(a, 1)?, call.string(a, 2)?.bytes());
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let (from, to) = if start < 0 {
            (0, end)
        } else if end < 0 || end > length {
            (start, length)
        } else {
            (start, end)
        };
        if from > to || to < 0 || to > length {
            return Err(Failure::new("slice bounds out of range"));
        }
        call.made(text[place(from)..place(to)].to_vec())
    }),
    function("repeat", &[Int, Str], None, |call, a| {
        let (count, text) = (call.int(a, 0)?, call.string(a, 1)?);
        let count =
            usize::try_from(count).map_err(|_| Failure::new("strings: negative Repeat count"))?;
        call.budget.allocate_many(count, text.len())?;
        Ok(Value::bytes(text.bytes().repeat(if text.is_empty() {
            0
        } else {
            count
        })))
    }),
    function("trimall", &[Str, Str], None, trim_all),
    function("trimAll", &[Str, Str], None, trim_all),
    function("trimSuffix", &[Str, Str], None, |call, a| {
        let (suffix, text) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
        call.made(text.strip_suffix(suffix).unwrap_or(text).to_vec())
    }),
    function("trimPrefix", &[Str, Str], None, |call, a| {
        let (prefix, text) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
        call.made(text.strip_prefix(prefix).unwrap_or(text).to_vec())
    }),
    function("contains", &[Str, Str], None, |call, a| {
        let (part, text) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
        call.budget.step(text.len() as u64 / 64)?;
        Ok(Value::Bool(find(text, part).is_some()))
    }),
    function("hasPrefix", &[Str, Str], None, |call, a| {
        Ok(Value::Bool(
            call.string(a, 1)?
                .bytes()
                .starts_with(call.string(a, 0)?.bytes()),
        ))
    }),
    function("hasSuffix", &[Str, Str], None, |call, a| {
        Ok(Value::Bool(
            call.string(a, 1)?
                .bytes()
                .ends_with(call.string(a, 0)?.bytes()),
        ))
    }),
    function("quote", &[], Some(Any), |call, a| {
        each_between_spaces(call, a, |call, value, out| {
            let text = text_of(value, call.budget)?;
            call.budget.allocate(text.len().saturating_mul(4))?;
            out.write(&quoted(text.bytes()))
        })
    }),
    function("squote", &[], Some(Any), |call, a| {
        each_between_spaces(call, a, |_, value, out| {
            out.put("'")?;
            plain(out, value)?;
            out.put("'")
        })
    }),
    function("cat", &[], Some(Any), |call, a| {
        each_between_spaces(call, a, |_, value, out| plain(out, value))
    }),
    function("indent", &[Int, Str], None, |call, a| {
        indented(call, a, false)
    }),
    function("nindent", &[Int, Str], None, |call, a| {
        indented(call, a, true)
    }),
    function("replace", &[Str, Str, Str], None, |call, a| {
        let (old, new, text) = (call.string(a, 0)?, call.string(a, 1)?, call.string(a, 2)?);
        replaced(call, text.bytes(), old.bytes(), new.bytes())
    }),
    function("plural", &[Str, Str, Int], None, |call, a| {
        Ok(a[usize::from(call.int(a, 2)? != 1)].clone())
    }),
    function("toString", &[Any], None, |call, a| {
        Ok(Value::String(text_of(&a[0], call.budget)?))
    }),
];

fn place(n: i64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// `goutils.AbbreviateFull`.
fn abbreviated(call: &Call<'_>, text: &[u8], offset: i64, width: i64) -> Result<Value, Failure> {
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    if length <= width {
        return call.made(text.to_vec());
    }
    let mut offset = offset.min(length);
    if length - offset < width - 3 {
        offset = length - (width - 3);
    }
    if offset <= 4 {
        return call.made([&text[..place(width - 3)], b"..."].concat());
    }
    // Too narrow for an ellipsis on both sides: Go gives an error there, which sprig drops.
    if width < 7 {
        return Ok(Value::text(""));
    }
    if offset + width - 3 < length {
        let rest = abbreviated(call, &text[place(offset)..], 0, width - 3)?;
        return call.made([b"...", text_of(&rest, call.budget)?.bytes()].concat());
    }
    call.made([b"...", &text[place(length - (width - 3))..]].concat())
}

fn mapped(
    call: &Call<'_>,
    a: &[Value],
    mut map: impl FnMut(char) -> char,
) -> Result<Value, Failure> {
    let text = call.string(a, 0)?.bytes();
    call.budget.allocate(text.len().saturating_mul(3))?;
    let mut out = Vec::with_capacity(text.len());
    for (rune, _) in runes(text) {
        push_rune(&mut out, map(rune));
    }
    Ok(Value::bytes(out))
}

/// `strings.Title`: a letter after no letter, digit or underscore.
fn titled(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let mut previous = ' ';
    mapped(call, a, |rune| {
        let starts = if previous.is_ascii() {
            !(previous.is_ascii_alphanumeric() || previous == '_')
        } else {
            !previous.is_alphanumeric() && is_space(previous)
        };
        previous = rune;
        if starts { title(rune) } else { rune }
    })
}

fn trimmed(text: &[u8], left: impl Fn(char) -> bool, right: impl Fn(char) -> bool) -> &[u8] {
    let mut text = text;
    while let Some((rune, width)) = first_rune(text) {
        if !left(rune) {
            break;
        }
        text = &text[width..];
    }
    while let Some(width) = last_rune_width(text) {
        if !first_rune(&text[text.len() - width..]).is_some_and(|(rune, _)| right(rune)) {
            break;
        }
        text = &text[..text.len() - width];
    }
    text
}

fn last_rune_width(text: &[u8]) -> Option<usize> {
    let longest = text.len().min(4);
    (1..=longest)
        .rev()
        .find(|width| {
            first_rune(&text[text.len() - width..]).is_some_and(|(_, taken)| taken == *width)
        })
        .or_else(|| (!text.is_empty()).then_some(1))
}

fn trim_all(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let (cut, text) = (call.string(a, 0)?.bytes(), call.string(a, 1)?.bytes());
    let set: std::collections::HashSet<char> = runes(cut).map(|(rune, _)| rune).collect();
    let cuts = |rune| set.contains(&rune);
    call.made(trimmed(text, cuts, cuts).to_vec())
}

fn each_between_spaces(
    call: &Call<'_>,
    values: &[Value],
    write: impl Fn(&Call<'_>, &Value, &mut Sink<'_>) -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let mut out = Sink::made(call.budget);
    for (at, value) in values.iter().filter(|value| !value.is_nil()).enumerate() {
        if at > 0 {
            out.put(" ")?;
        }
        write(call, value, &mut out)?;
    }
    Ok(Value::bytes(out.finish()))
}

fn indented(call: &Call<'_>, a: &[Value], newline: bool) -> Result<Value, Failure> {
    let (spaces, text) = (call.int(a, 0)?, call.string(a, 1)?.bytes());
    let spaces =
        usize::try_from(spaces).map_err(|_| Failure::new("strings: negative Repeat count"))?;
    let lines = 1 + text.iter().filter(|byte| **byte == b'\n').count();
    call.budget.allocate_many(lines, spaces)?;
    call.budget.allocate(text.len())?;
    let pad = vec![b' '; spaces];
    let mut out = Vec::with_capacity(text.len() + lines * spaces + 1);
    if newline {
        out.push(b'\n');
    }
    for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            out.push(b'\n');
        }
        out.extend_from_slice(&pad);
        out.extend_from_slice(line);
    }
    Ok(Value::bytes(out))
}

fn replaced(call: &Call<'_>, text: &[u8], old: &[u8], new: &[u8]) -> Result<Value, Failure> {
    let mut out = Sink::made(call.budget);
    if old.is_empty() {
        // Before every rune and at the end, as in Go.
        let mut rest = text;
        while let Some((_, width)) = first_rune(rest) {
            out.write(new)?;
            out.write(&rest[..width])?;
            rest = &rest[width..];
        }
        out.write(new)?;
        return Ok(Value::bytes(out.finish()));
    }
    let mut rest = text;
    while let Some(at) = find(rest, old) {
        out.write(&rest[..at])?;
        out.write(new)?;
        rest = &rest[at + old.len()..];
    }
    out.write(rest)?;
    Ok(Value::bytes(out.finish()))
}
