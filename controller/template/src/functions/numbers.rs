//! sprig's arithmetic (`numeric.go`). Everything is turned into an `int64` or a `float64` first.

use super::{Call, Function, Type, function};
use crate::run::Failure;
use crate::value::{ENTRY_BYTES, Element, List, Value, to_float};

use Type::{Any, Float, Int, String as Str};

pub(super) const FUNCTIONS: &[Function] = &[
    function("atoi", &[Str], None, |call, a| {
        Ok(Value::Int(decimal(call.string(a, 0)?.bytes())))
    }),
    function("int64", &[Any], None, |call, a| {
        Ok(Value::Int64(call.integer(&a[0])))
    }),
    function("int", &[Any], None, |call, a| {
        Ok(Value::Int(call.integer(&a[0])))
    }),
    function("float64", &[Any], None, |_, a| {
        Ok(Value::Float(to_float(&a[0])))
    }),
    function("toDecimal", &[Any], None, |call, a| {
        let text = crate::print::text_of(&a[0], call.budget)?;
        let text = std::str::from_utf8(text.bytes()).unwrap_or_default();
        let octal = |text: &str| i64::from_str_radix(text, 8).ok();
        Ok(Value::Int64(octal(text).unwrap_or(0)))
    }),
    function("until", &[Int], None, |call, a| {
        let count = call.int(a, 0)?;
        list_of(call, 0, count, if count < 0 { -1 } else { 1 })
    }),
    function("untilStep", &[Int, Int, Int], None, |call, a| {
        list_of(call, call.int(a, 0)?, call.int(a, 1)?, call.int(a, 2)?)
    }),
    function("seq", &[], Some(Int), seq),
    function("add1", &[Any], None, |call, a| {
        Ok(Value::Int64(call.integer(&a[0]).wrapping_add(1)))
    }),
    function("add", &[], Some(Any), |call, a| {
        Ok(Value::Int64(a.iter().fold(0, |sum, value| {
            sum.wrapping_add(call.integer(value))
        })))
    }),
    function("sub", &[Any, Any], None, |call, a| {
        Ok(Value::Int64(
            call.integer(&a[0]).wrapping_sub(call.integer(&a[1])),
        ))
    }),
    function("div", &[Any, Any], None, |call, a| {
        let divisor = divisor(call, &a[1])?;
        Ok(Value::Int64(call.integer(&a[0]).wrapping_div(divisor)))
    }),
    function("mod", &[Any, Any], None, |call, a| {
        let divisor = divisor(call, &a[1])?;
        Ok(Value::Int64(call.integer(&a[0]).wrapping_rem(divisor)))
    }),
    function("mul", &[Any], Some(Any), |call, a| {
        Ok(Value::Int64(a.iter().fold(1, |product: i64, value| {
            product.wrapping_mul(call.integer(value))
        })))
    }),
    function("biggest", &[Any], Some(Any), |call, a| {
        Ok(Value::Int64(extreme(call, a, i64::max)))
    }),
    function("max", &[Any], Some(Any), |call, a| {
        Ok(Value::Int64(extreme(call, a, i64::max)))
    }),
    function("min", &[Any], Some(Any), |call, a| {
        Ok(Value::Int64(extreme(call, a, i64::min)))
    }),
    function("maxf", &[Any], Some(Any), |_, a| {
        Ok(Value::Float(extreme_float(a, f64::max)))
    }),
    function("minf", &[Any], Some(Any), |_, a| {
        Ok(Value::Float(extreme_float(a, f64::min)))
    }),
    function("ceil", &[Any], None, |_, a| {
        Ok(Value::Float(to_float(&a[0]).ceil()))
    }),
    function("floor", &[Any], None, |_, a| {
        Ok(Value::Float(to_float(&a[0]).floor()))
    }),
    function("round", &[Any, Int], Some(Float), round),
];

/// `strconv.Atoi` with its error dropped: what is out of range is the end of the range.
pub(super) fn decimal(text: &[u8]) -> i64 {
    let text = std::str::from_utf8(text).unwrap_or_default();
    match text.parse::<i64>() {
        Ok(n) => n,
        Err(error) => match error.kind() {
            std::num::IntErrorKind::PosOverflow => i64::MAX,
            std::num::IntErrorKind::NegOverflow => i64::MIN,
            _ => 0,
        },
    }
}

fn divisor(call: &Call<'_>, value: &Value) -> Result<i64, Failure> {
    match call.integer(value) {
        0 => Err(Failure::new("integer divide by zero")),
        divisor => Ok(divisor),
    }
}

fn extreme(call: &Call<'_>, a: &[Value], choose: fn(i64, i64) -> i64) -> i64 {
    a.iter()
        .map(|value| call.integer(value))
        .reduce(choose)
        .unwrap_or(0)
}

/// As `math.Max`: what is not a number wins.
fn extreme_float(a: &[Value], choose: fn(f64, f64) -> f64) -> f64 {
    let pick = |x: f64, y: f64| {
        if x.is_nan() || y.is_nan() {
            f64::NAN
        } else {
            choose(x, y)
        }
    };
    a.iter().map(to_float).reduce(pick).unwrap_or(0.0)
}

/// `untilStep` of sprig.
fn steps(call: &Call<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, Failure> {
    let up = stop >= start;
    if step == 0 || up != (step > 0) {
        return Ok(Vec::new());
    }
    let distance = start.abs_diff(stop);
    let count = usize::try_from(distance.div_ceil(step.unsigned_abs())).unwrap_or(usize::MAX);
    call.budget.allocate_many(count, ENTRY_BYTES)?;
    let mut numbers = Vec::with_capacity(count);
    let mut next = Some(start);
    while let Some(n) = next.filter(|n| if up { *n < stop } else { *n > stop }) {
        numbers.push(n);
        next = n.checked_add(step);
    }
    Ok(numbers)
}

fn list_of(call: &Call<'_>, start: i64, stop: i64, step: i64) -> Result<Value, Failure> {
    let numbers = steps(call, start, stop, step)?
        .into_iter()
        .map(Value::Int)
        .collect();
    Ok(Value::List(List::new(Element::Int, numbers)))
}

/// Like the shell's: end; start and end; start, step and end.
fn seq(call: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let at = |place| call.int(a, place);
    let (start, step, end) = match a.len() {
        1 => {
            let end = at(0)?;
            (1, if end < 1 { -1 } else { 1 }, end)
        }
        2 => {
            let (start, end) = (at(0)?, at(1)?);
            (start, if end < start { -1 } else { 1 }, end)
        }
        3 => (at(0)?, at(1)?, at(2)?),
        _ => return Ok(Value::text("")),
    };
    if a.len() == 3 && end < start && step > 0 {
        return Ok(Value::text(""));
    }
    let stop = if end < start {
        end.saturating_sub(1)
    } else {
        end.saturating_add(1)
    };
    let numbers: Vec<String> = steps(call, start, stop, step)?
        .iter()
        .map(i64::to_string)
        .collect();
    call.made(numbers.join(" ").into_bytes())
}

/// sprig's `round`: half, or what the third argument says, goes up.
fn round(_: &Call<'_>, a: &[Value]) -> Result<Value, Failure> {
    let value = to_float(&a[0]);
    let up_from = a.get(2).map_or(0.5, to_float);
    let power = 10f64.powf(to_float(&a[1]));
    let digit = power * value;
    let fraction = digit.fract();
    let whole = if fraction >= up_from {
        digit.ceil()
    } else {
        digit.floor()
    };
    Ok(Value::Float(whole / power))
}
