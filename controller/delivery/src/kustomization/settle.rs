//! Saying how an attempt went: in the status, in events, and to those who wait for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crds::kustomization::{
    EVENT_REVISION, Kustomization, KustomizationStatus, REASON_RECONCILIATION_SUCCEEDED,
};
use jiff::Timestamp;
use kit::redact;
use kube::ResourceExt as _;

use super::{
    carry_out::Report,
    failure::ApplyFailure,
    status::{self, Attempt, Healthy},
    waiting::Look,
    watch::{Applying, LONGEST_WAIT},
    work::{Failed, Outcome},
};
use crate::{conditions::ready_differs, owner::Owner};

impl Applying {
    pub(super) async fn write(
        &self,
        object: &Kustomization,
        status: &mut KustomizationStatus,
        after: KustomizationStatus,
    ) -> Result<(), ApplyFailure> {
        let written = self.statuses.write(object, status, &after).await;
        written.map_err(|error| ApplyFailure::Api {
            doing: "write the status",
            said: redact::api_error(&error),
        })?;
        *status = after;
        Ok(())
    }

    /// Writes the outcome, tells it, and wakes those who wait for it.
    pub(super) async fn settle(
        &self,
        object: &Kustomization,
        mut status: KustomizationStatus,
        before: &KustomizationStatus,
        result: Result<Outcome, Failed>,
        started: tokio::time::Instant,
    ) -> Result<Duration, ApplyFailure> {
        let took = started.elapsed();
        let (outcome, mut failure, tried) = match result {
            Ok(outcome) => {
                let failure = outcome.failure();
                let revision = outcome.revision.clone();
                (Some(outcome), failure, Some(revision))
            }
            Err((failure, revision)) => (None, Some(failure), revision),
        };
        let done = outcome
            .as_ref()
            .filter(|outcome| outcome.report.as_ref().is_some_and(Report::has_changes));
        let attempt = Attempt {
            revision: tried.as_deref(),
            inventory: outcome.as_ref().map(|outcome| &outcome.inventory),
            written: outcome.as_ref().and_then(|outcome| outcome.written.clone()),
            failure: failure.as_ref(),
            done: done.map(|outcome| (outcome.digest.as_str(), took)),
            health: self.health_said(object, outcome.as_ref()),
        };
        let after = status::status(&status, object, attempt, Timestamp::now());
        if let Err(error) = self.write(object, &mut status, after.clone()).await {
            failure = failure.or(Some(error));
        }
        self.tell(object, before, &after, outcome.as_ref(), failure.as_ref());
        if ready_differs(&before.conditions, &after.conditions)
            || before.last_attempted_revision != after.last_attempted_revision
        {
            self.wake_dependents(object);
        }
        match (failure, outcome) {
            (Some(failure), _) => Err(failure),
            (None, outcome) => Ok(outcome.map_or(LONGEST_WAIT, |outcome| outcome.next)),
        }
    }

    fn tell(
        &self,
        object: &Kustomization,
        before: &KustomizationStatus,
        after: &KustomizationStatus,
        outcome: Option<&Outcome>,
        failure: Option<&ApplyFailure>,
    ) {
        let annotations = || {
            BTreeMap::from([(
                EVENT_REVISION.to_owned(),
                after.last_attempted_revision.clone(),
            )])
        };
        if let Some(lines) = outcome
            .and_then(|outcome| outcome.report.as_ref())
            .map(Report::lines)
            && !lines.is_empty()
        {
            let lines = lines.join("\n");
            self.events.annotated(
                object,
                REASON_RECONCILIATION_SUCCEEDED,
                &lines,
                annotations(),
            );
        }
        if !ready_differs(&before.conditions, &after.conditions) {
            return;
        }
        match failure {
            Some(failure) => self
                .events
                .warning(object, failure.reason(), &failure.to_string()),
            None => {
                let message = format!("Applied revision: {}", after.last_applied_revision);
                self.events.annotated(
                    object,
                    REASON_RECONCILIATION_SUCCEEDED,
                    &message,
                    annotations(),
                );
            }
        }
    }

    /// Those that depend on this one, and those that wait with deleting until it has looked at its revision.
    fn wake_dependents(&self, object: &Kustomization) {
        let owner = Owner::of(object);
        for other in self.parts.kustomizations.state() {
            let namespace = other.namespace().unwrap_or_default();
            let depends = other.spec.depends_on.iter().any(|dependency| {
                let of = if dependency.namespace.is_empty() {
                    &namespace
                } else {
                    &dependency.namespace
                };
                dependency.name == owner.name && *of == owner.namespace
            });
            if depends {
                self.parts.wake.wake(Owner::of(&other));
            }
        }
    }

    /// What to say of the health.
    fn health_said(&self, object: &Kustomization, outcome: Option<&Outcome>) -> Healthy {
        let Some(look) = outcome.and_then(|outcome| outcome.look.as_ref()) else {
            return Healthy::NotAsked;
        };
        match look {
            Look::Healthy => {
                let took = self.waiting.waited(&Owner::of(object));
                Healthy::Yes(format!(
                    "Health check passed in {}",
                    crds::duration::print(rounded(took))
                ))
            }
            Look::Wait { pending, .. } => {
                let timeout = object
                    .spec
                    .parse_timeout()
                    .map(crds::duration::print)
                    .unwrap_or_default();
                Healthy::Waiting(format!(
                    "Running health checks for {pending} objects with a timeout of {timeout}"
                ))
            }
            Look::Failed(failure) => Healthy::No(failure.to_string()),
        }
    }
}

impl Outcome {
    fn failure(&self) -> Option<ApplyFailure> {
        let applying = self.report.as_ref().and_then(Report::failure);
        applying.or_else(|| match &self.look {
            Some(Look::Failed(failure)) => Some(failure.again()),
            _ => None,
        })
    }
}

impl Report {
    pub(super) fn failure(&self) -> Option<ApplyFailure> {
        if !self.errors.is_empty() {
            Some(ApplyFailure::Objects(self.errors.clone()))
        } else if !self.prune_errors.is_empty() {
            Some(ApplyFailure::Prune(self.prune_errors.clone()))
        } else {
            None
        }
    }
}

/// To milliseconds: nobody reads more.
fn rounded(duration: Duration) -> Duration {
    Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
