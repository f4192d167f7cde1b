//! A limit on how often the API server is called, for those who set the incumbent's flags. Without
//! them there is none: the API server's own fairness is the better judge.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::Instant;
use tower::Service;

/// What client-go allows at once where nothing else is said (`rest.DefaultBurst`).
pub const DEFAULT_BURST: u32 = 10;

/// How often the API server may be called: client-go's `QPS` and `Burst`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    interval: Duration,
    burst: u32,
}

impl Pace {
    /// So many calls a second, and so many at once. `None` where the number means no limit: zero,
    /// negative or no number.
    #[must_use]
    pub fn new(calls_per_second: f32, burst: u32) -> Option<Self> {
        let interval = Duration::try_from_secs_f32(1.0 / calls_per_second).ok()?;
        (!interval.is_zero()).then_some(Self {
            interval,
            burst: burst.max(1),
        })
    }
}

/// The calls of one client, one after the other.
#[derive(Debug)]
struct Turns {
    pace: Pace,
    /// When the next call would be due if none had been sent at once.
    due: Mutex<Option<Instant>>,
}

impl Turns {
    /// Takes a turn: the moment from which on the call may be sent.
    fn take(&self, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = due.map_or(now, |due| due.max(now));
        *due = mine.checked_add(self.pace.interval).or(Some(mine));
        let ahead = self.pace.interval.saturating_mul(self.pace.burst - 1);
        mine.checked_sub(ahead).unwrap_or(now).max(now)
    }
}

/// A client whose calls wait for their turn, where there is a pace.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    inner: S,
    turns: Option<Arc<Turns>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(inner: S, pace: Option<Pace>) -> Self {
        let turns = pace.map(|pace| {
            let due = Mutex::new(None);
            Arc::new(Turns { pace, due })
        });
        Self { inner, turns }
    }
}

impl<S, R> Service<R> for Paced<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        // Nothing is sent before the answer is polled for.
        let answer = self.inner.call(request);
        let turn = self.turns.as_ref().map(|turns| turns.take(Instant::now()));
        Box::pin(async move {
            if let Some(turn) = turn {
                tokio::time::sleep_until(turn).await;
            }
            answer.await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_the_burst_go_at_once_and_the_rest_at_the_pace() {
        let turns = Turns {
            pace: Pace::new(10.0, 3).unwrap(),
            due: Mutex::new(None),
        };
        let now = Instant::now();
        let waits: Vec<u128> = (0..5)
            .map(|_| (turns.take(now) - now).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        // After a rest there is a whole burst again, and not more.
        let later = now + Duration::from_secs(60);
        let waits: Vec<u128> = (0..4)
            .map(|_| (turns.take(later) - later).as_millis())
            .collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }

    #[test]
    fn no_limit_is_no_pace() {
        for number in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(Pace::new(number, 5), None, "{number}");
        }
        assert!(Pace::new(0.5, 0).is_some());
    }
}
