//! Who keeps changing what we apply, and how patient that makes us.
//!
//! A change is put back at once. If the same field manager changes the same object again soon, the next time waits a second,
//! then two, then four, up to the Kustomization's interval: two controllers must not fight at full speed.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use crate::inventory::ObjectId;

/// The fights of all objects.
#[derive(Default)]
pub(super) struct Fights {
    rounds: Mutex<HashMap<(ObjectId, String), Round>>,
}

#[derive(Clone, Copy)]
struct Round {
    count: u32,
    last: Timestamp,
}

impl Fights {
    /// How long what `rival` did to the object stays as it is, from now on. Zero: put it back now.
    pub(super) fn patience(
        &self,
        id: &ObjectId,
        rival: &str,
        longest: Duration,
        now: Timestamp,
    ) -> Duration {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(round) = rounds.get(&(id.clone(), rival.to_owned())) else {
            return Duration::ZERO;
        };
        wait(round.count, longest).saturating_sub(since(round.last, now))
    }

    /// What `rival` did to the object was put back now. Returns how often that has happened in a row.
    pub(super) fn fought(
        &self,
        id: &ObjectId,
        rival: &str,
        longest: Duration,
        now: Timestamp,
    ) -> u32 {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.retain(|_, round| since(round.last, now) < peace(round.count, longest));
        if rounds.len() >= MOST_ROUNDS {
            return 1;
        }
        let round = rounds
            .entry((id.clone(), rival.to_owned()))
            .or_insert(Round {
                count: 0,
                last: now,
            });
        *round = Round {
            count: round.count.saturating_add(1),
            last: now,
        };
        round.count
    }
}

fn wait(count: u32, longest: Duration) -> Duration {
    match count {
        0 => Duration::ZERO,
        count => Duration::from_secs(1 << (count - 1).min(20)).min(longest),
    }
}

/// After so long without a change, a fight is over.
fn peace(count: u32, longest: Duration) -> Duration {
    wait(count, longest) * 2 + Duration::from_secs(60)
}

fn since(last: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(last)).unwrap_or_default()
}

/// Fights that are remembered at a time.
const MOST_ROUNDS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_each_round_and_ends_with_peace() {
        let fights = Fights::default();
        let id: ObjectId = "shop_web_apps_Deployment".parse().unwrap();
        let longest = Duration::from_secs(10);
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let seconds = |rival: &str, now| fights.patience(&id, rival, longest, at(now)).as_secs();
        assert_eq!(seconds("hpa", 0), 0);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..6 {
            fights.fought(&id, "hpa", longest, at(now));
            waits.push(seconds("hpa", now));
            now += i64::try_from(seconds("hpa", now)).unwrap();
            assert_eq!(seconds("hpa", now), 0);
        }
        assert_eq!(waits, [1, 2, 4, 8, 10, 10]);
        assert_eq!(seconds("kubectl", now), 0);
        assert_eq!(fights.fought(&id, "hpa", longest, at(now + 81)), 1);
    }
}
