//! Cron schedules as `github.com/robfig/cron/v3` reads them with five fields and descriptors, which
//! is what sync windows are written in. In UTC.

use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, civil::DateTime, tz::TimeZone};

/// When something happens again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// At times of the calendar.
    Calendar(Calendar),
    /// After this time, counted from whenever it is asked.
    Every(Duration),
}

/// Times of the calendar: a bit for each minute, hour, day, month and weekday that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calendar {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether both days and weekdays are restricted: then either is enough.
    either_day: bool,
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a schedule of five cron fields, or a name such as @daily")]
pub(crate) struct NoSchedule;

/// The least and the greatest value of a field, and the names of its values.
struct Field(u32, u32, &'static [&'static str]);

const MINUTES: Field = Field(0, 59, &[]);
const HOURS: Field = Field(0, 23, &[]);
const DAYS: Field = Field(1, 31, &[]);
const MONTHS: Field = Field(
    1,
    12,
    &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
);
const WEEKDAYS: Field = Field(0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]);

/// How many years ahead a time is sought, as the original does.
const YEARS: i16 = 5;

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// [`NoSchedule`] where the original refuses the text. Time zones in the text are not served.
    pub(crate) fn parse(text: &str) -> Result<Self, NoSchedule> {
        if let Some(every) = text.strip_prefix("@every ") {
            let every = crds::duration::parse(every).map_err(|_| NoSchedule)?;
            // Whole seconds, at least one (`constantdelay.go`, `Every`).
            return Ok(Self::Every(Duration::from_secs(every.as_secs().max(1))));
        }
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(NoSchedule);
        };
        let (days, any_day) = DAYS.read(days)?;
        let (weekdays, any_weekday) = WEEKDAYS.read(weekdays)?;
        Ok(Self::Calendar(Calendar {
            minutes: MINUTES.read(minutes)?.0,
            hours: HOURS.read(hours)?.0,
            days,
            months: MONTHS.read(months)?.0,
            weekdays,
            either_day: !any_day && !any_weekday,
        }))
    }

    /// The first time after this one. `None` if there is none within five years.
    pub(crate) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => {
                let whole = Timestamp::from_second(after.as_second()).ok()?;
                whole.checked_add(*every).ok()
            }
            Self::Calendar(calendar) => calendar.next(after),
        }
    }
}

impl Calendar {
    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = TimeZone::UTC.to_datetime(after);
        let next_minute = after.checked_add(1.minute()).ok()?;
        let mut time = truncated(next_minute, next_minute.minute());
        let last_year = after.year().checked_add(YEARS)?;
        while time.year() <= last_year {
            if !has(self.months, time.month()) || !self.fits_day(time) {
                let tomorrow = time.date().tomorrow().ok()?;
                time = tomorrow.at(0, 0, 0, 0);
            } else if !has(self.hours, time.hour()) {
                let next = time.checked_add(1.hour()).ok()?;
                time = truncated(next, 0);
            } else if has(self.minutes, time.minute()) {
                return TimeZone::UTC.to_timestamp(time).ok();
            } else {
                time = time.checked_add(1.minute()).ok()?;
            }
        }
        None
    }

    fn fits_day(&self, time: DateTime) -> bool {
        let day = has(self.days, time.day());
        let weekday = has(self.weekdays, time.weekday().to_sunday_zero_offset());
        if self.either_day {
            day || weekday
        } else {
            day && weekday
        }
    }
}

/// The time with this minute and no seconds.
fn truncated(time: DateTime, minute: i8) -> DateTime {
    time.date().at(time.hour(), minute, 0, 0)
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1)
}

impl Field {
    /// The bits of a comma-separated list, and whether one of its members is all of the field.
    fn read(&self, text: &str) -> Result<(u64, bool), NoSchedule> {
        let members = text.split(',').filter(|member| !member.is_empty());
        members
            .map(|member| self.member(member))
            .try_fold((0, false), |(bits, any), member| {
                let (more, all) = member?;
                Ok((bits | more, any || all))
            })
    }

    fn member(&self, text: &str) -> Result<(u64, bool), NoSchedule> {
        let Self(least, greatest, _) = *self;
        let mut parts = text.split('/');
        let (range, step) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() {
            return Err(NoSchedule);
        }
        let mut ends = range.split('-');
        let (low, high) = (ends.next().unwrap_or_default(), ends.next());
        if ends.next().is_some() {
            return Err(NoSchedule);
        }
        let star = matches!(low, "*" | "?");
        let (from, mut to) = match (star, high) {
            (true, _) => (least, greatest),
            (false, None) => (self.value(low)?, self.value(low)?),
            (false, Some(high)) => (self.value(low)?, self.value(high)?),
        };
        let step = match step {
            None => 1,
            Some(step) => {
                if high.is_none() {
                    to = greatest;
                }
                step.parse().map_err(|_| NoSchedule)?
            }
        };
        if from < least || to > greatest || from > to || step == 0 {
            return Err(NoSchedule);
        }
        let bits = (from..=to)
            .step_by(step)
            .fold(0, |bits, value| bits | 1 << value);
        Ok((bits, star && step == 1))
    }

    fn value(&self, text: &str) -> Result<u32, NoSchedule> {
        let named = self
            .2
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name));
        match named.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Ok(self.0 + at),
            None => text.parse().map_err(|_| NoSchedule),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, after: &str) -> Option<String> {
        let after: Timestamp = after.parse().unwrap();
        Schedule::parse(schedule)
            .unwrap()
            .next(after)
            .map(|time| time.to_string())
    }

    /// Cases of spec_test.go of the original, TestNext.
    #[test]
    fn the_next_time_is_the_originals() {
        for (after, schedule, expected) in [
            (
                "2012-07-09T14:45:00Z",
                "0/15 * * * *",
                Some("2012-07-09T15:00:00Z"),
            ),
            (
                "2012-07-09T14:59:00Z",
                "0/15 * * * *",
                Some("2012-07-09T15:00:00Z"),
            ),
            (
                "2012-07-09T14:59:59Z",
                "0/15 * * * *",
                Some("2012-07-09T15:00:00Z"),
            ),
            (
                "2012-07-09T15:45:00Z",
                "20-35/15 * * * *",
                Some("2012-07-09T16:20:00Z"),
            ),
            (
                "2012-07-09T23:46:00Z",
                "*/15 * * * *",
                Some("2012-07-10T00:00:00Z"),
            ),
            (
                "2012-07-09T23:45:00Z",
                "20-35/15 * * * *",
                Some("2012-07-10T00:20:00Z"),
            ),
            (
                "2012-07-09T23:35:51Z",
                "20-35/15 1/2 * * *",
                Some("2012-07-10T01:20:00Z"),
            ),
            (
                "2012-07-09T23:35:51Z",
                "20-35/15 10-12 * * *",
                Some("2012-07-10T10:20:00Z"),
            ),
            (
                "2012-07-09T23:35:51Z",
                "20-35/15 1/2 9-20 7 *",
                Some("2012-07-10T01:20:00Z"),
            ),
            (
                "2012-07-09T23:35:00Z",
                "0 0 9 4-10 ?",
                Some("2012-08-09T00:00:00Z"),
            ),
            (
                "2012-07-09T23:35:00Z",
                "0 0 ? 4,8,12 mon",
                Some("2012-08-06T00:00:00Z"),
            ),
            (
                "2012-07-09T23:35:00Z",
                "0 0 */5 4,8,10 MON",
                Some("2012-08-01T00:00:00Z"),
            ),
            (
                "2012-12-31T23:59:45Z",
                "* * * * *",
                Some("2013-01-01T00:00:00Z"),
            ),
            (
                "2012-07-09T23:35:00Z",
                "0 0 29 2 ?",
                Some("2016-02-29T00:00:00Z"),
            ),
            ("2012-07-09T23:35:00Z", "0 0 30 feb ?", None),
            ("2012-07-09T23:35:00Z", "0 0 31 apr ?", None),
            (
                "2026-06-01T22:00:00Z",
                "@daily",
                Some("2026-06-02T00:00:00Z"),
            ),
            (
                "2026-06-01T22:00:00Z",
                "@weekly",
                Some("2026-06-07T00:00:00Z"),
            ),
            (
                "2026-06-01T22:00:00.7Z",
                "@every 90s",
                Some("2026-06-01T22:01:30Z"),
            ),
        ] {
            assert_eq!(
                next(schedule, after).as_deref(),
                expected,
                "{schedule} after {after}"
            );
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 7",
            "5-1 * * * *",
            "*/0 * * * *",
            "1-2-3 * * * *",
            "1/2/3 * * * *",
            "x * * * *",
            "@often",
            "@every x",
            "-1 * * * *",
        ] {
            assert_eq!(Schedule::parse(text), Err(NoSchedule), "{text}");
        }
    }
}
