//! Sync windows: when a refresh that is due may happen. Pure.

use std::time::Duration;

use crds::external_secret::{SyncWindow, SyncWindowKind, SyncWindows};
use jiff::{SignedDuration, Timestamp};

use crate::schedule::Schedule;

/// How far ahead the end of a waiting is sought at once. Longer ones are sought again then.
const HORIZON: u32 = 60;

/// Whether a refresh that is due may happen now (externalsecret_controller.go,
/// `isPeriodicRefreshAllowedByWindows`). A window whose schedule or duration cannot be read is
/// never open.
pub(crate) fn allow(windows: Option<&SyncWindows>, at: Timestamp) -> bool {
    let Some(windows) = windows.filter(|windows| !windows.windows.is_empty()) else {
        return true;
    };
    let open = windows.windows.iter().any(|window| is_open(window, at));
    match windows.kind {
        SyncWindowKind::Allow => open,
        SyncWindowKind::Deny => !open,
        SyncWindowKind::Other(_) => true,
    }
}

/// When to look again at a refresh that may not happen now: the first minute in which it may, or an
/// hour from now. (The incumbent looks again and again, in its error backoff.)
pub(crate) fn look_again(windows: &SyncWindows, at: Timestamp) -> Timestamp {
    let this_minute = Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60));
    let this_minute = this_minute.unwrap_or(at);
    let minute = |count: u32| {
        this_minute
            .saturating_add(SignedDuration::from_mins(i64::from(count)))
            .unwrap_or(at)
    };
    // The second behind the full minute, since a window is still open in its last second.
    let after = |count| {
        minute(count)
            .saturating_add(SignedDuration::from_secs(1))
            .unwrap_or(at)
    };
    let found = (1..HORIZON).find(|count| allow(Some(windows), after(*count)));
    found.map_or_else(|| minute(HORIZON), after)
}

/// `isWithinSyncWindow`: both ends are part of the window.
fn is_open(window: &SyncWindow, at: Timestamp) -> bool {
    let Ok(schedule) = Schedule::parse(&window.schedule) else {
        return false;
    };
    let Ok(duration) = crds::duration::parse(&window.duration) else {
        return false;
    };
    let before = duration + Duration::from_secs(1);
    let Some(begun) = at
        .checked_sub(before)
        .ok()
        .and_then(|from| schedule.next(from))
    else {
        return false;
    };
    begun <= at && begun.checked_add(duration).is_ok_and(|end| at <= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn windows(kind: &str, schedules: &[&str]) -> SyncWindows {
        let window = |schedule: &&str| SyncWindow {
            schedule: (*schedule).to_owned(),
            duration: "2h0m0s".to_owned(),
        };
        SyncWindows {
            kind: SyncWindowKind::from(kind),
            windows: schedules.iter().map(window).collect(),
        }
    }

    /// TestIsWithinSyncWindow of the incumbent.
    #[test]
    fn a_window_is_open_from_its_first_to_its_last_second() {
        let nightly = windows("allow", &["0 22 * * *"]);
        for (time, open) in [
            ("2026-06-01T22:00:00Z", true),
            ("2026-06-01T22:30:00Z", true),
            ("2026-06-02T00:00:00Z", true),
            ("2026-06-02T00:00:01Z", false),
            ("2026-06-01T21:00:00Z", false),
            ("2026-06-02T03:00:00Z", false),
            ("2026-06-02T22:30:00Z", true),
        ] {
            assert_eq!(allow(Some(&nightly), at(time)), open, "{time}");
        }
    }

    /// TestIsPeriodicRefreshAllowedByWindows of the incumbent.
    #[test]
    fn windows_allow_or_deny() {
        let (inside, outside) = (at("2026-06-01T23:00:00Z"), at("2026-06-01T20:00:00Z"));
        let (good, bad) = ("0 22 * * *", "not-a-cron");
        assert!(allow(None, inside));
        for (kind, schedules, time, expected) in [
            ("allow", &[][..], inside, true),
            ("allow", &[good], inside, true),
            ("allow", &[good], outside, false),
            ("deny", &[good], inside, false),
            ("deny", &[good], outside, true),
            ("allow", &[bad], inside, false),
            ("deny", &[bad], inside, true),
            ("allow", &[bad, good], inside, true),
            ("unknown", &[good], inside, true),
        ] {
            assert_eq!(
                allow(Some(&windows(kind, schedules)), time),
                expected,
                "{kind}"
            );
        }
    }

    #[test]
    fn a_blocked_refresh_is_looked_at_when_it_may_happen() {
        let nightly = windows("allow", &["0 22 * * *"]);
        assert_eq!(
            look_again(&nightly, at("2026-06-01T21:40:30Z")),
            at("2026-06-01T22:00:01Z")
        );
        assert_eq!(
            look_again(&nightly, at("2026-06-01T20:40:30Z")),
            at("2026-06-01T21:40:00Z")
        );
        let busy = windows("deny", &["0 22 * * *"]);
        assert_eq!(
            look_again(&busy, at("2026-06-01T23:59:10Z")),
            at("2026-06-02T00:00:01Z")
        );
    }
}
