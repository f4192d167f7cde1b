//! Applying and pruning.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, runtime::conditions::is_crd_established};
use tracing::{info, warn};

use super::plan::{Plan, Step};
use crate::{
    cluster::{Applied, Applier, Change, Deleted, Kinds, Known, ObjectError, Watched, Why, delete},
    inventory::{Inventory, ObjectId},
    order,
    owner::Owner,
};

/// Who carries out, and with what.
pub(super) struct Hands<'a> {
    /// Ourselves, or a tenant's ServiceAccount.
    pub(super) client: &'a Client,
    /// Ourselves: what we only look at.
    pub(super) own_client: &'a Client,
    pub(super) kinds: &'a Kinds,
    pub(super) watched: &'a Watched,
    pub(super) applier: Applier<'a>,
    pub(super) owner: &'a Owner,
    /// The namespace that we live in; it is never deleted.
    pub(super) own_namespace: &'a str,
}

/// What was done.
#[derive(Default)]
pub(super) struct Report {
    /// What became of each object that was looked at.
    pub(super) changes: Vec<(ObjectId, Change)>,
    /// What was changed by others and put back, with who they are.
    pub(super) put_back: Vec<(ObjectId, String)>,
    /// What was deleted.
    pub(super) pruned: Vec<ObjectId>,
    /// What is ours now.
    pub(super) inventory: Inventory,
    /// What is skipped and somebody else's.
    pub(super) foreign: Vec<ObjectId>,
    /// Objects that could not be applied.
    pub(super) errors: Vec<ObjectError>,
    /// Objects that could not be deleted.
    pub(super) prune_errors: Vec<ObjectError>,
}

impl Report {
    /// Whether anything was written to the cluster.
    pub(super) fn has_changes(&self) -> bool {
        let changed = |(_, change): &(ObjectId, Change)| {
            matches!(change, Change::Created | Change::Configured)
        };
        self.changes.iter().any(changed) || !self.pruned.is_empty()
    }

    /// What this attempt gives a claim to: what was applied, and what only its holder stands before.
    pub(super) fn claimed(&self) -> impl Iterator<Item = &ObjectId> {
        let applied = self.changes.iter().map(|(id, _)| id);
        let applied = applied.filter(|id| !self.foreign.contains(id));
        let kept_from = self.errors.iter();
        let kept_from = kept_from.filter(|error| matches!(error.why, Why::Claimed(_)));
        applied.chain(kept_from.map(|error| &error.id))
    }

    /// One line for each change, as in Flux's events (kustomize-controller, `ChangeSet.ToMap`).
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (id, change) in &self.changes {
            let word = match change {
                Change::Created => "created",
                Change::Configured => "configured",
                Change::Unchanged | Change::Skipped => continue,
            };
            let by = self.put_back.iter().find(|(other, _)| other == id);
            let by = by
                .map(|(_, rival)| format!(" (was changed by {rival})"))
                .unwrap_or_default();
            lines.push(format!("{} {word}{by}", id.subject()));
        }
        lines.extend(
            self.pruned
                .iter()
                .map(|id| format!("{} deleted", id.subject())),
        );
        lines
    }
}

/// Carries out a plan whose record is written. All errors are collected: one object does not stop another.
pub(super) async fn carry_out(hands: &Hands<'_>, plan: Plan, recorded: &Inventory) -> Report {
    let mut report = Report {
        inventory: plan.wanted.clone(),
        ..Report::default()
    };
    let (definitions, others): (Vec<Step>, Vec<Step>) = plan
        .steps
        .into_iter()
        .partition(|step| order::is_definition(&step.desired.id.group, &step.desired.id.kind));
    let deferred = apply_all(hands, definitions, &mut report).await;
    established(hands, &report).await;
    let brings_kinds = report.changes.iter().any(|(id, _)| id.kind == CRD);
    let mut waiting = apply_all(hands, others, &mut report).await;
    waiting.extend(deferred);
    if brings_kinds && !waiting.is_empty() {
        waiting = retry_deferred(hands, waiting, &mut report).await;
    }
    for step in waiting {
        report.errors.push(missing_kind(&step));
    }
    forget_refused(&mut report, recorded);
    if report.errors.is_empty() && !plan.prune_later {
        prune(hands, &plan.stale, recorded, &mut report).await;
    } else {
        for id in &plan.stale {
            keep(&mut report.inventory, recorded, id);
        }
    }
    report
}

/// Applies in order, objects of one rank side by side. Returns those whose kind is not served.
async fn apply_all(hands: &Hands<'_>, steps: Vec<Step>, report: &mut Report) -> Vec<Step> {
    let mut deferred = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(first) = steps.next() {
        let rank = order::rank(&first.desired.id.kind);
        let mut same = vec![first];
        while let Some(step) = steps.next_if(|step| order::rank(&step.desired.id.kind) == rank) {
            same.push(step);
        }
        let results = stream::iter(same)
            .map(async |step| {
                let result = hands
                    .applier
                    .apply(&step.desired.manifest, step.expectation)
                    .await;
                (step, result)
            })
            .buffered(SIDE_BY_SIDE)
            .collect::<Vec<_>>()
            .await;
        for (step, result) in results {
            match result {
                Ok(applied) => hands.applied(&step, applied, report),
                Err(error) if error.why.waits_for_kind() => deferred.push(step),
                Err(error) => report.errors.push(error),
            }
        }
    }
    deferred
}

impl Hands<'_> {
    fn applied(&self, step: &Step, applied: Applied, report: &mut Report) {
        let Applied {
            id,
            change,
            is_ours,
            fingerprint,
            version,
            served,
        } = applied;
        if !is_ours {
            report.foreign.push(id.clone());
        }
        self.watched.watch(&served);
        if let Some(fingerprint) = fingerprint {
            let desired = Some(step.desired.digest.clone());
            self.watched.left(
                &id,
                Known {
                    owner: self.owner.clone(),
                    desired,
                    fingerprint,
                    version,
                },
            );
        }
        let put_back = matches!(change, Change::Created | Change::Configured);
        match change {
            Change::Created => info!(object = %id.subject(), "created"),
            Change::Configured => info!(object = %id.subject(), "configured"),
            Change::Unchanged | Change::Skipped => {}
        }
        if let Some(rival) = step.rival.as_ref().filter(|_| put_back) {
            report.put_back.push((id.clone(), rival.clone()));
        }
        report.changes.push((id, change));
    }
}

/// Waits until the definitions that were just applied are established.
async fn established(hands: &Hands<'_>, report: &Report) {
    let api = Api::<CustomResourceDefinition>::all(hands.own_client.clone());
    let new = report.changes.iter().filter(|(id, change)| {
        id.kind == CRD && matches!(change, Change::Created | Change::Configured)
    });
    for (id, _) in new {
        let condition =
            kube::runtime::wait::await_condition(api.clone(), &id.name, is_crd_established());
        if tokio::time::timeout(LONGEST_ESTABLISHING, condition)
            .await
            .is_err()
        {
            warn!(object = %id.subject(), "is not established yet; objects of its kind are tried later");
        }
    }
}

/// A kind is served a moment after its definition is established.
async fn retry_deferred(
    hands: &Hands<'_>,
    mut waiting: Vec<Step>,
    report: &mut Report,
) -> Vec<Step> {
    let started = tokio::time::Instant::now();
    let mut wait = Duration::from_millis(100);
    while !waiting.is_empty() && started.elapsed() < LONGEST_DEFERRING {
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(1));
        waiting = apply_all(hands, waiting, report).await;
    }
    waiting
}

fn missing_kind(step: &Step) -> ObjectError {
    let manifest = &step.desired.manifest;
    ObjectError {
        id: step.desired.id.clone(),
        why: Why::NoSuchKind {
            api_version: manifest.api_version().to_owned(),
            kind: manifest.kind().to_owned(),
        },
    }
}

/// What was refused and was not ours before is not ours now. Where the API server did not answer, it may be.
fn forget_refused(report: &mut Report, recorded: &Inventory) {
    let refused: Vec<ObjectId> = report
        .errors
        .iter()
        .filter(|error| !matches!(error.why, Why::Unanswered(_) | Why::Lingers(_)))
        .filter(|error| !recorded.contains(&error.id) || matches!(error.why, Why::Claimed(_)))
        .map(|error| error.id.clone())
        .collect();
    report.inventory.remove_all(&refused);
}

async fn prune(hands: &Hands<'_>, stale: &[ObjectId], recorded: &Inventory, report: &mut Report) {
    for id in stale {
        hands.watched.forget(id, hands.owner);
        if id.kind == "Namespace" && id.group.is_empty() && id.name == hands.own_namespace {
            warn!(object = %id.subject(), "is not deleted: this controller lives in it");
            continue;
        }
        let version = recorded.version(id).unwrap_or_default();
        match delete(hands.client, hands.kinds, hands.owner, id, version).await {
            Ok(Deleted::Now) => {
                info!(object = %id.subject(), "deleted");
                report.pruned.push(id.clone());
            }
            Ok(Deleted::Before | Deleted::Left) => {}
            Err(error) => {
                keep(&mut report.inventory, recorded, id);
                report.prune_errors.push(error);
            }
        }
    }
}

fn keep(inventory: &mut Inventory, recorded: &Inventory, id: &ObjectId) {
    inventory.insert(id.clone(), recorded.version(id).unwrap_or_default());
}

const CRD: &str = "CustomResourceDefinition";

/// Objects of one rank that are applied at the same time.
const SIDE_BY_SIDE: usize = 8;

/// The API server establishes a definition within a second, unless it is refused.
const LONGEST_ESTABLISHING: Duration = Duration::from_secs(10);
const LONGEST_DEFERRING: Duration = Duration::from_secs(10);
