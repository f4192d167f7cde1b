//! `wrap` and `wrapWith` (`goutils.WrapCustom`). Columns count bytes.

use super::pieces::find;
use super::{Call, Function, Type, function};
use crate::print::Sink;
use crate::run::Failure;
use crate::value::Value;

use Type::{Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("wrap", &[Int, Str], None, |call, a| {
        wrapped(
            call,
            call.string(a, 1)?.bytes(),
            call.int(a, 0)?,
            b"\n",
            false,
        )
    }),
    function("wrapWith", &[Int, Str, Str], None, |call, a| {
        let separator = call.string(a, 1)?.bytes();
        let separator = if separator.is_empty() {
            b"\n"
        } else {
            separator
        };
        wrapped(
            call,
            call.string(a, 2)?.bytes(),
            call.int(a, 0)?,
            separator,
            true,
        )
    }),
];

fn wrapped(
    call: &Call<'_>,
    text: &[u8],
    width: i64,
    newline: &[u8],
    cut_long: bool,
) -> Result<Value, Failure> {
    let width = usize::try_from(width.max(1)).unwrap_or(usize::MAX);
    let mut out = Sink::made(call.budget);
    let mut rest = text;
    while rest.len() > width {
        call.budget.step(1 + width.min(rest.len()) as u64 / 64)?;
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        if let Some(space) = rest[..=width].iter().rposition(|byte| *byte == b' ') {
            out.write(&rest[..space])?;
            out.write(newline)?;
            rest = &rest[space + 1..];
        } else if cut_long {
            out.write(&rest[..width])?;
            out.write(newline)?;
            rest = &rest[width..];
        } else if let Some(space) = find(&rest[width..], b" ") {
            out.write(&rest[..width + space])?;
            out.write(newline)?;
            rest = &rest[width + space + 1..];
        } else {
            break;
        }
    }
    out.write(rest)?;
    Ok(Value::bytes(out.finish()))
}
