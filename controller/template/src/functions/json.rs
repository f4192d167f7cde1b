//! `toJson`, `fromJson` and their kin (`encoding/json`).

use super::json_read::parse;
use super::json_write::{Style, write};
use super::{Call, Function, Type, function};
use crate::print::Sink;
use crate::run::Failure;
use crate::value::Value;

use Type::{Any, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("fromJson", &[Str], None, |call, a| {
        match from_json(call, a) {
            Err(Failure::Problem(_)) => Ok(Value::Nil),
            other => other,
        }
    }),
    function("mustFromJson", &[Str], None, from_json),
    function("toJson", &[Any], None, |call, a| {
        lenient(call, a, Style::Escaped)
    }),
    function("mustToJson", &[Any], None, |call, a| {
        to_json(call, a, Style::Escaped)
    }),
    function("toPrettyJson", &[Any], None, |call, a| {
        lenient(call, a, Style::Pretty)
    }),
    function("mustToPrettyJson", &[Any], None, |call, a| {
        to_json(call, a, Style::Pretty)
    }),
    function("toRawJson", &[Any], None, |call, a| {
        to_json(call, a, Style::Raw)
    }),
    function("mustToRawJson", &[Any], None, |call, a| {
        to_json(call, a, Style::Raw)
    }),
];

fn from_json(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    parse(call.string(a, 0)?.bytes(), call.budget)
}

fn to_json(call: &Call<'_>, a: &[Value], style: Style) -> Result<Value, Failure> {
    let mut sink = Sink::made(call.budget);
    write(&mut sink, &a[0], style)?;
    Ok(Value::bytes(sink.finish()))
}

/// Without `must` an error is the empty text.
fn lenient(call: &Call<'_>, a: &[Value], style: Style) -> Result<Value, Failure> {
    match to_json(call, a, style) {
        Err(Failure::Problem(_)) => Ok(Value::text("")),
        other => other,
    }
}
