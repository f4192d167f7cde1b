//! How many requests a caller may send: the incumbent's limiter (`server.go`, `rateLimiter`), which
//! is throttled's GCRA, and one for all callers together.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::arguments::RateLimit;

/// The incumbent's store has as many entries.
const CALLERS: usize = 65_536;

/// A caller names itself, so all together may send no more than so many honest ones.
const TOGETHER: u32 = 10;

/// Decides about requests.
pub(crate) struct Limiter {
    each: Gcra,
    together: Gcra,
    state: Mutex<State>,
    random: RandomState,
}

#[derive(Default)]
struct State {
    /// For each caller the moment until which what it sent is accounted for.
    callers: HashMap<u64, Instant>,
    together: Option<Instant>,
}

/// What a caller is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset: Duration,
    /// When to come again; nothing if the request is let in.
    pub(crate) retry_after: Option<Duration>,
}

/// The generic cell rate algorithm: requests are accounted for at a steady pace, and a burst may be
/// ahead of it.
#[derive(Debug, Clone, Copy)]
struct Gcra {
    pace: Duration,
    tolerance: Duration,
    limit: u32,
}

impl Limiter {
    /// `None` when the rate is zero: nothing is let in then.
    pub(crate) fn new(rate: RateLimit) -> Option<Self> {
        let each = Gcra::new(rate.per_second, rate.burst)?;
        let together = Gcra::new(
            rate.per_second.saturating_mul(TOGETHER),
            rate.burst.saturating_add(1).saturating_mul(TOGETHER) - 1,
        )?;
        Some(Self {
            each,
            together,
            state: Mutex::default(),
            random: RandomState::new(),
        })
    }

    /// Decides about one request of a caller to a path.
    pub(crate) fn judge(&self, path: &str, caller: &[u8], now: Instant) -> Verdict {
        let key = self.random.hash_one((path, caller));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let accounted = state.callers.get(&key).copied();
        let (verdict, accounted) = self.each.judge(accounted, now);
        if verdict.retry_after.is_some() {
            return verdict;
        }
        let (all, together) = self.together.judge(state.together, now);
        if all.retry_after.is_some() {
            return Verdict {
                retry_after: all.retry_after,
                ..verdict
            };
        }
        state.together = Some(together);
        if state.callers.len() >= CALLERS {
            state.callers.retain(|_, accounted| *accounted > now);
        }
        if state.callers.len() >= CALLERS {
            // So many callers at once are one that changes its name; the limit for all holds it.
            state.callers.clear();
        }
        state.callers.insert(key, accounted);
        verdict
    }
}

impl Gcra {
    fn new(per_second: u32, burst: u32) -> Option<Self> {
        let pace = Duration::from_secs(1).checked_div(per_second)?;
        let limit = burst.saturating_add(1);
        Some(Self {
            pace,
            tolerance: pace * limit,
            limit,
        })
    }

    /// The verdict, and until when everything is accounted for after it.
    fn judge(&self, accounted: Option<Instant>, now: Instant) -> (Verdict, Instant) {
        let before = accounted
            .filter(|accounted| *accounted > now)
            .unwrap_or(now);
        let after = before + self.pace;
        let ahead = after - now;
        let retry_after = ahead
            .checked_sub(self.tolerance)
            .filter(|wait| !wait.is_zero());
        let accounted = if retry_after.is_some() { before } else { after };
        let reset = accounted - now;
        let left = self.tolerance.saturating_sub(reset);
        let remaining = left.as_nanos() / self.pace.as_nanos().max(1);
        let remaining = u32::try_from(remaining).unwrap_or(u32::MAX);
        (
            Verdict {
                limit: self.limit,
                remaining,
                reset,
                retry_after,
            },
            accounted,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(per_second: u32, burst: u32) -> Limiter {
        Limiter::new(RateLimit { per_second, burst }).unwrap()
    }

    #[test]
    fn a_burst_is_let_in_and_then_the_steady_pace() {
        let (limiter, start) = (limiter(2, 2), Instant::now());
        let remaining: Vec<_> = (0..3)
            .map(|_| limiter.judge("/v1/verify", b"a", start).remaining)
            .collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = limiter.judge("/v1/verify", b"a", start);
        assert_eq!(refused.retry_after, Some(Duration::from_millis(500)));
        assert_eq!((refused.limit, refused.remaining), (3, 0));
        assert_eq!(refused.reset, Duration::from_millis(1_500));
        let later = limiter.judge("/v1/verify", b"a", start + Duration::from_millis(500));
        assert_eq!(later.retry_after, None);
    }

    #[test]
    fn paths_and_callers_are_counted_on_their_own() {
        let (limiter, now) = (limiter(1, 0), Instant::now());
        assert_eq!(limiter.judge("/v1/verify", b"a", now).retry_after, None);
        assert!(limiter.judge("/v1/verify", b"a", now).retry_after.is_some());
        assert_eq!(limiter.judge("/v1/rotate", b"a", now).retry_after, None);
        assert_eq!(limiter.judge("/v1/verify", b"b", now).retry_after, None);
    }

    #[test]
    fn a_caller_who_changes_its_name_is_held_by_the_limit_for_all() {
        let (limiter, now) = (limiter(2, 2), Instant::now());
        let let_in = (0_u32..1_000)
            .filter(|n| {
                limiter
                    .judge("/", &n.to_be_bytes(), now)
                    .retry_after
                    .is_none()
            })
            .count();
        assert_eq!(let_in, 30);
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_in() {
        assert!(
            Limiter::new(RateLimit {
                per_second: 0,
                burst: 5
            })
            .is_none()
        );
    }
}
