//! How often we ask, and how often we did.
//!
//! AWS throttles an account in a region. The allowances here are half of its default quotas, so that
//! others in the account keep the other half; whoever comes too early waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::provider::Call;

/// Half of the 10,000 requests a second that GetSecretValue and DescribeSecret have together.
const READS: f64 = 5_000.0;
/// Half of the 100 requests a second of BatchGetSecretValue, and the same for ListSecrets.
const LISTS: f64 = 50.0;
/// How many seconds' worth of requests may be made at once after a pause.
const BURST: f64 = 1.0;

/// The allowances of every account and region, and the counts of all requests.
#[derive(Default)]
pub(crate) struct Quotas {
    accounts: Mutex<HashMap<(String, String), Arc<Quota>>>,
    made: Arc<Mutex<HashMap<(Call, bool), u64>>>,
}

/// The allowance of one account in one region.
pub(crate) struct Quota {
    reads: Mutex<Bucket>,
    batches: Mutex<Bucket>,
    lists: Mutex<Bucket>,
    made: Arc<Mutex<HashMap<(Call, bool), u64>>>,
}

impl Quotas {
    /// The allowance of this account and region.
    #[must_use]
    pub(crate) fn of(&self, account: &str, region: &str) -> Arc<Quota> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (account.to_owned(), region.to_owned());
        Arc::clone(
            accounts
                .entry(key)
                .or_insert_with(|| Arc::new(Quota::new(&self.made))),
        )
    }

    /// How many requests of each kind succeeded (`true`) and failed.
    #[must_use]
    pub(crate) fn made(&self) -> Vec<((Call, bool), u64)> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made: Vec<_> = made.iter().map(|(key, count)| (*key, *count)).collect();
        made.sort_unstable();
        made
    }
}

impl Quota {
    fn new(made: &Arc<Mutex<HashMap<(Call, bool), u64>>>) -> Self {
        let now = Instant::now();
        Self {
            reads: Mutex::new(Bucket::new(READS, now)),
            batches: Mutex::new(Bucket::new(LISTS, now)),
            lists: Mutex::new(Bucket::new(LISTS, now)),
            made: Arc::clone(made),
        }
    }

    /// Waits until this request may be made.
    pub(crate) async fn admit(&self, call: Call) {
        let bucket = match call {
            Call::GetSecretValue | Call::DescribeSecret => &self.reads,
            Call::BatchGetSecretValue => &self.batches,
            Call::ListSecrets => &self.lists,
        };
        let wait = bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Counts a request that was made.
    pub(crate) fn count(&self, call: Call, succeeded: bool) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        *made.entry((call, succeeded)).or_default() += 1;
    }
}

/// A token bucket that lends: whoever finds it empty takes a token all the same, and waits for it.
struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(rate: f64, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate * BURST,
            filled: now,
        }
    }

    /// Takes a token and says how long to wait before using it.
    fn take(&mut self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * self.rate).min(self.rate * BURST) - 1.0;
        self.filled = now;
        Duration::from_secs_f64((-self.tokens).max(0.0) / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_beyond_the_allowance_wait_their_turn() {
        let start = Instant::now();
        let mut bucket = Bucket::new(50.0, start);
        let waits: Vec<u128> = (0..60).map(|_| bucket.take(start).as_millis()).collect();
        assert!(waits[..50].iter().all(|wait| *wait == 0));
        assert_eq!(waits[50..53], [20, 40, 60]);
        // A second later the ten that were lent are paid back, and forty are there.
        let later = start + Duration::from_secs(1);
        assert_eq!(
            (0..41).map(|_| bucket.take(later).as_millis()).max(),
            Some(20)
        );
        // After a long pause no more than the burst has gathered.
        let much_later = start + Duration::from_secs(100);
        assert_eq!(
            (0..51).map(|_| bucket.take(much_later).as_millis()).max(),
            Some(20)
        );
    }

    #[test]
    fn one_account_has_one_allowance_in_each_region() {
        let quotas = Quotas::default();
        assert!(Arc::ptr_eq(&quotas.of("1", "a"), &quotas.of("1", "a")));
        assert!(!Arc::ptr_eq(&quotas.of("1", "a"), &quotas.of("1", "b")));
        quotas.of("1", "a").count(Call::GetSecretValue, true);
        quotas.of("2", "a").count(Call::GetSecretValue, true);
        assert_eq!(quotas.made(), [((Call::GetSecretValue, true), 2)]);
    }
}
