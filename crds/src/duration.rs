//! Go's `time.Duration` in text, as `metav1.Duration` has it in JSON.
//!
//! Not `kube::core::Duration`: its parser panics on overflow and on an inner sign (`99999999999999h`,
//! `1h-5m`), it runs inside the decoding of a whole list, and it prints `3600s` where Go prints `1h0m0s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The longest duration that a spec may ask for. Ten years: more means "never" to any caller, and
/// stays far from where adding it to a clock overflows.
pub const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest interval that work is repeated at. A smaller one in a manifest would keep a worker busy
/// with one object; the incumbents accept it and do so.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Nanoseconds of Go's largest duration.
const GO_LONGEST: u64 = i64::MAX as u64;

/// A text that is no Go duration, or one that nothing can be scheduled by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DurationError {
    /// Not of Go's form.
    #[error("not a duration such as \"1h\", \"5m30s\" or \"500ms\"")]
    Malformed,
    /// A number without a unit, the most frequent slip.
    #[error("a duration needs a unit: one of \"h\", \"m\", \"s\", \"ms\", \"us\", \"ns\"")]
    NoUnit,
    /// Below zero.
    #[error("a duration must not be negative")]
    Negative,
    /// Beyond [`LONGEST`], or beyond what Go can hold.
    #[error("a duration must not exceed 87600h (ten years)")]
    TooLong,
}

/// Reads a Go duration and bounds it to what a schedule can use: not negative, at most [`LONGEST`].
///
/// # Errors
/// Says what is wrong with the text, without quoting it.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let duration = GoDuration::from_str(text)?;
    if duration.negative && duration.nanoseconds != 0 {
        return Err(DurationError::Negative);
    }
    let duration = Duration::from_nanos(duration.nanoseconds);
    if duration > LONGEST {
        Err(DurationError::TooLong)
    } else {
        Ok(duration)
    }
}

/// Prints a duration as Go's `Duration.String` does: `1h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`.
#[must_use]
pub fn print(duration: Duration) -> String {
    let nanoseconds = u64::try_from(duration.as_nanos())
        .unwrap_or(GO_LONGEST)
        .min(GO_LONGEST);
    GoDuration {
        nanoseconds,
        negative: false,
    }
    .to_string()
}

/// Go's duration: 63 bits of nanoseconds and a sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct GoDuration {
    nanoseconds: u64,
    negative: bool,
}

impl FromStr for GoDuration {
    type Err = DurationError;

    /// The grammar of Go's `time.ParseDuration`, including its truncation of fractions.
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let (negative, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if rest == "0" {
            return Ok(Self {
                nanoseconds: 0,
                negative,
            });
        }
        if rest.is_empty() {
            return Err(DurationError::Malformed);
        }
        let mut nanoseconds = 0_u64;
        while !rest.is_empty() {
            let (part, after) = term(rest)?;
            nanoseconds = nanoseconds
                .checked_add(part)
                .ok_or(DurationError::TooLong)?;
            rest = after;
        }
        if nanoseconds > GO_LONGEST {
            return Err(DurationError::TooLong);
        }
        Ok(Self {
            nanoseconds,
            negative,
        })
    }
}

/// One number with its unit, and what follows it.
fn term(text: &str) -> Result<(u64, &str), DurationError> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Malformed);
    }
    let unit_ends = rest
        .find(|c: char| c == '.' || c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_ends);
    let unit = match unit {
        "" => return Err(DurationError::NoUnit),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(DurationError::Malformed),
    };
    let whole = if whole.is_empty() {
        Ok(0)
    } else {
        whole.parse::<u64>()
    };
    let whole = whole.map_err(|_| DurationError::TooLong)?;
    let nanoseconds = whole.checked_mul(unit).ok_or(DurationError::TooLong)?;
    let nanoseconds = nanoseconds.checked_add(part_of(fraction, unit));
    Ok((nanoseconds.ok_or(DurationError::TooLong)?, rest))
}

/// `0.fraction` of `unit`, rounded down. Digits beyond the 18th are below a nanosecond of an hour.
fn part_of(fraction: &str, unit: u64) -> u64 {
    let mut scale = 1_u128;
    let mut value = 0_u128;
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(value * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    )
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative && self.nanoseconds != 0 {
            f.write_str("-")?;
        }
        let nanoseconds = self.nanoseconds;
        match nanoseconds {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanoseconds}ns"),
            1_000..1_000_000 => write_decimal(f, nanoseconds, 1_000, "\u{b5}s"),
            1_000_000..1_000_000_000 => write_decimal(f, nanoseconds, 1_000_000, "ms"),
            _ => {
                let minutes = nanoseconds / 60_000_000_000;
                if minutes >= 60 {
                    write!(f, "{}h", minutes / 60)?;
                }
                if minutes > 0 {
                    write!(f, "{}m", minutes % 60)?;
                }
                write_decimal(f, nanoseconds % 60_000_000_000, 1_000_000_000, "s")
            }
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, unit: u64, name: &str) -> fmt::Result {
    write!(f, "{}", value / unit)?;
    if !value.is_multiple_of(unit) {
        let places = unit.ilog10() as usize;
        let fraction = format!("{:0places$}", value % unit);
        write!(f, ".{}", fraction.trim_end_matches('0'))?;
    }
    f.write_str(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_go_does() {
        for (text, nanoseconds, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("-0s", 0, "0s"),
            ("1h", 3_600_000_000_000, "1h0m0s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("90s", 90_000_000_000, "1m30s"),
            ("1.5s", 1_500_000_000, "1.5s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("250ms", 250_000_000, "250ms"),
            ("1.5us", 1_500, "1.5\u{b5}s"),
            ("+5m", 300_000_000_000, "5m0s"),
            ("1m1m", 120_000_000_000, "2m0s"),
            (
                "0.3333333333333333333h",
                1_199_999_999_999,
                "19m59.999999999s",
            ),
            ("60.001s", 60_001_000_000, "1m0.001s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_nanos(nanoseconds), "{text}");
            assert_eq!(print(duration), printed, "{text}");
        }
    }

    #[test]
    fn what_is_no_usable_duration_is_an_error_and_never_a_panic() {
        use DurationError::{Malformed, Negative, NoUnit, TooLong};
        for (text, error) in [
            ("", Malformed),
            ("-", Malformed),
            ("h", Malformed),
            (".s", Malformed),
            ("60", NoUnit),
            ("1h60", NoUnit),
            ("1d", Malformed),
            ("1h-5m", Malformed),
            ("1 h", Malformed),
            ("\u{661}h", Malformed),
            ("-5m", Negative),
            ("99999999h", TooLong),
            ("99999999999999999999999h", TooLong),
            ("2540400h10m10.1s", TooLong),
            ("87600h0m1s", TooLong),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert_eq!(parse("87600h"), Ok(LONGEST));
    }
}
