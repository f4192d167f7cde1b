//! What is said about a Kustomization. Pure.

use std::{collections::BTreeMap, time::Duration};

use crds::{
    duration,
    flux::{
        HEALTHY, READY, REASON_PROGRESSING, REASON_SUCCEEDED, RECONCILING, REQUESTED_AT, STALLED,
    },
    kustomization::{
        HISTORY_SIZE, HistoryEntry, Inventory as Recorded, Kustomization, KustomizationStatus,
        REASON_HEALTH_CHECK_FAILED, REASON_RECONCILIATION_SUCCEEDED, Written,
    },
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::failure::ApplyFailure;
use crate::{
    conditions::{Conditions, find},
    inventory::Inventory,
};

/// How an attempt went.
pub(super) struct Attempt<'a> {
    /// The revision that was tried, if it came so far.
    pub(super) revision: Option<&'a str>,
    /// What is ours now, if it came so far.
    pub(super) inventory: Option<&'a Inventory>,
    /// What to remember, if everything is as it should be.
    pub(super) written: Option<Written>,
    /// Why it did not work.
    pub(super) failure: Option<&'a ApplyFailure>,
    /// Something was done; what, how long it took.
    pub(super) done: Option<(&'a str, Duration)>,
    /// What the health came to.
    pub(super) health: Healthy,
}

/// What there is to say of the health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Healthy {
    /// Nothing: the spec does not ask for it, or there is no new state to look at.
    NotAsked,
    /// Everything is as it should be.
    Yes(String),
    /// Not yet.
    Waiting(String),
    /// It failed.
    No(String),
}

/// The status before the first write of an attempt: what will be ours is recorded, and that work is under way.
pub(super) fn recorded(
    before: &KustomizationStatus,
    object: &Kustomization,
    revision: &str,
    inventory: &Inventory,
    now: Timestamp,
) -> KustomizationStatus {
    let mut status = before.clone();
    status.inventory = Some(Recorded {
        entries: inventory.entries(),
    });
    revision.clone_into(&mut status.last_attempted_revision);
    let generation = object.metadata.generation;
    let mut conditions = Conditions::from(&status.conditions, generation, now);
    let message = format!("Applying revision {revision}");
    conditions.set(RECONCILING, true, REASON_PROGRESSING, &message);
    if find(&before.conditions, READY).is_none_or(|ready| ready.observed_generation != generation) {
        conditions.set_unknown(READY, REASON_PROGRESSING, &message);
    }
    status.conditions = conditions.into_list();
    status
}

/// The status after an attempt.
pub(super) fn status(
    before: &KustomizationStatus,
    object: &Kustomization,
    attempt: Attempt<'_>,
    now: Timestamp,
) -> KustomizationStatus {
    let mut status = before.clone();
    let generation = object.metadata.generation;
    if let Some(requested) = object.annotations().get(REQUESTED_AT) {
        status.last_handled_reconcile_at.clone_from(requested);
    }
    if let Some(inventory) = attempt.inventory {
        let is_new = before.inventory.is_some() || !inventory.is_empty();
        status.inventory = is_new.then(|| Recorded {
            entries: inventory.entries(),
        });
    }
    let mut conditions = Conditions::from(&status.conditions, generation, now);
    let waits = say_health(&mut conditions, before, object, &attempt);
    if let Some(revision) = attempt.revision {
        revision.clone_into(&mut status.last_attempted_revision);
    }
    match (attempt.failure, attempt.revision) {
        (Some(failure), _) => {
            let message = failure.to_string();
            if failure.is_stalled() {
                conditions.stalled(failure.reason(), &message);
                status.observed_generation = generation;
            } else {
                conditions.failed(failure.reason(), &message);
            }
            // Unhealthy objects are as they were written; what could not be written is tried again whole.
            status.written = attempt.written;
        }
        (None, Some(_)) if waits => status.written = attempt.written,
        (None, Some(revision)) => {
            conditions.ready(
                REASON_RECONCILIATION_SUCCEEDED,
                &format!("Applied revision: {revision}"),
            );
            revision.clone_into(&mut status.last_applied_revision);
            status.observed_generation = generation;
            status.written = attempt.written;
        }
        (None, None) => {}
    }
    status.conditions = conditions.into_list();
    if let (Some((digest, took)), Some(revision)) = (attempt.done, attempt.revision) {
        let reason = attempt
            .failure
            .map_or(REASON_RECONCILIATION_SUCCEEDED, ApplyFailure::reason);
        remember(&mut status.history, digest, revision, reason, took, now);
    }
    status
}

/// Brings the condition of health up to date. Returns whether it is still waited for.
fn say_health(
    conditions: &mut Conditions,
    before: &KustomizationStatus,
    object: &Kustomization,
    attempt: &Attempt<'_>,
) -> bool {
    match &attempt.health {
        Healthy::NotAsked => {
            if !object.spec.wait && object.spec.health_checks.is_empty() {
                // What an earlier spec asked for is not true for ever.
                conditions.remove(HEALTHY);
            }
        }
        Healthy::Yes(message) => {
            // How long it took is said once, or each look would write a status.
            if find(&before.conditions, HEALTHY).is_none_or(|healthy| healthy.status != "True") {
                conditions.set(HEALTHY, true, REASON_SUCCEEDED, message);
            }
        }
        Healthy::No(message) => conditions.set(HEALTHY, false, REASON_HEALTH_CHECK_FAILED, message),
        Healthy::Waiting(message) => {
            conditions.set_unknown(HEALTHY, REASON_PROGRESSING, message);
            conditions.set_unknown(READY, REASON_PROGRESSING, message);
            conditions.set(RECONCILING, true, REASON_PROGRESSING, message);
            conditions.remove(STALLED);
            return true;
        }
    }
    false
}

/// One entry for each digest and outcome, newest first (fluxcd/pkg apis/meta/history_types.go, `Upsert`). It moves only when
/// something was done, so that looking and finding nothing to do writes nothing.
fn remember(
    history: &mut Vec<HistoryEntry>,
    digest: &str,
    revision: &str,
    reason: &str,
    took: Duration,
    now: Timestamp,
) {
    let same =
        |entry: &HistoryEntry| entry.digest == digest && entry.last_reconciled_status == reason;
    let old = history.iter().position(same).map(|at| history.remove(at));
    let entry = HistoryEntry {
        digest: digest.to_owned(),
        first_reconciled: old
            .as_ref()
            .map_or(Time(now), |old| old.first_reconciled.clone()),
        last_reconciled: Time(now),
        last_reconciled_duration: duration::print(Duration::from_millis(
            u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        )),
        last_reconciled_status: reason.to_owned(),
        total_reconciliations: old
            .map_or(0, |old| old.total_reconciliations)
            .saturating_add(1),
        metadata: BTreeMap::from([("revision".to_owned(), revision.to_owned())]),
    };
    history.insert(0, entry);
    history.truncate(HISTORY_SIZE);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::conditions::find;

    fn object() -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "k", "namespace": "ns", "generation": 2, "annotations": {"reconcile.fluxcd.io/requestedAt": "now"}},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": "apps"}},
        }))
        .unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn inventory(name: &str) -> Inventory {
        [(
            format!("ns_{name}__ConfigMap").parse().unwrap(),
            "v1".to_owned(),
        )]
        .into_iter()
        .collect()
    }

    fn success<'a>(revision: &'a str, inventory: &'a Inventory) -> Attempt<'a> {
        Attempt {
            revision: Some(revision),
            inventory: Some(inventory),
            written: None,
            failure: None,
            done: None,
            health: Healthy::NotAsked,
        }
    }

    #[test]
    fn a_success_names_its_revision_and_saying_it_again_changes_nothing() {
        let ours = inventory("a");
        let first = status(
            &KustomizationStatus::default(),
            &object(),
            success("r1", &ours),
            at(1),
        );
        assert_eq!(
            (
                first.last_applied_revision.as_str(),
                first.last_attempted_revision.as_str()
            ),
            ("r1", "r1")
        );
        assert_eq!(
            (
                first.observed_generation,
                first.last_handled_reconcile_at.as_str()
            ),
            (Some(2), "now")
        );
        let ready = find(&first.conditions, "Ready").unwrap();
        assert_eq!(
            (ready.reason.as_str(), ready.message.as_str()),
            ("ReconciliationSucceeded", "Applied revision: r1")
        );
        assert_eq!(
            first.inventory.as_ref().unwrap().entries[0].id,
            "ns_a__ConfigMap"
        );
        assert_eq!(
            status(&first, &object(), success("r1", &ours), at(9)),
            first
        );
    }

    #[test]
    fn a_failure_keeps_the_revision_that_is_applied() {
        let ours = inventory("a");
        let mut object = object();
        let first = status(
            &KustomizationStatus::default(),
            &object,
            success("r1", &ours),
            at(1),
        );
        object.metadata.generation = Some(3);
        let failure = ApplyFailure::Artifact("Source 'GitRepository/ns/apps' not found".into());
        let attempt = Attempt {
            failure: Some(&failure),
            inventory: None,
            ..success("r2", &ours)
        };
        let failed = status(&first, &object, attempt, at(2));
        assert_eq!(
            (
                failed.last_applied_revision.as_str(),
                failed.last_attempted_revision.as_str()
            ),
            ("r1", "r2")
        );
        assert_eq!(failed.observed_generation, Some(2));
        assert_eq!(failed.inventory, first.inventory);
        assert_eq!(
            find(&failed.conditions, "Ready").unwrap().reason,
            "ArtifactFailed"
        );
        assert_eq!(
            find(&failed.conditions, "Reconciling").unwrap().reason,
            "ProgressingWithRetry"
        );
        let failure = ApplyFailure::NotServed("spec.decryption");
        let attempt = Attempt {
            failure: Some(&failure),
            ..success("r2", &ours)
        };
        let stalled = status(&first, &object, attempt, at(2));
        assert_eq!(stalled.observed_generation, Some(3));
        assert!(find(&stalled.conditions, "Stalled").is_some());
    }

    #[test]
    fn recording_does_not_take_ready_away_for_the_same_generation() {
        let ours = inventory("a");
        let first = status(
            &KustomizationStatus::default(),
            &object(),
            success("r1", &ours),
            at(1),
        );
        let under_way = recorded(&first, &object(), "r2", &inventory("b"), at(2));
        assert_eq!(find(&under_way.conditions, "Ready").unwrap().status, "True");
        assert_eq!(
            find(&under_way.conditions, "Reconciling").unwrap().reason,
            "Progressing"
        );
        let fresh = recorded(
            &KustomizationStatus::default(),
            &object(),
            "r1",
            &ours,
            at(2),
        );
        assert_eq!(find(&fresh.conditions, "Ready").unwrap().status, "Unknown");
        assert_eq!(fresh.observed_generation, None);
    }

    #[test]
    fn the_history_counts_and_is_short() {
        let ours = inventory("a");
        let mut last = KustomizationStatus::default();
        for digest in ["1", "1", "2", "3", "4", "5", "6"] {
            let attempt = Attempt {
                done: Some((digest, Duration::from_micros(1_234_567))),
                ..success("r", &ours)
            };
            last = status(&last, &object(), attempt, at(1));
        }
        let digests: Vec<&str> = last
            .history
            .iter()
            .map(|entry| entry.digest.as_str())
            .collect();
        assert_eq!(digests, ["6", "5", "4", "3", "2"]);
        assert_eq!(last.history[0].last_reconciled_duration, "1.234s");
        let mut twice = Vec::new();
        remember(&mut twice, "1", "r", "x", Duration::ZERO, at(1));
        remember(&mut twice, "1", "r", "x", Duration::ZERO, at(2));
        assert_eq!((twice.len(), twice[0].total_reconciliations), (1, 2));
        assert_eq!(twice[0].first_reconciled, Time(at(1)));
    }
}
