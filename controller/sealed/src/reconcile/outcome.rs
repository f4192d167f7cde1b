//! What came of an attempt: remembered, counted, and told in the status and by an event.

use crds::sealed_secret::{REASON_UNSEALED, SealedSecret};
use jiff::Timestamp;
use kit::{reconcile::Retry, target::WriteError};
use tracing::{info, warn};

use super::{ATTEMPTS, Attempted, Found, SOON, Unsealer, inputs_of};
use crate::{
    carry_out::{self, Reported},
    gather,
    memory::{Known, Outcome},
    place::Place,
    problem::{Failed, Problem},
    status::{self, Observation, UNSEALED},
    watch::{Look, Watched},
};

/// What a failed attempt was made with.
pub(super) struct Tried {
    pub(super) keys: u64,
    pub(super) look: Look,
}

impl Unsealer {
    pub(super) async fn succeeded(
        &self,
        watched: &Watched,
        sealed: SealedSecret,
        known: Option<Known>,
        found: Found,
    ) -> Result<Attempted, Failed> {
        let place = Place::of(&sealed);
        let was_synced = known.is_some_and(|known| matches!(known.outcome, Outcome::Synced));
        // Remembered before the status is written: should that fail, nothing is opened again.
        let remembered = Known {
            inputs: inputs_of(&sealed),
            written: found.written.clone(),
            marks: found.marks,
            outcome: Outcome::Unknown,
        };
        self.memory.remember(&place, remembered.clone());
        let observation = Observation {
            generation: sealed.metadata.generation.unwrap_or_default(),
            problem: None,
            written: Some(found.written),
        };
        let news = self.report(sealed, observation).await?;
        self.memory.remember(
            &place,
            Known {
                outcome: Outcome::Synced,
                ..remembered
            },
        );
        self.measures.observe(watched, true);
        if found.wrote || (news && !was_synced) {
            info!(secret = %place, wrote = found.wrote, "unsealed");
            self.recorder.normal(watched, REASON_UNSEALED, UNSEALED);
        }
        Ok(Attempted::Done)
    }

    pub(super) async fn failed(
        &self,
        watched: &Watched,
        sealed: SealedSecret,
        known: Option<Known>,
        problem: Problem,
        tried: Tried,
    ) -> Result<Attempted, Failed> {
        let place = Place::of(&sealed);
        self.measures.failed(problem.counted_as(), &place.namespace);
        self.measures.observe(watched, false);
        if is_ending(&problem) {
            return Ok(Attempted::Gone);
        }
        let (told, attempts) = match known.as_ref().map(|known| &known.outcome) {
            Some(Outcome::Failed {
                problem: before,
                attempts,
                ..
            }) => (*before == problem, attempts.saturating_add(1)),
            _ => (false, 1),
        };
        let outcome = Outcome::Failed {
            problem: problem.clone(),
            attempts,
            keys: tried.keys,
            secret: tried.look.version().map(str::to_owned),
        };
        let remembered = known.unwrap_or_else(|| Known {
            written: sealed
                .status
                .as_ref()
                .and_then(|status| status.written.clone())
                .unwrap_or_default(),
            ..Known::default()
        });
        let inputs = inputs_of(&sealed);
        self.memory.remember(
            &place,
            Known {
                inputs,
                outcome,
                ..remembered
            },
        );
        let generation = sealed.metadata.generation.unwrap_or_default();
        let observation = Observation {
            generation,
            problem: Some(&problem),
            written: None,
        };
        let news = self.report(sealed, observation).await?;
        if news && !told {
            self.recorder
                .warning(watched, problem.event_reason(), &problem.event_message());
        }
        // A key that came during the attempt found nobody remembered who waits for it.
        let has_missed_a_key = problem.waits_for_a_key() && self.keys.now().version != tried.keys;
        let retry = if has_missed_a_key {
            Retry::After(SOON)
        } else {
            self.retry(&problem, attempts, &tried.look)
        };
        Err(Failed { problem, retry })
    }

    fn retry(&self, problem: &Problem, attempts: u32, look: &Look) -> Retry {
        let is_blind = problem.waits_for_the_secret() && matches!(look, Look::Unknown);
        if problem.is_settled() && !is_blind {
            return Retry::WaitForChange;
        }
        match self.habits.most_retries {
            Some(most) if attempts > most => Retry::WaitForChange,
            _ => Retry::Backoff,
        }
    }

    pub(super) fn unread(&self, place: &Place, problem: Problem) -> Failed {
        self.measures.failed(problem.counted_as(), &place.namespace);
        Failed {
            problem,
            retry: Retry::Backoff,
        }
    }

    /// Writes the status if it says something new, and returns whether it does.
    async fn report(
        &self,
        sealed: SealedSecret,
        observation: Observation<'_>,
    ) -> Result<bool, Failed> {
        let (place, inputs) = (Place::of(&sealed), inputs_of(&sealed));
        let observation = Observation {
            written: observation.written.filter(|_| !self.memory.is_pruned()),
            ..observation
        };
        let mut reporting = sealed;
        for _ in 0..ATTEMPTS {
            let present = reporting.status.take().unwrap_or_default();
            let Some(next) = status::next(&present, &observation, Timestamp::now()) else {
                return Ok(false);
            };
            let is_news = !status::tells_the_same(&present, &next);
            if !self.habits.update_status {
                return Ok(is_news);
            }
            reporting.status = Some(next);
            match carry_out::status(&self.client, &reporting).await {
                Ok(Reported::Whole) => return Ok(is_news),
                Ok(Reported::Pruned) => {
                    self.say_pruned();
                    return Ok(is_news);
                }
                Ok(Reported::Overtaken) => {}
                Err(problem) => return Err(self.unread(&place, problem)),
            }
            // A label was set meanwhile, say. What was found is still true if nothing else changed.
            match gather::sealed_secret(&self.client, &place).await {
                Ok(Some(now)) if inputs_of(&now) == inputs => reporting = now,
                Ok(_) => return Ok(false),
                Err(problem) => return Err(self.unread(&place, problem)),
            }
        }
        Err(self.unread(
            &place,
            Problem::Status("it was changed at every attempt".to_owned()),
        ))
    }

    fn say_pruned(&self) {
        if self.memory.set_pruned() {
            warn!(
                "the installed CRD drops status.written: everything works, but every start opens every \
                 SealedSecret again; our CRD keeps it"
            );
        }
    }
}

/// A namespace that is being deleted takes no new Secret, and soon has no SealedSecret any more.
fn is_ending(problem: &Problem) -> bool {
    match problem {
        Problem::Write(WriteError::Forbidden(message)) => message.contains("is being terminated"),
        Problem::Write(WriteError::Gone(_)) => true,
        _ => false,
    }
}
