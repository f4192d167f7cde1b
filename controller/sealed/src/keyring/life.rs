//! When a new key is due, and what it is called. Pure.

use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

/// When keys are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Renewal {
    /// A key older than this is followed by a new one. `None`: never.
    pub(crate) period: Option<Duration>,
    /// A key from before this moment is followed by a new one.
    pub(crate) cutoff: Option<SystemTime>,
}

/// Whether a new key is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Now, for this reason.
    Now(&'static str),
    /// Not before this moment.
    At(SystemTime),
    /// Not as long as nothing changes.
    Never,
}

impl Renewal {
    /// Whether a key is needed now, when `newest` orders the newest that opens (`pkg/controller/
    /// main.go`, `initKeyRenewal`).
    ///
    /// The incumbent makes one key at each start while the cut-off lies in the future; here it
    /// takes effect once it is reached.
    pub(crate) fn need(&self, newest: Option<SystemTime>, now: SystemTime) -> Need {
        let Some(newest) = newest else {
            return Need::Now("there is no key yet");
        };
        let cut_off = self.cutoff.filter(|cutoff| newest < *cutoff);
        let renewed = self.period.and_then(|period| newest.checked_add(period));
        match (cut_off, renewed) {
            (Some(cutoff), _) if cutoff <= now => {
                Need::Now("the newest key is from before the cut-off time")
            }
            (_, Some(renewed)) if renewed <= now => {
                Need::Now("the newest key has had its renewal period")
            }
            (Some(first), Some(second)) => Need::At(first.min(second)),
            (Some(only), None) | (None, Some(only)) => Need::At(only),
            (None, None) => Need::Never,
        }
    }
}

impl Renewal {
    /// Why a key would be made now, if one would.
    pub(crate) fn is_due(
        &self,
        newest: Option<SystemTime>,
        now: SystemTime,
    ) -> Option<&'static str> {
        match self.need(newest, now) {
            Need::Now(reason) => Some(reason),
            Need::At(_) | Need::Never => None,
        }
    }
}

/// The name of the key Secret that follows the one with this uid; of the first one, without.
///
/// Every replica derives the same name from the same state, so of two that want to make a key the
/// second finds the name taken. The letters are those of Kubernetes' own generated names.
pub(crate) fn name_after(prefix: &str, newest: Option<&str>) -> String {
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    const LENGTH: usize = 8;
    let digest = Sha256::digest(format!("sealing key after {}", newest.unwrap_or_default()));
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    let suffix: String = digest.iter().take(LENGTH).map(letter).collect();
    format!("{prefix}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn day(n: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * n
    }

    fn renewal(period: Option<u32>, cutoff: Option<u32>) -> Renewal {
        Renewal {
            period: period.map(|days| DAY * days),
            cutoff: cutoff.map(day),
        }
    }

    #[test]
    fn the_first_key_is_made_whatever_the_settings_are() {
        assert!(matches!(
            renewal(None, None).need(None, day(1)),
            Need::Now(_)
        ));
    }

    #[test]
    fn a_key_is_renewed_when_its_period_is_over() {
        let monthly = renewal(Some(30), None);
        assert_eq!(monthly.need(Some(day(10)), day(20)), Need::At(day(40)));
        assert!(matches!(monthly.need(Some(day(10)), day(40)), Need::Now(_)));
        // A clock that runs behind the one that made the key.
        assert_eq!(monthly.need(Some(day(10)), day(5)), Need::At(day(40)));
        assert_eq!(
            renewal(None, None).need(Some(day(10)), day(4_000)),
            Need::Never
        );
    }

    #[test]
    fn a_key_from_before_the_cutoff_is_renewed_when_the_cutoff_is_reached() {
        let cut = renewal(Some(30), Some(15));
        assert!(matches!(cut.need(Some(day(10)), day(15)), Need::Now(_)));
        assert_eq!(cut.need(Some(day(10)), day(12)), Need::At(day(15)));
        assert_eq!(cut.need(Some(day(15)), day(16)), Need::At(day(45)));
    }

    #[test]
    fn a_period_beyond_all_time_is_never() {
        let endless = Renewal {
            period: Some(Duration::MAX),
            cutoff: None,
        };
        assert_eq!(endless.need(Some(day(1)), day(2)), Need::Never);
    }

    #[test]
    fn the_name_depends_on_the_newest_key_alone() {
        let first = name_after("sealed-secrets-key", None);
        assert_eq!(first, name_after("sealed-secrets-key", None));
        assert!(first.starts_with("sealed-secrets-key") && first.len() == 26);
        let second = name_after("sealed-secrets-key", Some("uid-1"));
        assert_ne!(first, second);
        assert_ne!(second, name_after("sealed-secrets-key", Some("uid-2")));
    }
}
