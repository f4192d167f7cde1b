//! The methods a template may call on a value: those of dates and versions that take and give what
//! a template can hold. The first argument is the receiver.

use std::cmp::Ordering;
use std::rc::Rc;

use super::semver::Place;
use super::time::{Time, days, duration_text};
use super::{Call, Function, Type, Version, function, layout};
use crate::run::Failure;
use crate::value::{Named, Value};

use Type::{Any, Int, String as Str, Time as Date, Version as Semver};

/// The methods of a value.
pub(crate) fn methods(value: &Value) -> &'static [Function] {
    match value {
        Value::Time(_) => DATE,
        Value::Version(_) => VERSION,
        Value::Named(Named::Duration, _) => DURATION,
        Value::Named(..) => NAME,
        _ => &[],
    }
}

const DATE: &[Function] = &[
    function("Format", &[Date, Str], None, |call, a| {
        let text = call.string(a, 1)?.bytes();
        call.budget.allocate(text.len().saturating_mul(10))?;
        let form: String = crate::value::runes(text).map(|(rune, _)| rune).collect();
        call.made(layout::formatted(call.time(a, 0)?, &form).into_bytes())
    }),
    function("String", &[Date], None, |call, a| {
        call.made(call.time(a, 0)?.to_string().into_bytes())
    }),
    function("Unix", &[Date], None, |call, a| {
        Ok(Value::Int64(call.time(a, 0)?.seconds))
    }),
    function("UnixMilli", &[Date], None, |call, a| {
        let time = call.time(a, 0)?;
        let parts = i64::from(time.nanoseconds / 1_000_000);
        Ok(Value::Int64(
            time.seconds.wrapping_mul(1000).wrapping_add(parts),
        ))
    }),
    function("UnixNano", &[Date], None, |call, a| {
        let time = call.time(a, 0)?;
        let parts = i64::from(time.nanoseconds);
        Ok(Value::Int64(
            time.seconds.wrapping_mul(1_000_000_000).wrapping_add(parts),
        ))
    }),
    function("Year", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().year))
    }),
    function("Month", &[Date], None, |call, a| {
        Ok(Value::Named(Named::Month, call.time(a, 0)?.civil().month))
    }),
    function("Day", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().day))
    }),
    function("YearDay", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().day_of_year))
    }),
    function("Weekday", &[Date], None, |call, a| {
        Ok(Value::Named(
            Named::Weekday,
            call.time(a, 0)?.civil().weekday,
        ))
    }),
    function("Hour", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().hour))
    }),
    function("Minute", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().minute))
    }),
    function("Second", &[Date], None, |call, a| {
        Ok(Value::Int(call.time(a, 0)?.civil().second))
    }),
    function("Nanosecond", &[Date], None, |call, a| {
        Ok(Value::Int(i64::from(call.time(a, 0)?.nanoseconds)))
    }),
    function("IsZero", &[Date], None, |call, a| {
        let (time, zero) = (call.time(a, 0)?, Time::zero());
        Ok(Value::Bool(
            time.seconds == zero.seconds && time.nanoseconds == 0,
        ))
    }),
    function("UTC", &[Date], None, |call, a| {
        let time = call.time(a, 0)?;
        Ok(Value::Time(Time::at(time.seconds, time.nanoseconds)))
    }),
    function("Before", &[Date, Date], None, |call, a| {
        Ok(Value::Bool(order(call, a)? == Ordering::Less))
    }),
    function("After", &[Date, Date], None, |call, a| {
        Ok(Value::Bool(order(call, a)? == Ordering::Greater))
    }),
    function("Equal", &[Date, Date], None, |call, a| {
        Ok(Value::Bool(order(call, a)? == Ordering::Equal))
    }),
    function("Sub", &[Date, Date], None, |call, a| {
        Ok(Value::Named(
            Named::Duration,
            call.time(a, 0)?.since(call.time(a, 1)?),
        ))
    }),
    function("AddDate", &[Date, Int, Int, Int], None, add_date),
];

fn order(call: &Call<'_>, a: &[Value]) -> Result<Ordering, Failure> {
    let (one, other) = (call.time(a, 0)?, call.time(a, 1)?);
    Ok((one.seconds, one.nanoseconds).cmp(&(other.seconds, other.nanoseconds)))
}

fn add_date(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let time = call.time(a, 0)?;
    let (years, months, by_days) = (call.int(a, 1)?, call.int(a, 2)?, call.int(a, 3)?);
    const FARTHEST: i64 = 100_000;
    if [years, months, by_days].iter().any(|n| n.abs() > FARTHEST) {
        return Err(Failure::new("the date is too far away"));
    }
    let civil = time.civil();
    let month = civil.month - 1 + months;
    let (year, month) = (
        civil.year + years + month.div_euclid(12),
        month.rem_euclid(12) + 1,
    );
    let before = days(civil.year, civil.month, civil.day);
    let after = days(year, month, 1) + civil.day - 1 + by_days;
    Ok(Value::Time(Time {
        seconds: time.seconds + (after - before) * 86_400,
        ..time.clone()
    }))
}

const NAME: &[Function] = &[function("String", &[Any], None, |call, a| {
    Ok(Value::String(crate::print::text_of(&a[0], call.budget)?))
})];

const DURATION: &[Function] = &[
    function("String", &[Any], None, |_, a| {
        Ok(Value::text(duration_text(nanoseconds(a))))
    }),
    function("Hours", &[Any], None, |_, a| {
        Ok(Value::Float(nanoseconds(a) as f64 / 3.6e12))
    }),
    function("Minutes", &[Any], None, |_, a| {
        Ok(Value::Float(nanoseconds(a) as f64 / 6e10))
    }),
    function("Seconds", &[Any], None, |_, a| {
        Ok(Value::Float(nanoseconds(a) as f64 / 1e9))
    }),
    function("Milliseconds", &[Any], None, |_, a| {
        Ok(Value::Int64(nanoseconds(a) / 1_000_000))
    }),
];

fn nanoseconds(a: &[Value]) -> i64 {
    match a.first() {
        Some(Value::Named(_, n)) => *n,
        _ => 0,
    }
}

const VERSION: &[Function] = &[
    function("Major", &[Semver], None, |_, a| {
        of(a, 0, |v| Value::Uint64(v.major))
    }),
    function("Minor", &[Semver], None, |_, a| {
        of(a, 0, |v| Value::Uint64(v.minor))
    }),
    function("Patch", &[Semver], None, |_, a| {
        of(a, 0, |v| Value::Uint64(v.patch))
    }),
    function("Prerelease", &[Semver], None, |_, a| {
        of(a, 0, |v| v.part(&v.prerelease))
    }),
    function("Metadata", &[Semver], None, |_, a| {
        of(a, 0, |v| v.part(&v.metadata))
    }),
    function("Original", &[Semver], None, |_, a| {
        of(a, 0, |v| v.part(&v.original))
    }),
    function("String", &[Semver], None, |_, a| {
        of(a, 0, |v| v.part(&v.to_string()))
    }),
    function("IncMajor", &[Semver], None, |_, a| next(a, Place::Major)),
    function("IncMinor", &[Semver], None, |_, a| next(a, Place::Minor)),
    function("IncPatch", &[Semver], None, |_, a| next(a, Place::Patch)),
    function("Compare", &[Semver, Semver], None, |_, a| {
        compared(a, |order| Value::Int(order as i64))
    }),
    function("Equal", &[Semver, Semver], None, |_, a| {
        compared(a, |o| Value::Bool(o.is_eq()))
    }),
    function("LessThan", &[Semver, Semver], None, |_, a| {
        compared(a, |o| Value::Bool(o.is_lt()))
    }),
    function("GreaterThan", &[Semver, Semver], None, |_, a| {
        compared(a, |o| Value::Bool(o.is_gt()))
    }),
];

fn of(a: &[Value], at: usize, part: impl Fn(&Version) -> Value) -> Result<Value, Failure> {
    match a.get(at) {
        Some(Value::Version(version)) => Ok(part(version)),
        _ => Err(Failure::new(
            "wrong type for value; expected *semver.Version",
        )),
    }
}

fn next(a: &[Value], place: Place) -> Result<Value, Failure> {
    of(a, 0, |version| Value::Version(Rc::new(version.next(place))))
}

fn compared(a: &[Value], answer: impl Fn(Ordering) -> Value) -> Result<Value, Failure> {
    match (a.first(), a.get(1)) {
        (Some(Value::Version(one)), Some(Value::Version(other))) => Ok(answer(one.compare(other))),
        _ => Err(Failure::new(
            "wrong type for value; expected *semver.Version",
        )),
    }
}
