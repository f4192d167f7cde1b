//! Dates out of texts, by a layout (`time.ParseInLocation`).

use super::layout::{Part, next_part};
use super::time::{Time, Zone, days};
use crate::print::{MONTHS, WEEKDAYS};

/// What has been read of a time.
#[derive(Default)]
struct Reading {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    day_of_year: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanoseconds: u32,
    afternoon: Option<bool>,
    utc: bool,
    offset: Option<i64>,
    zone: String,
}

/// `time.ParseInLocation` with the local zone, which is UTC.
pub(super) fn parsed(layout: &str, text: &str) -> Option<Time> {
    let mut reading = Reading::default();
    let (mut layout, mut text) = (layout, text);
    loop {
        let (literal, part, after) = next_part(layout);
        text = skipped(text, literal)?;
        let Some(part) = part else { break };
        text = read(&mut reading, part, text, after)?;
        layout = after;
    }
    if text.is_empty() {
        reading.finish()
    } else {
        None
    }
}

/// Spaces of the layout match any number of spaces.
fn skipped<'t>(mut text: &'t str, mut literal: &str) -> Option<&'t str> {
    while let Some(first) = literal.chars().next() {
        if first == ' ' {
            if !text.is_empty() && !text.starts_with(' ') {
                return None;
            }
            literal = literal.trim_start_matches(' ');
            text = text.trim_start_matches(' ');
        } else {
            text = text.strip_prefix(first)?;
            literal = &literal[first.len_utf8()..];
        }
    }
    Some(text)
}

fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let length = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if length < least {
        return None;
    }
    Some((text[..length].parse().ok()?, &text[length..]))
}

fn in_range(n: i64, least: i64, most: i64) -> Option<i64> {
    (least..=most).contains(&n).then_some(n)
}

fn named<'t>(names: &[&str], length: Option<usize>, text: &'t str) -> Option<(i64, &'t str)> {
    names.iter().zip(0..).find_map(|(name, at)| {
        let name = &name[..length.unwrap_or(name.len())];
        let start = text.get(..name.len())?;
        start
            .eq_ignore_ascii_case(name)
            .then(|| (at, &text[name.len()..]))
    })
}

fn read<'t>(reading: &mut Reading, part: Part, text: &'t str, after: &str) -> Option<&'t str> {
    let mut rest = text;
    let mut number = |least, most| {
        let (n, after) = digits(rest, least, most)?;
        rest = after;
        Some(n)
    };
    match part {
        Part::LongYear => reading.year = number(4, 4)?,
        Part::Year => {
            let year = number(2, 2)?;
            reading.year = year + if year >= 69 { 1900 } else { 2000 };
        }
        Part::NumberMonth => reading.month = Some(in_range(number(1, 2)?, 1, 12)?),
        Part::ZeroMonth => reading.month = Some(in_range(number(2, 2)?, 1, 12)?),
        Part::Day => reading.day = Some(number(1, 2)?),
        Part::ZeroDay => reading.day = Some(number(2, 2)?),
        Part::ZeroYearDay => reading.day_of_year = Some(number(3, 3)?),
        Part::Hour => reading.hour = in_range(number(1, 2)?, 0, 23)?,
        Part::Hour12 => reading.hour = in_range(number(1, 2)?, 0, 12)?,
        Part::ZeroHour12 => reading.hour = in_range(number(2, 2)?, 0, 12)?,
        Part::Minute => reading.minute = in_range(number(1, 2)?, 0, 59)?,
        Part::ZeroMinute => reading.minute = in_range(number(2, 2)?, 0, 59)?,
        Part::Second => reading.second = in_range(number(1, 2)?, 0, 59)?,
        Part::ZeroSecond => reading.second = in_range(number(2, 2)?, 0, 59)?,
        Part::SpaceDay => {
            let (day, after) = digits(text.strip_prefix(' ').unwrap_or(text), 1, 2)?;
            reading.day = Some(day);
            return Some(after);
        }
        Part::SpaceYearDay => {
            let text = text.strip_prefix(' ').unwrap_or(text);
            let (day, after) = digits(text.strip_prefix(' ').unwrap_or(text), 1, 3)?;
            reading.day_of_year = Some(day);
            return Some(after);
        }
        other => return read_text(reading, other, text),
    }
    if matches!(part, Part::Second | Part::ZeroSecond) && starts_fraction(rest) {
        // A fraction is taken though the layout has none.
        let expected = matches!(next_part(after), (_, Some(Part::Fraction { .. }), _));
        if !expected {
            return read_fraction(reading, rest);
        }
    }
    Some(rest)
}

fn read_text<'t>(reading: &mut Reading, part: Part, text: &'t str) -> Option<&'t str> {
    match part {
        Part::Month | Part::LongMonth => {
            let length = (part == Part::Month).then_some(3);
            let (month, rest) = named(&MONTHS, length, text)?;
            reading.month = Some(month + 1);
            Some(rest)
        }
        Part::Weekday => Some(named(&WEEKDAYS, Some(3), text)?.1),
        Part::LongWeekday => Some(named(&WEEKDAYS, None, text)?.1),
        Part::UpperNoon | Part::LowerNoon => {
            let upper = part == Part::UpperNoon;
            let (before, after) = if upper { ("AM", "PM") } else { ("am", "pm") };
            reading.afternoon = Some(text.starts_with(after));
            text.strip_prefix(after)
                .or_else(|| text.strip_prefix(before))
        }
        Part::Zone => {
            if let Some(rest) = text.strip_prefix("UTC") {
                reading.utc = true;
                return Some(rest);
            }
            let length = zone_length(text)?;
            reading.zone = text[..length].to_owned();
            Some(&text[length..])
        }
        Part::Offset {
            z,
            minutes,
            seconds,
            colon,
        } => {
            if let (true, Some(rest)) = (z, text.strip_prefix('Z')) {
                reading.utc = true;
                return Some(rest);
            }
            let (offset, rest) = read_offset(text, minutes, seconds, colon)?;
            reading.offset = Some(offset);
            Some(rest)
        }
        Part::Fraction {
            digits,
            zeros: true,
            ..
        } => {
            let fraction = text.get(..1 + digits)?;
            if !starts_fraction(fraction) || !fraction[1..].bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            read_fraction(reading, fraction)?;
            Some(&text[1 + digits..])
        }
        _ if starts_fraction(text) => read_fraction(reading, text),
        _ => Some(text),
    }
}

fn starts_fraction(text: &str) -> bool {
    text.starts_with(['.', ',']) && text.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

/// Any number of digits; nine count.
fn read_fraction<'t>(reading: &mut Reading, text: &'t str) -> Option<&'t str> {
    let length = 1 + text[1..].bytes().take_while(u8::is_ascii_digit).count();
    let nine = format!("{:0<9}", &text[1..length.min(10)]);
    reading.nanoseconds = nine.parse().ok()?;
    Some(&text[length..])
}

fn read_offset(text: &str, minutes: bool, seconds: bool, colon: bool) -> Option<(i64, &str)> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hour, mut rest) = digits(&text[1..], 2, 2)?;
    let mut next = |wanted: bool| {
        if !wanted {
            return Some(0);
        }
        if colon {
            rest = rest.strip_prefix(':')?;
        }
        let (n, after) = digits(rest, 2, 2)?;
        rest = after;
        Some(n)
    };
    let (minute, second) = (next(minutes)?, next(seconds)?);
    if hour > 24 || minute > 60 || second > 60 {
        return None;
    }
    Some((sign * ((hour * 60 + minute) * 60 + second), rest))
}

/// `parseTimeZone`: how long the abbreviation is.
fn zone_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.len() < 3 {
        return None;
    }
    if text.starts_with("ChST") || text.starts_with("MeST") {
        return Some(4);
    }
    if text.starts_with("GMT") {
        return Some(3 + signed_length(&bytes[3..]).unwrap_or(0));
    }
    if matches!(bytes[0], b'+' | b'-') {
        return signed_length(bytes);
    }
    match bytes
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_uppercase())
        .count()
    {
        5 if bytes[4] == b'T' => Some(5),
        4 if bytes[3] == b'T' || text.starts_with("WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

fn signed_length(bytes: &[u8]) -> Option<usize> {
    if !matches!(bytes.first(), Some(b'+' | b'-')) {
        return None;
    }
    let digits = bytes[1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let hours: i64 = std::str::from_utf8(&bytes[1..=digits]).ok()?.parse().ok()?;
    (hours <= 23).then_some(1 + digits)
}

impl Reading {
    fn finish(mut self) -> Option<Time> {
        match self.afternoon {
            Some(true) if self.hour < 12 => self.hour += 12,
            Some(false) if self.hour == 12 => self.hour = 0,
            _ => {}
        }
        let (month, day) = self.date()?;
        let day_number = days(self.year, month, day);
        let mut time = Time::at(
            day_number * 86_400 + self.hour * 3600 + self.minute * 60 + self.second,
            self.nanoseconds,
        );
        if self.utc {
            return Some(time);
        }
        if let Some(offset) = self.offset {
            time.seconds -= offset;
            if offset != 0 || !matches!(self.zone.as_str(), "" | "UTC") {
                time.zone = Zone::Fixed {
                    offset,
                    name: self.zone,
                };
            }
        } else if !self.zone.is_empty() {
            // An abbreviation without an offset is a zone of offset zero, but for GMT+3.
            let offset = self
                .zone
                .strip_prefix("GMT")
                .and_then(|hours| hours.parse::<i64>().ok());
            time.zone = Zone::Fixed {
                offset: offset.unwrap_or(0) * 3600,
                name: self.zone,
            };
        }
        Some(time)
    }

    fn date(&self) -> Option<(i64, i64)> {
        let leap = days(self.year + 1, 1, 1) - days(self.year, 1, 1) == 366;
        let length = |month: i64| {
            let (year, next) = if month == 12 {
                (self.year + 1, 1)
            } else {
                (self.year, month + 1)
            };
            days(year, next, 1) - days(self.year, month, 1)
        };
        if let Some(mut rest) = self.day_of_year {
            if rest < 1 || rest > if leap { 366 } else { 365 } {
                return None;
            }
            let mut month = 1;
            while rest > length(month) {
                rest -= length(month);
                month += 1;
            }
            let agrees = |said: Option<i64>, is: i64| said.is_none_or(|said| said == is);
            return (agrees(self.month, month) && agrees(self.day, rest)).then_some((month, rest));
        }
        let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
        in_range(day, 1, length(month)).map(|day| (month, day))
    }
}
