//! Points in time and zones. The local zone is UTC: the controller runs in a container without one.

use std::fmt;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::layout;
use crate::run::Failure;

/// `time.Time`: an instant and the zone it is shown in.
#[derive(Clone)]
pub(crate) struct Time {
    /// Seconds since 1970, negative before.
    pub(crate) seconds: i64,
    pub(crate) nanoseconds: u32,
    pub(crate) zone: Zone,
}

impl PartialEq for Time {
    fn eq(&self, other: &Self) -> bool {
        self.seconds == other.seconds
            && self.nanoseconds == other.nanoseconds
            && self.zone.offset(self.seconds) == other.zone.offset(other.seconds)
    }
}

/// `time.Location`.
#[derive(Clone)]
pub(crate) enum Zone {
    Utc,
    /// From a text with an offset; the name may be empty.
    Fixed {
        offset: i64,
        name: String,
    },
    Named(TimeZone),
}

/// The zones that come with the program: no file is read.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// `time.LoadLocation`; what it does not know is UTC, as sprig has it.
    pub(crate) fn load(name: &str) -> Self {
        match name {
            "" | "UTC" | "Local" => Self::Utc,
            // Go opens a file of this name, so case counts.
            name => match ZONES.get(name) {
                Ok(zone) if zone.iana_name() == Some(name) => Self::Named(zone),
                _ => Self::Utc,
            },
        }
    }

    /// Seconds east of Greenwich at an instant.
    pub(crate) fn offset(&self, seconds: i64) -> i64 {
        match self {
            Self::Utc => 0,
            Self::Fixed { offset, .. } => *offset,
            Self::Named(zone) => Timestamp::from_second(seconds)
                .map_or(0, |instant| i64::from(zone.to_offset(instant).seconds())),
        }
    }

    /// The abbreviation at an instant.
    pub(crate) fn abbreviation(&self, seconds: i64) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Fixed { name, .. } => name.clone(),
            Self::Named(zone) => Timestamp::from_second(seconds).map_or_else(
                |_| String::new(),
                |instant| zone.to_offset_info(instant).abbreviation().to_owned(),
            ),
        }
    }
}

/// What a clock and a calendar show.
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) weekday: i64,
    pub(crate) day_of_year: i64,
}

const DAY: i64 = 86_400;

impl Time {
    pub(crate) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::at(
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            since.subsec_nanos(),
        )
    }

    pub(crate) fn at(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds,
            nanoseconds,
            zone: Zone::Utc,
        }
    }

    /// `time.Time{}`: the first of January of the year one.
    pub(crate) fn zero() -> Self {
        Self::at(days(1, 1, 1) * DAY, 0)
    }

    pub(crate) fn civil(&self) -> Civil {
        let local = self.seconds.saturating_add(self.zone.offset(self.seconds));
        let (day_number, rest) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date(day_number);
        Civil {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (day_number + 4).rem_euclid(7),
            day_of_year: day_number - days(year, 1, 1) + 1,
        }
    }

    /// Moves by nanoseconds.
    pub(crate) fn plus(&self, nanoseconds: i64) -> Self {
        let sum = i64::from(self.nanoseconds) + nanoseconds.rem_euclid(NANOSECONDS);
        let seconds = self
            .seconds
            .saturating_add(nanoseconds.div_euclid(NANOSECONDS))
            .saturating_add(sum / NANOSECONDS);
        Self {
            seconds,
            nanoseconds: u32::try_from(sum % NANOSECONDS).unwrap_or(0),
            zone: self.zone.clone(),
        }
    }

    /// Nanoseconds from another time to this one, as far as they fit.
    pub(crate) fn since(&self, other: &Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let all = seconds * i128::from(NANOSECONDS) + i128::from(self.nanoseconds)
            - i128::from(other.nanoseconds);
        i64::try_from(all).unwrap_or(if all < 0 { i64::MIN } else { i64::MAX })
    }

    /// `MarshalJSON`.
    pub(crate) fn rfc3339_nano(&self) -> Result<String, Failure> {
        if !(0..10_000).contains(&self.civil().year) {
            return Err(Failure::new("year outside of range [0,9999]"));
        }
        Ok(layout::formatted(
            self,
            "2006-01-02T15:04:05.999999999Z07:00",
        ))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&layout::formatted(
            self,
            "2006-01-02 15:04:05.999999999 -0700 MST",
        ))
    }
}

pub(crate) const NANOSECONDS: i64 = 1_000_000_000;

/// Days since 1970-01-01 of a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year.clamp(-10_000_000, 10_000_000) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date(day_number: i64) -> (i64, i64, i64) {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let place = (5 * of_year + 2) / 153;
    let month = if place < 10 { place + 3 } else { place - 9 };
    (
        year + era * 400 + i64::from(month <= 2),
        month,
        of_year - (153 * place + 2) / 5 + 1,
    )
}

/// `time.Duration.String`.
pub(crate) fn duration_text(nanoseconds: i64) -> String {
    let magnitude = nanoseconds.unsigned_abs();
    if magnitude == 0 {
        return "0s".to_owned();
    }
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let with_fraction = |whole: u64, part: u64, digits: usize| {
        let fraction = format!("{part:0digits$}");
        match fraction.trim_end_matches('0') {
            "" => whole.to_string(),
            fraction => format!("{whole}.{fraction}"),
        }
    };
    if magnitude < 1_000 {
        return format!("{sign}{magnitude}ns");
    }
    if magnitude < 1_000_000 {
        return format!(
            "{sign}{}µs",
            with_fraction(magnitude / 1_000, magnitude % 1_000, 3)
        );
    }
    if magnitude < 1_000_000_000 {
        return format!(
            "{sign}{}ms",
            with_fraction(magnitude / 1_000_000, magnitude % 1_000_000, 6)
        );
    }
    let seconds = magnitude / 1_000_000_000;
    let shown = with_fraction(seconds % 60, magnitude % 1_000_000_000, 9);
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{sign}{shown}s"),
        (0, minutes) => format!("{sign}{minutes}m{shown}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{shown}s"),
    }
}

/// `time.ParseDuration`.
pub(crate) fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut all: u64 = 0;
    while !rest.is_empty() {
        let whole_length = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(whole_length);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_length = after
            .find(|c: char| c == '.' || c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_length);
        let unit = unit_nanoseconds(unit)?;
        let whole: u64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        all = all.checked_add(whole.checked_mul(unit)?)?;
        all = all.checked_add(fraction_of(fraction, unit))?;
        if all > 1 << 63 {
            return None;
        }
        rest = after;
    }
    if negative {
        0i64.checked_sub_unsigned(all)
    } else {
        i64::try_from(all).ok()
    }
}

/// The fraction of a unit, truncated, as Go computes it.
fn fraction_of(fraction: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0u64, 1f64);
    for digit in fraction.bytes() {
        let Some(next) = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit - b'0')))
        else {
            break;
        };
        if next > 1 << 63 {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

fn unit_nanoseconds(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}
