//! `%v`: what an action prints.

use super::{Sink, shortest};
use crate::run::Failure;
use crate::value::{MAXIMUM_DEPTH, Named, Text, Value};

/// Prints a value as `fmt.Fprint` does for one operand; an absent one is `<nil>`.
pub(crate) fn plain(sink: &mut Sink<'_>, value: &Value) -> Result<(), Failure> {
    plain_at(sink, value, 0)
}

fn plain_at(sink: &mut Sink<'_>, value: &Value, depth: usize) -> Result<(), Failure> {
    if depth > MAXIMUM_DEPTH {
        return Err(Failure::new("the value is nested too deep to be printed"));
    }
    match value {
        Value::Missing | Value::Nil => sink.put("<nil>"),
        Value::Bool(value) => sink.put(if *value { "true" } else { "false" }),
        Value::Int(n) | Value::Int64(n) => sink.put(&n.to_string()),
        Value::Uint8(n) => sink.put(&n.to_string()),
        Value::Uint64(n) => sink.put(&n.to_string()),
        Value::Float(n) => sink.put(&shortest(*n)),
        Value::String(text) => sink.write(text.bytes()),
        Value::List(list) => {
            sink.put("[")?;
            for (at, item) in list.items().iter().enumerate() {
                if at > 0 {
                    sink.put(" ")?;
                }
                plain_at(sink, item, depth + 1)?;
            }
            sink.put("]")
        }
        Value::Map(map) => {
            sink.put("map[")?;
            for (at, (key, item)) in map.entries().iter().enumerate() {
                if at > 0 {
                    sink.put(" ")?;
                }
                sink.write(key.bytes())?;
                sink.put(":")?;
                plain_at(sink, item, depth + 1)?;
            }
            sink.put("]")
        }
        Value::Time(time) => sink.put(&time.to_string()),
        Value::Named(named, n) => sink.put(&named.name(*n)),
        Value::Certificate(certificate) => {
            sink.put("{")?;
            sink.write(certificate.cert.bytes())?;
            sink.put(" ")?;
            sink.write(certificate.key.bytes())?;
            sink.put("}")
        }
        Value::Version(version) => sink.put(&version.to_string()),
    }
}

/// `fmt.Sprint`: a space between operands if neither is a string.
pub(crate) fn sprint(sink: &mut Sink<'_>, values: &[Value]) -> Result<(), Failure> {
    let mut after_text = true;
    for value in values {
        let text = matches!(value, Value::String(_));
        if !after_text && !text {
            sink.put(" ")?;
        }
        plain(sink, value)?;
        after_text = text;
    }
    Ok(())
}

/// `fmt.Sprintln`.
pub(crate) fn sprintln(sink: &mut Sink<'_>, values: &[Value]) -> Result<(), Failure> {
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            sink.put(" ")?;
        }
        plain(sink, value)?;
    }
    sink.put("\n")
}

/// sprig's `strval`: the text itself, or what `%v` prints.
pub(crate) fn text_of(value: &Value, budget: &crate::limits::Budget) -> Result<Text, Failure> {
    if let Value::String(text) = value {
        return Ok(text.clone());
    }
    let mut sink = Sink::made(budget);
    plain(&mut sink, value)?;
    Ok(Text::new(sink.finish()))
}

impl Named {
    /// What `String` gives.
    pub(crate) fn name(self, n: i64) -> String {
        let of = |names: &[&str], place: i64, kind: &str| match usize::try_from(place)
            .ok()
            .and_then(|at| names.get(at))
        {
            Some(name) => (*name).to_owned(),
            None => format!("%!{kind}({n})"),
        };
        match self {
            Self::Duration => crate::functions::duration_text(n),
            Self::Month => of(&MONTHS, n - 1, "Month"),
            Self::Weekday => of(&WEEKDAYS, n, "Weekday"),
        }
    }
}

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(crate) const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
