//! sprig's dates (`date.go`). What is no date is the present, as there.

use super::time::{Time, Zone, duration_text, parse_duration};
use super::{Call, Function, Type, function, layout, layout_read};
use crate::run::Failure;
use crate::value::{Value, runes};

use Type::{Any, String as Str, Time as Date};

pub(super) const FUNCTIONS: &[Function] = &[
    function("now", &[], None, |_, _| Ok(Value::Time(Time::now()))),
    function("date", &[Str, Any], None, |call, a| {
        shown(call, &lossy(call, a, 0)?, &a[1], Zone::Utc)
    }),
    function("date_in_zone", &[Str, Any, Str], None, in_zone),
    function("dateInZone", &[Str, Any, Str], None, in_zone),
    function("htmlDate", &[Any], None, |call, a| {
        shown(call, "2006-01-02", &a[0], Zone::Utc)
    }),
    function("htmlDateInZone", &[Any, Str], None, |call, a| {
        shown(call, "2006-01-02", &a[0], Zone::load(&lossy(call, a, 1)?))
    }),
    function("date_modify", &[Str, Date], None, |call, a| {
        Ok(moved(call, a)?.unwrap_or_else(|| a[1].clone()))
    }),
    function("dateModify", &[Str, Date], None, |call, a| {
        Ok(moved(call, a)?.unwrap_or_else(|| a[1].clone()))
    }),
    function("must_date_modify", &[Str, Date], None, must_modify),
    function("mustDateModify", &[Str, Date], None, must_modify),
    function("toDate", &[Str, Str], None, |call, a| {
        Ok(Value::Time(read(call, a)?.unwrap_or_else(Time::zero)))
    }),
    function("mustToDate", &[Str, Str], None, |call, a| {
        let time = read(call, a)?
            .ok_or_else(|| Failure::new("parsing time: it does not fit the layout"))?;
        Ok(Value::Time(time))
    }),
    function("unixEpoch", &[Date], None, |call, a| {
        Ok(Value::text(call.time(a, 0)?.seconds.to_string()))
    }),
    function("ago", &[Any], None, |_, a| {
        let since = Time::now().since(&instant(&a[0]));
        Ok(Value::text(duration_text(rounded_to_second(since))))
    }),
    function("duration", &[Any], None, |call, a| {
        let seconds = match &a[0] {
            Value::String(_) => super::numbers::decimal(call.string(a, 0)?.bytes()),
            Value::Int64(n) => *n,
            _ => 0,
        };
        Ok(Value::text(duration_text(
            seconds.wrapping_mul(super::time::NANOSECONDS),
        )))
    }),
    function("durationRound", &[Any], None, |call, a| {
        let nanoseconds = match &a[0] {
            Value::String(_) => parse_duration(&lossy(call, a, 0)?).unwrap_or(0),
            Value::Int64(n) => *n,
            Value::Time(time) => Time::now().since(time),
            _ => 0,
        };
        Ok(Value::text(round_text(nanoseconds.unsigned_abs())))
    }),
];

fn lossy(call: &Call<'_>, a: &[Value], at: usize) -> Result<String, Failure> {
    let text = call.string(a, at)?.bytes();
    // A layout of one character can stand for nine.
    call.budget.allocate(text.len().saturating_mul(10))?;
    Ok(runes(text).map(|(rune, _)| rune).collect())
}

/// A date, or seconds since 1970.
fn instant(value: &Value) -> Time {
    match value {
        Value::Time(time) => time.clone(),
        Value::Int(seconds) | Value::Int64(seconds) => Time::at(*seconds, 0),
        _ => Time::now(),
    }
}

fn shown(call: &Call<'_>, layout: &str, value: &Value, zone: Zone) -> Result<Value, Failure> {
    let time = Time {
        zone,
        ..instant(value)
    };
    call.made(layout::formatted(&time, layout).into_bytes())
}

fn in_zone(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    shown(
        call,
        &lossy(call, a, 0)?,
        &a[1],
        Zone::load(&lossy(call, a, 2)?),
    )
}

fn moved(call: &Call<'_>, a: &[Value]) -> Result<Option<Value>, Failure> {
    let by = parse_duration(&lossy(call, a, 0)?);
    let time = call.time(a, 1)?;
    Ok(by.map(|by| Value::Time(time.plus(by))))
}

fn must_modify(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    moved(call, a)?.ok_or_else(|| Failure::new("time: invalid duration"))
}

fn read(call: &Call<'_>, a: &[Value]) -> Result<Option<Time>, Failure> {
    Ok(layout_read::parsed(
        &lossy(call, a, 0)?,
        &lossy(call, a, 1)?,
    ))
}

/// `Duration.Round(time.Second)`.
fn rounded_to_second(nanoseconds: i64) -> i64 {
    let second = super::time::NANOSECONDS;
    let rest = nanoseconds % second;
    let down = nanoseconds - rest;
    if rest.abs() * 2 < second {
        down
    } else {
        down.saturating_add(second * rest.signum())
    }
}

/// The largest unit, cut off: `2mo`.
fn round_text(nanoseconds: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let units = [
        (365 * 24 * 3600 * SECOND, "y"),
        (30 * 24 * 3600 * SECOND, "mo"),
        (24 * 3600 * SECOND, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "m"),
        (SECOND, "s"),
    ];
    units
        .iter()
        .find(|(unit, _)| nanoseconds > *unit)
        .map_or_else(
            || "0s".to_owned(),
            |(unit, name)| format!("{}{name}", nanoseconds / unit),
        )
}
