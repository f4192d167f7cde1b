//! Floating point numbers in Go's words.

use serde_json::{Number, Value};

/// 2 to the 63rd: the first float that no longer fits an `i64`.
const I64_END: f64 = 9_223_372_036_854_775_808.0;
/// 2 to the 64th: the first float that no longer fits a `u64`.
const U64_END: f64 = 18_446_744_073_709_551_616.0;

/// A float as JSON value. Go's encoder writes `1000.0` as `1000`, and the API server refuses `1000.0` for an
/// integer field; so an integral one becomes an integer. `None` for infinities and NaN, which JSON has not.
pub(super) fn number(float: f64) -> Option<Value> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "bounds and fraction are checked"
    )]
    #[expect(clippy::cast_sign_loss, reason = "bounds are checked")]
    let number = if float.fract() != 0.0 {
        Number::from_f64(float)?
    } else if (-I64_END..I64_END).contains(&float) {
        Number::from(float as i64)
    } else if (I64_END..U64_END).contains(&float) {
        Number::from(float as u64)
    } else {
        Number::from_f64(float)?
    };
    Some(Value::Number(number))
}

/// `strconv.FormatFloat(float, 'g', -1, 64)`: the shortest digits that read back, with an
/// exponent below -4 and from 6 on.
pub(super) fn print(float: f64) -> String {
    go_format(&format!("{float:e}"))
}

/// `strconv.FormatFloat(float, 'g', -1, 32)`, which is how a float becomes a key.
#[expect(clippy::cast_possible_truncation, reason = "Go rounds to 32 bits here")]
pub(super) fn print_as_key(float: f64) -> String {
    let float = float as f32;
    if float.is_infinite() {
        return if float > 0.0 {
            ".inf".to_owned()
        } else {
            "-.inf".to_owned()
        };
    }
    go_format(&format!("{float:e}"))
}

/// From Rust's `-1.25e3` to what Go's `%g` makes of it.
fn go_format(scientific: &str) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs());
    }
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let places = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(places - 1));
    }
    if digits.len() <= places + 1 {
        return format!("{sign}{digits}{}", "0".repeat(places + 1 - digits.len()));
    }
    let (whole, fraction) = digits.split_at(places + 1);
    format!("{sign}{whole}.{fraction}")
}
