//! One SealedSecret from its change to its Secret: watch, gather, plan, carry out, report.
//!
//! # Expected flow
//! 1. Ask whether anything is due; mostly nothing is, and nothing is asked of the API server.
//! 2. Take the SealedSecret as it came, or read it, and read the Secret if there is one.
//! 3. Judge both without a key, then open what is not known yet.
//! 4. Write the Secret if it differs, then the status if it says something new.
//!
//! # Guarantees
//! - If any item does not open, nothing is written, and what was written before stays.
//! - A Secret of somebody else is not touched.
//! - A crash after any of the writes ends in the same state at the next start.
//!
//! # Assumptions
//! What was missing wakes us: a key, the Secret, the SealedSecret. Only failures of the API server
//! are tried again by time.

mod outcome;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crds::sealed_secret::{SealedSecret, Written, WrittenSecret};
use kit::{
    events::Recorder,
    reconcile::{Next, Reconcile, Retry},
    target::WriteError,
};
use kube::Client;

use crate::{
    carry_out::{self, Carried},
    gather::{self, Sources},
    keyring::{KeySet, Keys},
    memory::{Inputs, Known, Memory, Outcome},
    metrics::Measures,
    open::Opener,
    place::Place,
    plan::{self, Blueprint, Due, Plan, Rules, due, inputs_digest},
    problem::{Failed, Problem},
    watch::{Bodies, Look, SecretIndex, Watched, scope_of},
};
use outcome::Tried;

/// How often one reconcile starts over because somebody else was faster.
const ATTEMPTS: usize = 4;

/// When to look again while the watch has not told yet what we have already seen.
const SOON: Duration = Duration::from_secs(1);

/// Brings SealedSecrets and Secrets together.
pub(crate) struct Unsealer {
    pub(crate) client: Client,
    pub(crate) keys: Keys,
    pub(crate) opener: Opener,
    pub(crate) rules: Rules,
    pub(crate) secrets: Arc<SecretIndex>,
    pub(crate) bodies: Arc<Bodies>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) measures: Measures,
    pub(crate) recorder: Recorder,
    pub(crate) habits: Habits,
}

/// Settings that change how an outcome is dealt with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// `--update-status`.
    pub(crate) update_status: bool,
    /// `--max-unseal-retries`, where it is set.
    pub(crate) most_retries: Option<u32>,
}

impl Reconcile for Unsealer {
    type Kind = Watched;
    type Failure = Failed;

    async fn reconcile(&self, watched: Arc<Watched>) -> Result<Next, Failed> {
        let place = Place::of(watched.as_ref());
        let keys = self.keys.now();
        if !keys.is_loaded() {
            // Without keys every item would be said not to open.
            return Ok(Next::After(SOON));
        }
        // Taken in any case: what needs no attempt is not held any longer.
        let body = self.bodies.take(&watched);
        let (known, look) = (self.memory.recall(&place), self.secrets.look(&place));
        match due(&watched, known.as_ref(), &look, keys.version) {
            Due::Nothing => {
                self.adopt(&place, &watched, known);
                self.measures.observe(&watched, true);
                Ok(Next::WaitForChange)
            }
            Due::Later(wait) => Ok(Next::After(wait)),
            Due::StillFailing(problem) => {
                self.measures.observe(&watched, false);
                Err(Failed {
                    problem,
                    retry: Retry::WaitForChange,
                })
            }
            Due::Attempt => self.attempts(&watched, body, &place, &keys).await,
        }
    }
}

/// The end of one attempt.
enum Attempted {
    Done,
    /// The SealedSecret is gone, or on its way.
    Gone,
    /// What we knew was out of date.
    Again,
    /// Not before this time has passed.
    Later(Duration),
}

/// What an attempt found, to be reported.
struct Found {
    written: Written,
    marks: BTreeMap<String, u64>,
    wrote: bool,
}

impl Unsealer {
    /// Takes over what the status remembers from before this process started.
    fn adopt(&self, place: &Place, watched: &Watched, known: Option<Known>) {
        if known.is_some() {
            return;
        }
        let known = Known {
            inputs: plan::inputs_of(watched),
            written: watched.status.written.clone().unwrap_or_default(),
            marks: BTreeMap::new(),
            outcome: Outcome::Synced,
        };
        self.memory.remember(place, known);
    }

    async fn attempts(
        &self,
        watched: &Watched,
        mut body: Option<SealedSecret>,
        place: &Place,
        keys: &Arc<KeySet>,
    ) -> Result<Next, Failed> {
        self.measures.attempted();
        for attempt in 0..ATTEMPTS {
            let Some(sealed) = self.sealed_secret(body.take(), place).await? else {
                return Ok(Next::WaitForChange);
            };
            match self.attempt(watched, sealed, place, attempt, keys).await? {
                Attempted::Done | Attempted::Gone => return Ok(Next::WaitForChange),
                Attempted::Later(wait) => return Ok(Next::After(wait)),
                Attempted::Again => {}
            }
        }
        self.measures
            .failed(crate::problem::Counted::Update, &place.namespace);
        Err(Failed {
            problem: WriteError::Conflict.into(),
            retry: Retry::Backoff,
        })
    }

    /// The SealedSecret as it came, or else as it is now. `None` when it is gone.
    async fn sealed_secret(
        &self,
        body: Option<SealedSecret>,
        place: &Place,
    ) -> Result<Option<SealedSecret>, Failed> {
        match body {
            Some(sealed) => Ok(Some(sealed)),
            None => gather::sealed_secret(&self.client, place)
                .await
                .map_err(|problem| self.unread(place, problem)),
        }
    }

    async fn attempt(
        &self,
        watched: &Watched,
        sealed: SealedSecret,
        place: &Place,
        attempt: usize,
        keys: &Arc<KeySet>,
    ) -> Result<Attempted, Failed> {
        if sealed.metadata.deletion_timestamp.is_some() {
            return Ok(Attempted::Gone);
        }
        let look = match self.secrets.look(place) {
            // What was in the way of the attempt before may still be news to the watch.
            Look::Absent if attempt > 0 => Look::Unknown,
            look => look,
        };
        let known = self
            .memory
            .recall(place)
            .filter(|known| known.inputs == inputs_of(&sealed));
        let result = self
            .unseal(&sealed, place, &look, known.as_ref(), keys)
            .await;
        match result {
            Ok(Unsealed::Found(found)) => self.succeeded(watched, sealed, known, found).await,
            Ok(Unsealed::Again) => Ok(Attempted::Again),
            Ok(Unsealed::Later(wait)) => Ok(Attempted::Later(wait)),
            Err(problem) => {
                let tried = Tried {
                    keys: keys.version,
                    look,
                };
                self.failed(watched, sealed, known, problem, tried).await
            }
        }
    }

    /// Everything but the report.
    async fn unseal(
        &self,
        sealed: &SealedSecret,
        place: &Place,
        look: &Look,
        known: Option<&Known>,
        keys: &Arc<KeySet>,
    ) -> Result<Unsealed, Problem> {
        let mut examined = plan::examine(sealed, &self.rules)?;
        if let Look::LeftAlone(wait) = look {
            return Ok(Unsealed::Later(*wait));
        }
        let live = gather::live_secret(&self.client, place, look).await?;
        if live.is_none() && matches!(look, Look::Present(_)) {
            // The watch has yet to tell that it went, and whether it is to be left alone.
            return Ok(Unsealed::Later(SOON));
        }
        let in_status = sealed
            .status
            .as_ref()
            .and_then(|status| status.written.as_ref());
        let written = known.map(|known| &known.written).or(in_status);
        let ownership = live
            .as_ref()
            .map(|live| plan::ownership(live, sealed, written))
            .transpose()?;
        let sources = Sources {
            sealed,
            live: live.as_ref(),
            known,
            memory: &self.memory,
            keys,
            opener: &self.opener,
        };
        let values = gather::values(&sources, &mut examined).await?;
        let items = values.items.clone();
        let blueprint = Blueprint::new(sealed, &examined, values, &self.rules)?;
        let plan = plan::decide(sealed, &blueprint, live.as_ref().zip(ownership))?;
        // Opening took its time. What came or went meanwhile is told by now.
        match (&plan, self.secrets.look(place)) {
            (Plan::Create(_), Look::LeftAlone(wait)) => return Ok(Unsealed::Later(wait)),
            (Plan::Create(_), Look::Present(_)) => return Ok(Unsealed::Again),
            _ => {}
        }
        let carried = carry_out::secret(&self.client, plan, live.as_ref(), &self.secrets).await?;
        let (secret, wrote) = match carried {
            Carried::Wrote(secret) => (secret, true),
            Carried::Kept(secret) => (secret, false),
            Carried::OutOfDate => return Ok(Unsealed::Again),
        };
        let written = Written {
            secret: Some(WrittenSecret {
                uid: secret.uid,
                resource_version: secret.resource_version,
            }),
            inputs: Some(inputs_of(sealed).digest),
            items,
        };
        let marks = gather::marks(&self.memory, &blueprint.data);
        Ok(Unsealed::Found(Found {
            written,
            marks,
            wrote,
        }))
    }
}

/// What came of one SealedSecret.
enum Unsealed {
    Found(Found),
    Again,
    Later(Duration),
}

fn inputs_of(sealed: &SealedSecret) -> Inputs {
    let uid = sealed.metadata.uid.clone().unwrap_or_default();
    Inputs {
        generation: sealed.metadata.generation.unwrap_or_default(),
        digest: inputs_digest(&uid, scope_of(&sealed.metadata)),
        uid,
    }
}
