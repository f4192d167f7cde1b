//! One ExternalSecret, from a look at it to its status: what is done when, and who waits where.
//!
//! A place for opening or for work is held while something is computed or the API server is asked, never
//! while AWS is; see [`crate::fetch::Places`].

use std::{sync::Arc, time::Instant};

use crds::external_secret::{DeletionPolicy, ExternalSecret, FINALIZER};
use jiff::{SignedDuration, Timestamp};
use kit::{
    reconcile::{Next, Reconcile},
    redact,
};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::json;

use super::{
    attempt::{self, Attempt},
    carry_out,
    failure::SyncFailure,
    gather::{Gathered, gather},
    refresh::{self, Refresh},
    report, sources, spec,
    stores::{Opened, is_foreign, open_all},
    target::is_good,
    view,
};
use crate::{
    fetch::{Place, Turn},
    key::Key,
    part::Part,
};

/// Keeps Secrets in step with ExternalSecrets.
pub(crate) struct ExternalSecrets(pub(crate) Arc<Part>);

impl Reconcile for ExternalSecrets {
    type Kind = ExternalSecret;
    type Failure = SyncFailure;

    async fn reconcile(&self, object: Arc<ExternalSecret>) -> Result<Next, SyncFailure> {
        let part = &self.0;
        let key = Key::of(object.as_ref());
        if object.metadata.deletion_timestamp.is_some() {
            return let_go(part, &object, &key).await;
        }
        if is_foreign(part, &object) {
            return Ok(Next::WaitForChange);
        }
        if view::is_older(&object, &part.memory.of(&key)) {
            return Ok(Next::After(view::LOOK_AGAIN));
        }
        let began = Instant::now();
        let result = Box::pin(look(part, &object, &key)).await;
        part.memory.change(&key, |remembered| {
            remembered.calls += 1;
            remembered.errors += u64::from(result.is_err());
            remembered.took = began.elapsed();
        });
        let told = match result {
            Err(failure @ SyncFailure::Failed { .. }) => {
                let written = report::failure(part, &object, &failure).await;
                Err(written.err().unwrap_or(failure))
            }
            other => other,
        };
        // What was noted of an object that went meanwhile would stay for ever.
        if !part.knows(&key) {
            part.forget(&key);
        }
        told
    }
}

/// Decides whether anything has to be done, and has it done. At the shutdown whoever still waits
/// gives up: nothing has been written yet, and the next run begins with it.
async fn look(part: &Part, object: &ExternalSecret, key: &Key) -> Result<Next, SyncFailure> {
    spec::check(object)?;
    let now = Timestamp::now();
    let due = part.timetable(|table| table.due(&key.to_string()));
    let decision = refresh::decide(object, now, due);
    let turn = match decision {
        Refresh::Due => Turn::Due,
        Refresh::Changed | Refresh::NotBefore(_) => Turn::Changed,
    };
    let shutdown = &part.context.shutdown;
    let Ok(opening) = shutdown.or(part.places.open(turn)).await else {
        return Ok(Next::WaitForChange);
    };
    if let Refresh::NotBefore(next) = decision
        && !sources::changed(part, object).await?
        && is_good(part, object, key).await?
    {
        return Ok(wait_until(next, now));
    }
    let opened = open_all(part, object).await;
    drop(opening);
    let answered = shutdown.or(Box::pin(answered(part, object, &opened, turn)));
    let Ok(answered) = answered.await else {
        return Ok(Next::WaitForChange);
    };
    let attempt = Attempt {
        part,
        object,
        key,
        started: answered.started,
    };
    let next = Box::pin(attempt::bring_in_step(&attempt, answered.gathered)).await?;
    Ok(wait_until(next, Timestamp::now()))
}

/// What the provider said, and the places that are held from then on.
struct Answered {
    started: Timestamp,
    gathered: Gathered,
    /// Held until everything is written: so many at once hold plaintext.
    _asking: Place,
    _working: Place,
}

async fn answered(part: &Part, object: &ExternalSecret, opened: &Opened, turn: Turn) -> Answered {
    let asking = part.places.ask(&opened.lanes(), turn).await;
    let started = Timestamp::now();
    let gathered = Box::pin(gather(part, object, opened, turn)).await;
    Answered {
        started,
        gathered,
        _asking: asking,
        _working: part.places.work(turn).await,
    }
}

fn wait_until(next: Option<Timestamp>, now: Timestamp) -> Next {
    next.map_or(Next::WaitForChange, |next| {
        let wait = next.duration_since(now).max(SignedDuration::ZERO);
        Next::After(wait.unsigned_abs())
    })
}

/// The object is being deleted: its finalizer is the incumbent's, and we take it away.
async fn let_go(part: &Part, object: &ExternalSecret, key: &Key) -> Result<Next, SyncFailure> {
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        if object.spec.target.deletion_policy == DeletionPolicy::Delete {
            carry_out::clean_up(part, object).await?;
        }
        let rest: Vec<&String> = object
            .finalizers()
            .iter()
            .filter(|name| *name != FINALIZER)
            .collect();
        let patch = json!({"metadata": {
            "finalizers": rest, "resourceVersion": object.metadata.resource_version,
        }});
        let api: Api<ExternalSecret> = Api::namespaced(part.context.client.clone(), &key.namespace);
        let _call = part.calls.acquire().await;
        let patched = api
            .patch(&key.name, &PatchParams::default(), &Patch::Merge(patch))
            .await;
        match patched {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(kube::Error::Api(status)) if status.code == 409 => {
                return Err(SyncFailure::Overtaken(
                    "the ExternalSecret was changed meanwhile",
                ));
            }
            Err(error) => return Err(SyncFailure::Status(redact::api_error(&error))),
        }
    }
    Ok(Next::WaitForChange)
}
