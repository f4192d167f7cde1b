//! Go's date layouts: a layout is the reference time, Mon Jan 2 15:04:05 2006.

use super::time::Time;
use crate::print::{MONTHS, WEEKDAYS};

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    SpaceDay,
    ZeroDay,
    SpaceYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperNoon,
    LowerNoon,
    Zone,
    Offset {
        z: bool,
        minutes: bool,
        seconds: bool,
        colon: bool,
    },
    /// The separator, how many digits, and whether zeros at the end are written.
    Fraction {
        separator: char,
        digits: usize,
        zeros: bool,
    },
}

const OFFSETS: [(&str, bool, bool, bool); 5] = [
    ("070000", true, true, false),
    ("07:00:00", true, true, true),
    ("0700", true, false, false),
    ("07:00", true, false, true),
    ("07", false, false, false),
];

/// `nextStdChunk`: the text before the first part, the part, and the rest.
pub(super) fn next_part(layout: &str) -> (&str, Option<Part>, &str) {
    for (at, _) in layout.char_indices() {
        if let Some((skip, part, length)) = part_at(&layout[at..]) {
            return (
                &layout[..at + skip],
                Some(part),
                &layout[at + skip + length..],
            );
        }
    }
    (layout, None, "")
}

/// A part at the very start: what is literal before it, the part, its length.
fn part_at(text: &str) -> Option<(usize, Part, usize)> {
    let lower_after = |length: usize| {
        text.as_bytes()
            .get(length)
            .is_some_and(u8::is_ascii_lowercase)
    };
    let found = |part, length| Some((0, part, length));
    match text.as_bytes().first()? {
        b'J' if text.starts_with("January") => found(Part::LongMonth, 7),
        b'J' if text.starts_with("Jan") && !lower_after(3) => found(Part::Month, 3),
        b'M' if text.starts_with("Monday") => found(Part::LongWeekday, 6),
        b'M' if text.starts_with("Mon") && !lower_after(3) => found(Part::Weekday, 3),
        b'M' if text.starts_with("MST") => found(Part::Zone, 3),
        b'0' => match text.as_bytes().get(1)? {
            b'1' => found(Part::ZeroMonth, 2),
            b'2' => found(Part::ZeroDay, 2),
            b'3' => found(Part::ZeroHour12, 2),
            b'4' => found(Part::ZeroMinute, 2),
            b'5' => found(Part::ZeroSecond, 2),
            b'6' => found(Part::Year, 2),
            b'0' if text.starts_with("002") => found(Part::ZeroYearDay, 3),
            _ => None,
        },
        b'1' if text.starts_with("15") => found(Part::Hour, 2),
        b'1' => found(Part::NumberMonth, 1),
        b'2' if text.starts_with("2006") => found(Part::LongYear, 4),
        b'2' => found(Part::Day, 1),
        b'_' if text.starts_with("_2006") => Some((1, Part::LongYear, 4)),
        b'_' if text.starts_with("_2") => found(Part::SpaceDay, 2),
        b'_' if text.starts_with("__2") => found(Part::SpaceYearDay, 3),
        b'3' => found(Part::Hour12, 1),
        b'4' => found(Part::Minute, 1),
        b'5' => found(Part::Second, 1),
        b'P' if text.starts_with("PM") => found(Part::UpperNoon, 2),
        b'p' if text.starts_with("pm") => found(Part::LowerNoon, 2),
        sign @ (b'-' | b'Z') => {
            let (text, minutes, seconds, colon) = OFFSETS
                .into_iter()
                .find(|(offset, ..)| text[1..].starts_with(offset))?;
            found(
                Part::Offset {
                    z: *sign == b'Z',
                    minutes,
                    seconds,
                    colon,
                },
                text.len() + 1,
            )
        }
        separator @ (b'.' | b',') => {
            let digit = text[1..]
                .chars()
                .next()
                .filter(|c| matches!(c, '0' | '9'))?;
            let digits = text[1..].chars().take_while(|c| *c == digit).count();
            if text
                .as_bytes()
                .get(1 + digits)
                .is_some_and(u8::is_ascii_digit)
            {
                return None;
            }
            let part = Part::Fraction {
                separator: char::from(*separator),
                digits,
                zeros: digit == '0',
            };
            found(part, 1 + digits)
        }
        _ => None,
    }
}

/// `Time.Format`.
pub(super) fn formatted(time: &Time, layout: &str) -> String {
    let mut out = String::new();
    let mut rest = layout;
    loop {
        let (literal, part, after) = next_part(rest);
        out.push_str(literal);
        let Some(part) = part else { return out };
        out.push_str(&shown(time, part));
        rest = after;
    }
}

fn shown(time: &Time, part: Part) -> String {
    let civil = time.civil();
    let month = name(&MONTHS, civil.month - 1);
    let weekday = name(&WEEKDAYS, civil.weekday);
    let hour12 = if civil.hour % 12 == 0 {
        12
    } else {
        civil.hour % 12
    };
    match part {
        Part::LongMonth => month.to_owned(),
        Part::Month => month[..3].to_owned(),
        Part::NumberMonth => civil.month.to_string(),
        Part::ZeroMonth => format!("{:02}", civil.month),
        Part::LongWeekday => weekday.to_owned(),
        Part::Weekday => weekday[..3].to_owned(),
        Part::Day => civil.day.to_string(),
        Part::SpaceDay => format!("{:2}", civil.day),
        Part::ZeroDay => format!("{:02}", civil.day),
        Part::SpaceYearDay => format!("{:3}", civil.day_of_year),
        Part::ZeroYearDay => format!("{:03}", civil.day_of_year),
        Part::Hour => format!("{:02}", civil.hour),
        Part::Hour12 => hour12.to_string(),
        Part::ZeroHour12 => format!("{hour12:02}"),
        Part::Minute => civil.minute.to_string(),
        Part::ZeroMinute => format!("{:02}", civil.minute),
        Part::Second => civil.second.to_string(),
        Part::ZeroSecond => format!("{:02}", civil.second),
        Part::LongYear if civil.year < 0 => format!("-{:04}", -civil.year),
        Part::LongYear => format!("{:04}", civil.year),
        Part::Year => format!("{:02}", civil.year.abs() % 100),
        Part::UpperNoon => if civil.hour >= 12 { "PM" } else { "AM" }.to_owned(),
        Part::LowerNoon => if civil.hour >= 12 { "pm" } else { "am" }.to_owned(),
        Part::Zone => {
            let name = time.zone.abbreviation(time.seconds);
            let offset = time.zone.offset(time.seconds);
            if name.is_empty() {
                offset_text(offset, true, false, "")
            } else {
                name
            }
        }
        Part::Offset {
            z,
            minutes,
            seconds,
            colon,
        } => {
            let offset = time.zone.offset(time.seconds);
            if z && offset == 0 {
                return "Z".to_owned();
            }
            offset_text(offset, minutes, seconds, if colon { ":" } else { "" })
        }
        Part::Fraction {
            separator,
            digits,
            zeros,
        } => {
            let all = format!("{:09}", time.nanoseconds);
            let mut fraction = all[..digits.min(9)].to_owned();
            fraction.extend(std::iter::repeat_n('0', digits.saturating_sub(9)));
            if !zeros {
                fraction.truncate(fraction.trim_end_matches('0').len());
                if fraction.is_empty() {
                    return fraction;
                }
            }
            format!("{separator}{fraction}")
        }
    }
}

fn name<'n>(names: &[&'n str], at: i64) -> &'n str {
    usize::try_from(at)
        .ok()
        .and_then(|at| names.get(at))
        .copied()
        .unwrap_or("???")
}

fn offset_text(offset: i64, minutes: bool, seconds: bool, colon: &str) -> String {
    // The sign is that of the minutes: an offset of some seconds is never negative.
    let sign = if offset / 60 < 0 { '-' } else { '+' };
    let magnitude = offset.abs();
    let mut text = format!("{sign}{:02}", magnitude / 3600);
    if minutes {
        let part = format!("{colon}{:02}", magnitude / 60 % 60);
        text.push_str(&part);
    }
    if seconds {
        let part = format!("{colon}{:02}", magnitude % 60);
        text.push_str(&part);
    }
    text
}
