//! What an unquoted scalar means: YAML 1.1 as Go's `yaml.v2` has it (`resolve.go`).

use serde_json::{Number, Value};

use super::float;

/// The meaning of an unquoted scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    Null,
    Boolean(bool),
    Integer(i64),
    /// Beyond `i64`.
    Unsigned(u64),
    Float(f64),
    /// A date; reads as text all the same.
    Timestamp,
    Text,
}

impl Meaning {
    /// The meaning of `text`. Same order of attempts as `resolve`, which is what makes `089` a number and
    /// `0x1p4` a text.
    pub(super) fn of(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => return Self::Null,
            "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
                return Self::Boolean(true);
            }
            "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off"
            | "OFF" => {
                return Self::Boolean(false);
            }
            ".nan" | ".NaN" | ".NAN" => return Self::Float(f64::NAN),
            ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
                return Self::Float(f64::INFINITY);
            }
            "-.inf" | "-.Inf" | "-.INF" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        match text.as_bytes().first() {
            Some(b'.') => of_fraction(text).map_or(Self::Text, Self::Float),
            Some(b'0'..=b'9' | b'+' | b'-') => Self::of_number(text),
            _ => Self::Text,
        }
    }

    fn of_number(text: &str) -> Self {
        if is_timestamp(text) {
            return Self::Timestamp;
        }
        let plain = text.replace('_', "");
        match integer(&plain) {
            Some(integer) => integer,
            None => decimal(&plain).map_or_else(|| signed_binary(&plain), Self::Float),
        }
    }

    /// As a JSON value; `text` is the scalar itself. `None` for what JSON has no word for: infinities and
    /// NaN.
    pub(super) fn value(self, text: &str) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Boolean(boolean) => Value::Bool(boolean),
            Self::Integer(integer) => Value::Number(Number::from(integer)),
            Self::Unsigned(integer) => Value::Number(Number::from(integer)),
            Self::Float(float) => return float::number(float),
            Self::Timestamp | Self::Text => Value::String(text.to_owned()),
        })
    }
}

/// A number that begins with its point goes to `strconv.ParseFloat` as it stands, which takes an underscore
/// only between two digits.
fn of_fraction(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let between_digits = |at: usize| {
        let neighbours = [at.checked_sub(1), at.checked_add(1)];
        neighbours.iter().all(|at| {
            at.and_then(|at| bytes.get(at))
                .is_some_and(u8::is_ascii_digit)
        })
    };
    let good = text.match_indices('_').all(|(at, _)| between_digits(at));
    if good {
        decimal(&text.replace('_', ""))
    } else {
        None
    }
}

/// `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: decimal, `0x`, `0o`, `0b`, and `0` for octal.
fn integer(text: &str) -> Option<Meaning> {
    let (negative, signed, digits) = match text.as_bytes().first()? {
        b'-' => (true, true, text.get(1..)?),
        b'+' => (false, true, text.get(1..)?),
        _ => (false, false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, digits.get(2..)?),
        [b'0', b'o' | b'O', ..] => (8, digits.get(2..)?),
        [b'0', b'b' | b'B', ..] => (2, digits.get(2..)?),
        [b'0', _, ..] => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // Rust's parser takes a sign of its own.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(magnitude).map(Meaning::Integer);
    }
    match i64::try_from(magnitude) {
        Ok(integer) => Some(Meaning::Integer(integer)),
        Err(_) if signed => None,
        Err(_) => Some(Meaning::Unsigned(magnitude)),
    }
}

/// `0b-1`: Go's last attempt takes the sign after the prefix.
fn signed_binary(text: &str) -> Meaning {
    let digits = text
        .strip_prefix("0b")
        .filter(|digits| digits.starts_with(['+', '-']));
    let integer = digits.and_then(|digits| i64::from_str_radix(digits, 2).ok());
    integer.map_or(Meaning::Text, Meaning::Integer)
}

/// A decimal number in the form of `yamlStyleFloat`; `None` also for one that is out of range.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let starts = digits.strip_prefix('.').unwrap_or(digits);
    let all = digits
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !all || !starts.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    text.parse::<f64>().ok().filter(|float| float.is_finite())
}

/// Whether Go's `parseTimestamp` accepts the text. It matters to the writer, which quotes such a text, and
/// to nobody else.
fn is_timestamp(text: &str) -> bool {
    timestamp(text).is_some()
}

fn timestamp(text: &str) -> Option<()> {
    let (year, rest) = text.split_at_checked(4)?;
    let year: u32 = all_digits(year)?.parse().ok()?;
    let (month, rest) = one_or_two(rest.strip_prefix('-')?)?;
    let (day, rest) = one_or_two(rest.strip_prefix('-')?)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    if rest.is_empty() {
        return Some(());
    }
    let with_zone = rest.starts_with(['T', 't']);
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, rest) = one_or_two(rest)?;
    let (minute, rest) = one_or_two(rest.strip_prefix(':')?)?;
    let (second, rest) = one_or_two(rest.strip_prefix(':')?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let rest = fraction(rest)?;
    if with_zone {
        zone(rest)
    } else {
        rest.is_empty().then_some(())
    }
}

fn all_digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

fn one_or_two(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    Some((digits.parse().ok()?, rest))
}

fn fraction(text: &str) -> Option<&str> {
    let Some(digits) = text.strip_prefix(['.', ',']) else {
        return Some(text);
    };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        None
    } else {
        digits.get(length..)
    }
}

/// `Z`, or an offset such as `+02:00`.
fn zone(text: &str) -> Option<()> {
    if text == "Z" {
        return Some(());
    }
    let (hour, minute) = text.strip_prefix(['+', '-'])?.split_once(':')?;
    let two = |text: &str| {
        (text.len() == 2)
            .then(|| all_digits(text)?.parse::<u32>().ok())
            .flatten()
    };
    (two(hour)? <= 24 && two(minute)? <= 60).then_some(())
}

fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
