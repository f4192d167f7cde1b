//! `spf13/cast`, by which sprig turns anything into a number. A text that is none is zero.
//!
//! The incumbents pin different versions of it: 1.7 cuts only `.000` off a text before it reads an
//! integer, 1.10 any fraction.

use super::Value;

/// Which version of `spf13/cast` decides.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Casting {
    /// 1.7, with sealed-secrets: `"1.5"` is 0.
    ZeroFraction,
    /// 1.10, with external-secrets: `"1.5"` is 1.
    AnyFraction,
}

/// `cast.ToInt64`; `cast.ToInt` is the same on 64 bits.
pub(crate) fn to_int(value: &Value, casting: Casting) -> i64 {
    match value {
        Value::Bool(true) => 1,
        Value::Int(n) | Value::Int64(n) => *n,
        // cast 1.7 does not know a time.Duration, 1.10 knows months and weekdays only.
        Value::Named(super::Named::Duration, _) => 0,
        Value::Named(_, n) => *n,
        Value::Uint8(n) => i64::from(*n),
        Value::Uint64(n) => n.cast_signed(),
        Value::Float(n) => float_to_int(*n),
        Value::String(text) => std::str::from_utf8(text.bytes())
            .ok()
            .and_then(|text| parse_int(fraction_cut(text, casting)))
            .unwrap_or(0),
        _ => 0,
    }
}

/// `cast.ToFloat64`.
pub(crate) fn to_float(value: &Value) -> f64 {
    match value {
        Value::Bool(true) => 1.0,
        Value::Int(n) | Value::Int64(n) => *n as f64,
        Value::Named(super::Named::Duration, _) => 0.0,
        Value::Named(_, n) => *n as f64,
        Value::Uint8(n) => f64::from(*n),
        Value::Uint64(n) => *n as f64,
        Value::Float(n) => *n,
        Value::String(text) => std::str::from_utf8(text.bytes())
            .ok()
            .and_then(parse_float)
            .unwrap_or(0.0),
        _ => 0.0,
    }
}

/// Go's conversion on amd64: what does not fit becomes the smallest integer.
pub(crate) fn float_to_int(n: f64) -> i64 {
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&n) {
        n as i64
    } else {
        i64::MIN
    }
}

fn fraction_cut(text: &str, casting: Casting) -> &str {
    let Some((whole, fraction)) = text.split_once('.') else {
        return text;
    };
    match casting {
        Casting::ZeroFraction => {
            if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') {
                whole
            } else {
                text
            }
        }
        Casting::AnyFraction => {
            let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
            let decimal = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
            if !decimal(digits) || !decimal(fraction) {
                text
            } else if digits.is_empty() {
                "0"
            } else {
                whole
            }
        }
    }
}

/// `strconv.ParseInt(text, 0, 64)`: the prefix says the base, underscores may stand between digits.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let magnitude = parse_magnitude(digits)?;
    if negative {
        0i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// `strconv.ParseUint(text, 0, 64)`.
pub(crate) fn parse_magnitude(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if lower.contains('_') && !underscores_are_between_digits(&lower) {
        return None;
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return None;
    }
    u64::from_str_radix(&digits, base).ok()
}

/// `underscoreOK` of strconv: an underscore separates digits, or a base prefix from digits.
fn underscores_are_between_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let prefixed = bytes.len() >= 2 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'b' | b'o');
    let (start, hex) = if prefixed {
        (2, bytes[1] == b'x')
    } else {
        (0, false)
    };
    let mut before = if prefixed || bytes.first() == Some(&b'0') {
        '0'
    } else {
        '^'
    };
    for byte in &bytes[start..] {
        if byte.is_ascii_digit() || (hex && byte.is_ascii_hexdigit()) {
            before = '0';
        } else if *byte == b'_' {
            if before != '0' {
                return false;
            }
            before = '_';
        } else {
            if before == '_' {
                return false;
            }
            before = '!';
        }
    }
    before != '_'
}

/// `strconv.ParseFloat(text, 64)`; a value out of range is an error there as well.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0x") {
        let magnitude = crate::syntax::hex_float(hex)?;
        return Some(if text.starts_with('-') {
            -magnitude
        } else {
            magnitude
        });
    }
    if matches!(lower.as_str(), "inf" | "infinity" | "nan") {
        return text.parse().ok();
    }
    if lower.contains('_') {
        let plain = text.replace('_', "");
        return if underscores_are_between_digits(&lower) {
            parse_float(&plain)
        } else {
            None
        };
    }
    let plain = lower
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'+' | b'-'));
    if !plain || !lower.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|n: &f64| n.is_finite())
}
