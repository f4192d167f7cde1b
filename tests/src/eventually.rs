//! Waiting for a condition, and telling what was seen when it does not come.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Failure;

/// What one look at a condition found.
pub enum Observation<T> {
    /// The condition holds, and this is what it gave.
    Seen(T),
    /// Not yet; the text says what is there instead, for the message of a timeout.
    NotYet(String),
    /// It will never come, as who should bring it about has ended, say.
    Never(Failure),
}

impl<T> Observation<T> {
    /// [`Observation::Seen`] if there is a value, else `NotYet` with what is there instead.
    pub fn of(found: Option<T>, instead: impl FnOnce() -> String) -> Self {
        found.map_or_else(|| Self::NotYet(instead()), Self::Seen)
    }
}

impl Observation<()> {
    /// [`Observation::Seen`] if the condition holds, else `NotYet` with what is there instead.
    pub fn when(holds: bool, instead: impl FnOnce() -> String) -> Self {
        if holds {
            Self::Seen(())
        } else {
            Self::NotYet(instead())
        }
    }
}

/// Looks until the condition holds, for a minute at most: long for a busy machine, and only ever
/// waited out by a test that fails.
///
/// # Errors
/// After the minute, with what was last seen; or as soon as it can never come. An error of the look
/// itself counts as "not yet".
pub async fn eventually<T, F>(what: &str, look: F) -> Result<T, Failure>
where
    F: AsyncFnMut() -> Result<Observation<T>, Failure>,
{
    eventually_within(LIMIT, what, look).await
}

/// As [`eventually`], with a limit of its own.
///
/// # Errors
/// After `limit`, with what was last seen.
pub async fn eventually_within<T, F>(limit: Duration, what: &str, mut look: F) -> Result<T, Failure>
where
    F: AsyncFnMut() -> Result<Observation<T>, Failure>,
{
    let start = Instant::now();
    let mut last = String::from("nothing: the first look did not return");
    loop {
        let left = limit.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, look()).await {
            Ok(Ok(Observation::Seen(value))) => return Ok(value),
            Ok(Ok(Observation::NotYet(instead))) => last = instead,
            Ok(Ok(Observation::Never(failure))) => return Err(failure.while_doing(what)),
            Ok(Err(failure)) => last = failure.to_string(),
            Err(_elapsed) => {}
        }
        if start.elapsed() >= limit {
            let seconds = limit.as_secs();
            show_logs();
            return Err(Failure::new(format!(
                "{what} did not happen within {seconds} s; last seen: {last}"
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Has the end of a log printed whenever a wait is over without success: the test then shows it.
pub(crate) fn show_on_timeout(log: &Path) {
    let mut logs = LOGS.lock().unwrap_or_else(PoisonError::into_inner);
    if !logs.iter().any(|known| known == log) {
        logs.push(log.to_owned());
    }
}

#[expect(clippy::print_stderr, reason = "a failing test shows why")]
fn show_logs() {
    for log in LOGS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        // It is gone if its process is.
        if let Ok(text) = std::fs::read_to_string(log) {
            eprintln!("--- the end of {}:\n{}", log.display(), last_lines(&text));
        }
    }
}

/// The last lines of a log, enough to tell what its process was doing.
pub(crate) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

static LOGS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
const TAIL_LINES: usize = 40;

const LIMIT: Duration = Duration::from_secs(60);
/// Short enough that a passing test does not notice it.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_timeout_tells_what_was_last_seen() {
        let mut looks = 0;
        let waited = eventually_within(Duration::from_millis(200), "the cow", async || {
            looks += 1;
            Ok(Observation::<()>::NotYet(String::from("an empty field")))
        })
        .await;
        let failure = waited.unwrap_err();
        assert!(
            failure.message().contains("the cow did not happen"),
            "{failure}"
        );
        assert!(
            failure.message().ends_with("last seen: an empty field"),
            "{failure}"
        );
        assert!(looks > 1);
    }

    #[tokio::test]
    async fn what_can_never_come_is_not_waited_for() {
        let start = Instant::now();
        let waited = eventually("the cow", async || {
            Ok(Observation::<()>::Never(Failure::new("the cow is dead")))
        })
        .await;
        assert_eq!(waited.unwrap_err().message(), "the cow: the cow is dead");
        assert!(start.elapsed() < LIMIT);
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut_off() {
        let waited = eventually_within(Duration::from_millis(50), "the end", async || {
            std::future::pending::<Result<Observation<()>, Failure>>().await
        })
        .await;
        assert!(waited.is_err());
    }
}
