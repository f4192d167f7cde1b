//! One attempt to make the cluster as the newest revision wants it.

use std::{sync::PoisonError, time::Duration};

use crds::{
    flux::{REQUESTED_AT, STALLED},
    kustomization::{Kustomization, KustomizationStatus, Written},
};
use jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use sha2::{Digest as _, Sha256};

use super::{
    carry_out::{Hands, Report, carry_out},
    failure::ApplyFailure,
    gather,
    plan::{self, Desired, Inputs, Plan},
    served::{Demand, demand},
    status,
    waiting::{self, Eyes, Look},
    watch::Applying,
};
use crate::{
    cluster::{Applier, Fingerprint, Known, State, impersonating},
    conditions::find,
    hex,
    inventory::{Inventory, ObjectId},
    owner::Owner,
    render,
    sources::Fetched,
};

/// What one attempt works on.
struct Work<'a> {
    object: &'a Kustomization,
    owner: Owner,
    demand: Demand,
    fetched: &'a Fetched,
    /// What the status says is ours.
    recorded: Inventory,
    /// Somebody asked for a look at everything.
    look_at_all: bool,
}

/// What an attempt came to.
pub(super) struct Outcome {
    pub(super) revision: String,
    pub(super) inventory: Inventory,
    pub(super) written: Option<Written>,
    pub(super) report: Option<Report>,
    /// Of the objects that were rendered.
    pub(super) digest: String,
    pub(super) next: Duration,
    /// What the health came to, where the spec asks for it.
    pub(super) look: Option<Look>,
}

/// An attempt that ended early, with the revision that it was for, if it came so far.
pub(super) type Failed = (ApplyFailure, Option<String>);

impl Applying {
    /// Tries the newest revision. `status` is brought up to date with what is written to it on the way.
    pub(super) async fn try_newest(
        &self,
        object: &Kustomization,
        status: &mut KustomizationStatus,
    ) -> Result<Outcome, Failed> {
        let namespace = object.namespace().unwrap_or_default();
        let early = |failure| (failure, None);
        let demand =
            demand(&namespace, &object.spec, self.policy.across_namespaces).map_err(early)?;
        self.parts.repositories_listed.wait().await;
        let fetched = gather::source(
            &self.parts.sources,
            &self.parts.repositories,
            &demand.source,
        )
        .map_err(early)?;
        let work = Work {
            object,
            owner: Owner::of(object),
            demand,
            fetched: &fetched,
            recorded: inventory_of(status),
            look_at_all: is_requested(object, status),
        };
        let revision = fetched.revision.name.clone();
        let outcome = self
            .attempt(&work, status)
            .await
            .map_err(|failure| (failure, Some(revision.clone())))?;
        let outcome = self.look_at_health(&work, outcome).await;
        outcome.map_err(|failure| (failure, Some(revision)))
    }

    async fn attempt(
        &self,
        work: &Work<'_>,
        status: &mut KustomizationStatus,
    ) -> Result<Outcome, ApplyFailure> {
        let Work {
            object,
            owner,
            fetched,
            ..
        } = work;
        gather::dependencies(
            &self.client,
            object,
            &owner.namespace,
            &fetched.revision.name,
        )
        .await?;
        let (variables, versions) =
            gather::variables(&self.client, object, &owner.namespace).await?;
        let (tree, source) = (&fetched.snapshot, fetched.repository.as_ref());
        let rendering = render::plan(tree, source, &object.spec, &versions).await?;
        self.recall(owner, status, &work.recorded).await;
        if let Some(held_for) = self.nothing_to_do(work, status, rendering.key()) {
            return Ok(Outcome {
                revision: fetched.revision.name.clone(),
                inventory: work.recorded.clone(),
                written: status.written.clone(),
                report: None,
                digest: String::new(),
                next: held_for.unwrap_or(work.demand.interval),
                look: None,
            });
        }
        let key = rendering.key().to_owned();
        let kustomize = self.parts.kustomize.as_ref();
        let (manifests, is_exact) = rendering.run(tree, source, kustomize, variables).await?;
        let (desired, served) = gather::desired(&self.kinds, object, owner, manifests).await?;
        served.iter().for_each(|served| self.watched.watch(served));
        self.watched
            .synced(
                desired
                    .iter()
                    .map(|desired| (desired.id.group.clone(), desired.id.kind.clone())),
            )
            .await;
        let wanted = desired.iter().map(|desired| desired.id.clone()).collect();
        self.claims.keep(owner, &work.recorded, &wanted);
        let digest = digest_of(&desired);
        let plan = self.plan(work, desired);
        let (held_for, prune_later) = (plan.held_for, plan.prune_later);
        let kept = plan.kept.clone();
        let report = self.record_and_carry_out(work, status, plan).await?;
        self.claims
            .hold(owner, kept.into_iter().chain(report.claimed().cloned()));
        self.claims.release(owner, &report.foreign);
        let complete =
            report.errors.is_empty() && report.prune_errors.is_empty() && !prune_later && is_exact;
        let mut next = held_for.unwrap_or(work.demand.interval);
        if prune_later {
            next = next.min(PRUNE_LATER);
        }
        Ok(Outcome {
            revision: fetched.revision.name.clone(),
            inventory: report.inventory.clone(),
            written: complete.then(|| self.written(owner, key, &report.inventory)),
            report: Some(report),
            digest,
            next,
            look: None,
        })
    }

    fn plan(&self, work: &Work<'_>, desired: Vec<Desired>) -> Plan {
        let now = Timestamp::now();
        let interval = work.demand.interval;
        let plan = plan::plan(Inputs {
            desired,
            recorded: &work.recorded,
            prune: work.object.spec.prune,
            look_at_all: work.look_at_all,
            siblings_behind: self.siblings_behind(work.object, &work.fetched.revision.name),
            state: &|id| self.watched.state(id, &work.owner),
            patience: &|id, rival| self.fights.patience(id, rival, interval, now),
            wanted_by_another: &|id| self.claims.rival(&work.owner, id).is_some(),
        });
        for step in &plan.steps {
            if let Some(rival) = &step.rival {
                self.fights.fought(&step.desired.id, rival, interval, now);
            }
        }
        plan
    }

    async fn record_and_carry_out(
        &self,
        work: &Work<'_>,
        status: &mut KustomizationStatus,
        plan: Plan,
    ) -> Result<Report, ApplyFailure> {
        let Work { object, owner, .. } = work;
        let client = self.acting_for(object, owner)?;
        if let Some(inventory) = &plan.record {
            let revision = &work.fetched.revision.name;
            let after = status::recorded(status, object, revision, inventory, Timestamp::now());
            self.write(object, status, after).await?;
        }
        let hands = Hands {
            client: &client,
            own_client: &self.client,
            kinds: &self.kinds,
            watched: &self.watched,
            applier: Applier {
                client: &client,
                kinds: &self.kinds,
                claims: &self.claims,
                owner,
                force: object.spec.force,
            },
            owner,
            own_namespace: &self.own_namespace,
        };
        Ok(carry_out(&hands, plan, &work.recorded).await)
    }

    /// Looks at the health of what was applied, if the spec asks for it and everything could be applied.
    async fn look_at_health(
        &self,
        work: &Work<'_>,
        mut outcome: Outcome,
    ) -> Result<Outcome, ApplyFailure> {
        let spec = &work.object.spec;
        let failed = outcome
            .report
            .as_ref()
            .is_some_and(|report| report.failure().is_some());
        let checked = waiting::checked(spec, &work.owner.namespace, &outcome.inventory);
        if failed || checked.is_empty() {
            return Ok(outcome);
        }
        let client = self.acting_for(work.object, &work.owner)?;
        let eyes = Eyes {
            client: &client,
            kinds: &self.kinds,
            watched: &self.watched,
            owner: &work.owner,
        };
        let generation = work.object.metadata.generation.unwrap_or_default();
        let attempt = format!("{generation} {}", outcome.revision);
        let look = self
            .waiting
            .look(&eyes, checked, &attempt, work.demand.timeout)
            .await;
        if let Look::Wait { again, .. } = &look {
            outcome.next = outcome.next.min(*again);
        }
        outcome.look = Some(look);
        Ok(outcome)
    }

    /// What an earlier process wrote is remembered in the status; the watches show whether it is still so.
    async fn recall(&self, owner: &Owner, status: &KustomizationStatus, recorded: &Inventory) {
        let Some(written) = &status.written else {
            return;
        };
        let mut kinds = Vec::new();
        for id in recorded.ids() {
            let kind = (id.group.clone(), id.kind.clone());
            if kinds.contains(&kind) {
                continue;
            }
            let version = recorded.version(id).unwrap_or_default();
            if let Ok(Some(served)) = self.kinds.find_in_group(&id.group, version, &id.kind).await {
                self.watched.watch(&served);
            }
            kinds.push(kind);
        }
        for id in recorded.ids() {
            let Some(fingerprint) = written.objects.get(&id.to_string()) else {
                continue;
            };
            if self.watched.known(id).is_none() {
                let fingerprint = Fingerprint::stored(fingerprint);
                self.watched.left(
                    id,
                    Known {
                        owner: owner.clone(),
                        desired: None,
                        fingerprint,
                        version: 0,
                    },
                );
            }
        }
        self.watched.synced(kinds).await;
    }

    /// Whether everything is as the last attempt left it and that was right. The inner value is the time for which the change
    /// of a rival is left as it is.
    fn nothing_to_do(
        &self,
        work: &Work<'_>,
        status: &KustomizationStatus,
        key: &str,
    ) -> Option<Option<Duration>> {
        let same = status
            .written
            .as_ref()
            .is_some_and(|written| written.render.as_deref() == Some(key));
        if !same || work.look_at_all {
            return None;
        }
        let now = Timestamp::now();
        let mut held_for: Option<Duration> = None;
        for id in work.recorded.ids() {
            let rival = match self.watched.state(id, &work.owner) {
                State::AsLeft(_) => continue,
                State::Changed(rival) => rival,
                State::Gone => plan::DELETER.to_owned(),
                State::Unknown => return None,
            };
            let patience = self.fights.patience(id, &rival, work.demand.interval, now);
            if patience.is_zero() {
                return None;
            }
            held_for = Some(held_for.map_or(patience, |shortest| shortest.min(patience)));
        }
        Some(held_for)
    }

    /// Kustomizations of the same source that have not tried this revision, and will.
    fn siblings_behind(&self, object: &Kustomization, revision: &str) -> bool {
        let source = |object: &Kustomization| {
            let reference = &object.spec.source_ref;
            let own = object.namespace().unwrap_or_default();
            let namespace = if reference.namespace.is_empty() {
                own
            } else {
                reference.namespace.clone()
            };
            (reference.kind.clone(), reference.name.clone(), namespace)
        };
        let ours = source(object);
        let behind = self.parts.kustomizations.state().iter().any(|other| {
            let status = self.statuses.newest(&other.metadata, other.status.as_ref());
            other.uid() != object.uid()
                && !other.spec.suspend
                && other.metadata.deletion_timestamp.is_none()
                && source(other) == ours
                && status.last_attempted_revision != revision
                && find(&status.conditions, STALLED).is_none()
        });
        behind && self.may_wait(object, revision)
    }

    /// Whether deleting may still be put off: a sibling that never tries its revision must not hold it up for ever.
    fn may_wait(&self, object: &Kustomization, revision: &str) -> bool {
        let now = tokio::time::Instant::now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.retain(|_, (_, since)| now.duration_since(*since) < LONGEST_SIBLING_WAIT * 10);
        let (waited_for, since) = waits
            .entry(Owner::of(object))
            .or_insert_with(|| (revision.to_owned(), now));
        if waited_for != revision {
            (*waited_for, *since) = (revision.to_owned(), now);
        }
        now.duration_since(*since) < LONGEST_SIBLING_WAIT
    }

    /// The ServiceAccount to act as, if there is one.
    pub(super) fn account_of<'a>(&'a self, object: &'a Kustomization) -> Option<&'a str> {
        let named = Some(object.spec.service_account_name.as_str()).filter(|name| !name.is_empty());
        named.or(self.policy.default_service_account.as_deref())
    }

    pub(super) fn acting_for(
        &self,
        object: &Kustomization,
        owner: &Owner,
    ) -> Result<Client, ApplyFailure> {
        match self.account_of(object) {
            None => Ok(self.client.clone()),
            Some(name) => impersonating(&self.client, &owner.namespace, name)
                .map_err(|error| ApplyFailure::Identity(error.to_string())),
        }
    }

    fn written(&self, owner: &Owner, key: String, inventory: &Inventory) -> Written {
        let known = |id: &ObjectId| self.watched.known(id).filter(|known| known.owner == *owner);
        let objects = inventory
            .ids()
            .filter_map(|id| Some((id.to_string(), known(id)?.fingerprint.to_string())));
        Written {
            render: Some(key),
            objects: objects.collect(),
        }
    }
}

pub(super) fn inventory_of(status: &KustomizationStatus) -> Inventory {
    let entries = status
        .inventory
        .as_ref()
        .map(|inventory| inventory.entries.as_slice());
    Inventory::from_entries(entries.unwrap_or_default())
}

fn is_requested(object: &Kustomization, status: &KustomizationStatus) -> bool {
    let requested = object.annotations().get(REQUESTED_AT);
    requested.is_some_and(|requested| *requested != status.last_handled_reconcile_at)
}

fn digest_of(desired: &[Desired]) -> String {
    let mut hash = Sha256::new();
    for desired in desired {
        hash.update(desired.id.to_string().as_bytes());
        hash.update(desired.digest.as_bytes());
    }
    format!("sha256:{}", hex::lower(&hash.finalize()))
}

/// How soon we look again whether the siblings have caught up.
const PRUNE_LATER: Duration = Duration::from_secs(1);

/// How long the siblings may take.
const LONGEST_SIBLING_WAIT: Duration = Duration::from_secs(30);
