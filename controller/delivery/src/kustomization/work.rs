//! One attempt to make the cluster as the newest revision wants it.

use std::time::Duration;

use crds::{
    flux::REQUESTED_AT,
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
    cluster::{Applier, impersonating},
    hex,
    inventory::Inventory,
    owner::Owner,
    render,
    sources::Fetched,
};

/// What one attempt works on.
pub(super) struct Work<'a> {
    pub(super) object: &'a Kustomization,
    pub(super) owner: Owner,
    pub(super) demand: Demand,
    pub(super) fetched: &'a Fetched,
    /// What the status says is ours.
    pub(super) recorded: Inventory,
    /// Somebody asked for a look at everything.
    pub(super) look_at_all: bool,
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
