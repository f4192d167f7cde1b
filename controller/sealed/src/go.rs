//! Values of flags in the forms that Go reads.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use jiff::fmt::strtime;

/// Go's `strconv.ParseBool`.
pub(crate) fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("it is none of true, false, t, f, 1, 0".to_owned()),
    }
}

/// Go's `time.ParseDuration`, without a sign but `+`. What exceeds Go's 292 years is refused.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("μs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("m", 6e10),
        ("h", 3.6e12),
    ];
    let malformed = || "it is no duration such as 720h, 1h30m or 90s".to_owned();
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Ok(Duration::ZERO);
    }
    if rest.is_empty() {
        return Err(malformed());
    }
    let mut nanoseconds = 0.0;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|end| *end > 0)
            .ok_or_else(malformed)?;
        let (number, after) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_| malformed())?;
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, size) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(malformed)?;
        nanoseconds += number * size;
        rest = after;
    }
    if nanoseconds > i64::MAX as f64 {
        return Err("it is longer than 292 years".to_owned());
    }
    Ok(Duration::from_secs_f64(nanoseconds / 1e9))
}

/// Go's `strconv.ParseInt` with base 0: decimal, or with one of the prefixes `0x`, `0o`, `0`, `0b`.
pub(crate) fn integer(text: &str) -> Result<u32, String> {
    let digits = text.replace('_', "");
    let (digits, base) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&digits[2..], 16),
        [b'0', b'o' | b'O', ..] => (&digits[2..], 8),
        [b'0', b'b' | b'B', ..] => (&digits[2..], 2),
        [b'0', _, ..] => (&digits[1..], 8),
        _ => (digits.as_str(), 10),
    };
    u32::from_str_radix(digits, base).map_err(|_| "it is no number from 0 on".to_owned())
}

/// A moment as `date -R` prints it, Go's `time.RFC1123Z`; nothing at all is none.
pub(crate) fn moment(text: &str) -> Result<Option<SystemTime>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = strtime::parse("%a, %d %b %Y %H:%M:%S %z", text)
        .and_then(|time| time.to_timestamp())
        .map_err(|_| {
            "it is no time such as Mon, 02 Jan 2006 15:04:05 -0700 (date -R)".to_owned()
        })?;
    Ok(Some(SystemTime::from(parsed)))
}

/// `key=value,key=value`. An empty entry is skipped: the incumbent's chart writes one at the end,
/// and the incumbent panics on it (`keys.go`, `writeKey`).
pub(crate) fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let entries = text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (key, value) = entry
                .split_once('=')
                .ok_or_else(|| format!("{entry} is not of the form key=value"))?;
            Ok((key.to_owned(), value.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, seconds) in [
            ("0", Some(0.0)),
            ("720h30m", Some(2_593_800.0)),
            ("8760h00m00s", Some(31_536_000.0)),
            ("1.5s", Some(1.5)),
            ("300ms", Some(0.3)),
            ("876000h", Some(3_153_600_000.0)),
            ("", None),
            ("5", None),
            ("h", None),
            ("1d", None),
            ("-1h", None),
            ("99999999h", None),
        ] {
            assert_eq!(
                duration(text).ok().map(|d| d.as_secs_f64()),
                seconds,
                "{text}"
            );
        }
    }

    #[test]
    fn booleans_are_read_as_go_reads_them() {
        assert_eq!(boolean("T"), Ok(true));
        assert_eq!(boolean("0"), Ok(false));
        assert!(boolean("yes").is_err());
    }

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, number) in [
            ("10", Some(10)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("1_000", Some(1_000)),
            ("-1", None),
            ("ten", None),
        ] {
            assert_eq!(integer(text).ok(), number, "{text}");
        }
    }

    #[test]
    fn moments_are_read_as_date_prints_them() {
        let parsed = moment("Mon, 02 Jan 2006 15:04:05 -0700").unwrap().unwrap();
        let seconds = parsed
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert_eq!(seconds, 1_136_239_445);
        assert_eq!(moment("").unwrap(), None);
        assert!(moment("2006-01-02").is_err());
    }

    #[test]
    fn a_comma_at_the_end_does_no_harm() {
        let pairs = pairs("a=1,b=2=3,").unwrap();
        assert_eq!(
            pairs,
            [("a".into(), "1".into()), ("b".into(), "2=3".into())].into()
        );
        assert!(super::pairs("a").is_err());
    }
}
