//! One reconcile of a Kustomization.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crds::{
    flux::{FINALIZER, REQUESTED_AT, STALLED},
    git_repository::GitRepository,
    kustomization::{
        EVENT_REVISION, Kustomization, KustomizationStatus, REASON_PRUNE_FAILED,
        REASON_RECONCILIATION_SUCCEEDED, STATUS_FIELD_MANAGER, Written,
    },
};
use jiff::Timestamp;
use kit::{
    Context,
    backoff::{Backoff, Bounds},
    events::Recorder,
    reconcile::{self, Next, Reconcile, Retry},
    redact,
};
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{Controller, reflector::Store},
};
use sha2::{Digest as _, Sha256};
use tracing::debug;

use super::{
    carry_out::{Hands, Report, carry_out},
    failure::{ApplyFailure, Ended},
    fights::Fights,
    finalize::{Farewell, farewell, has_waited_enough},
    gather,
    plan::{self, Inputs},
    served::{Demand, demand},
    status::{self, Attempt},
};
use crate::{
    claims::Claims,
    cluster::{Applier, Deleted, Fingerprint, Kinds, Known, State, Watched, delete, impersonating},
    conditions::{find, ready_differs},
    finalizer, hex,
    inventory::{Inventory, ObjectId},
    owner::Owner,
    render::{self, kustomize::Kustomize},
    sources::{Fetched, Sources},
    status_patch::Statuses,
    trigger,
    wake::Wake,
};

/// What the process allows.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Whether sources may be in other namespaces.
    pub across_namespaces: bool,
    /// Who applies where a Kustomization names nobody.
    pub default_service_account: Option<String>,
}

/// What Kustomizations share with GitRepositories.
pub struct Parts {
    /// Newest revisions.
    pub sources: Arc<Sources>,
    /// GitRepositories as the watch shows them.
    pub repositories: Store<GitRepository>,
    /// Kustomizations as the watch shows them.
    pub kustomizations: Store<Kustomization>,
    /// Asks for reconciles.
    pub wake: Wake<Owner>,
    /// The program, if it is installed.
    pub kustomize: Option<Kustomize>,
}

/// Reconciles Kustomizations.
pub struct Applying {
    client: Client,
    own_namespace: String,
    policy: Policy,
    parts: Parts,
    kinds: Kinds,
    claims: Claims,
    watched: Watched,
    fights: Fights,
    backoff: Backoff<Owner>,
    statuses: Statuses<KustomizationStatus>,
    events: Recorder,
    /// Since when deleting is put off, by revision.
    waits: Mutex<HashMap<Owner, (String, tokio::time::Instant)>>,
}

/// The controller of Kustomizations, and what it knows of them.
#[must_use]
pub fn controller(client: &Client) -> (Controller<Kustomization>, Store<Kustomization>) {
    trigger::controller(Api::all(client.clone()))
}

/// Reconciles Kustomizations until the shutdown.
pub async fn run(
    controller: Controller<Kustomization>,
    applying: Arc<Applying>,
    context: &Context,
    concurrency: u16,
) {
    use futures::StreamExt as _;
    let settings = reconcile::Settings {
        kind: "kustomization",
        concurrency,
        backoff: Bounds::default(),
    };
    let woken = applying
        .parts
        .wake
        .stream()
        .map(|owner: Owner| owner.reference());
    reconcile::run(controller.reconcile_on(woken), applying, settings, context).await;
}

/// What an attempt came to.
struct Outcome {
    revision: String,
    inventory: Inventory,
    written: Option<Written>,
    report: Option<Report>,
    /// Of the objects that were rendered.
    digest: String,
    next: Duration,
}

impl Applying {
    /// `policy` is what the process allows, `parts` what Kustomizations share with GitRepositories.
    #[must_use]
    pub fn new(context: &Context, policy: Policy, parts: Parts) -> Self {
        let client = context.client.clone();
        Self {
            own_namespace: context.namespace.clone(),
            kinds: Kinds::new(client.clone()),
            claims: Claims::new(parts.kustomizations.clone()),
            watched: Watched::new(client.clone(), parts.wake.clone(), context.shutdown.clone()),
            fights: Fights::default(),
            backoff: Backoff::new(Bounds {
                first: Duration::from_secs(1),
                longest: LONGEST_WAIT,
            }),
            statuses: Statuses::new(client.clone(), STATUS_FIELD_MANAGER),
            events: Recorder::new(client.clone(), COMPONENT, context.shutdown.clone()),
            client,
            policy,
            parts,
            waits: Mutex::default(),
        }
    }

    /// Forgets what is gone.
    pub fn sweep(&self) {
        let objects = self.parts.kustomizations.state();
        self.statuses
            .retain(&objects.iter().filter_map(|object| object.uid()).collect());
    }

    async fn attempt(
        &self,
        object: &Kustomization,
        status: &mut KustomizationStatus,
        demand: &Demand,
        fetched: &Fetched,
    ) -> Result<Outcome, ApplyFailure> {
        let owner = Owner::of(object);
        let revision = fetched.revision.name.clone();
        gather::dependencies(&self.client, object, &owner.namespace, &revision).await?;
        let recorded = inventory_of(status);
        let look_at_all = is_requested(object, status);
        let rendering =
            render::plan(&fetched.snapshot, fetched.repository.as_ref(), &object.spec).await?;
        self.recall(&owner, status, &recorded).await;
        if let Some(held_for) = self.nothing_to_do(
            object,
            status,
            &owner,
            &recorded,
            rendering.key(),
            look_at_all,
            demand,
        ) {
            return Ok(Outcome {
                revision,
                inventory: recorded,
                written: status.written.clone(),
                report: None,
                digest: String::new(),
                next: held_for.unwrap_or(demand.interval),
            });
        }
        let key = rendering.key().to_owned();
        let kustomize = self.parts.kustomize.as_ref();
        let (manifests, is_exact) = rendering
            .run(&fetched.snapshot, fetched.repository.as_ref(), kustomize)
            .await?;
        let (desired, served) = gather::desired(&self.kinds, object, &owner, manifests).await?;
        served.iter().for_each(|served| self.watched.watch(served));
        self.watched
            .synced(
                desired
                    .iter()
                    .map(|desired| (desired.id.group.clone(), desired.id.kind.clone())),
            )
            .await;
        self.claims.set(
            &owner,
            desired.iter().map(|desired| desired.id.clone()).collect(),
        );
        let digest = digest_of(&desired);

        let now = Timestamp::now();
        let plan = plan::plan(Inputs {
            desired,
            recorded: &recorded,
            prune: object.spec.prune,
            look_at_all,
            siblings_behind: self.siblings_behind(object, &revision),
            state: &|id| self.watched.state(id, &owner),
            patience: &|id, rival| self.fights.patience(id, rival, demand.interval, now),
            wanted_by_another: &|id| self.claims.rival(&owner, id).is_some(),
        });
        let client = self.acting_for(object, &owner)?;
        if let Some(inventory) = &plan.record {
            let after = status::recorded(status, object, &revision, inventory, Timestamp::now());
            self.write(object, status, after).await?;
        }
        for step in &plan.steps {
            if let Some(rival) = &step.rival {
                self.fights
                    .fought(&step.desired.id, rival, demand.interval, now);
            }
        }
        let (held_for, prune_later) = (plan.held_for, plan.prune_later);
        let hands = Hands {
            client: &client,
            own_client: &self.client,
            kinds: &self.kinds,
            watched: &self.watched,
            applier: Applier {
                client: &client,
                kinds: &self.kinds,
                claims: &self.claims,
                owner: &owner,
                force: object.spec.force,
            },
            owner: &owner,
            own_namespace: &self.own_namespace,
        };
        let report = carry_out(&hands, plan, &recorded).await;
        let complete =
            report.errors.is_empty() && report.prune_errors.is_empty() && !prune_later && is_exact;
        let written = complete.then(|| self.written(&owner, key, &report.inventory));
        let mut next = held_for.unwrap_or(demand.interval);
        if prune_later {
            next = next.min(PRUNE_LATER);
        }
        Ok(Outcome {
            revision,
            inventory: report.inventory.clone(),
            written,
            report: Some(report),
            digest,
            next,
        })
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
    #[expect(
        clippy::too_many_arguments,
        reason = "all that decides whether there is work, and nothing else"
    )]
    fn nothing_to_do(
        &self,
        object: &Kustomization,
        status: &KustomizationStatus,
        owner: &Owner,
        recorded: &Inventory,
        key: &str,
        look_at_all: bool,
        demand: &Demand,
    ) -> Option<Option<Duration>> {
        let same = status
            .written
            .as_ref()
            .is_some_and(|written| written.render.as_deref() == Some(key));
        if !same || look_at_all || status.observed_generation != object.metadata.generation {
            return None;
        }
        let now = Timestamp::now();
        let mut held_for: Option<Duration> = None;
        for id in recorded.ids() {
            let rival = match self.watched.state(id, owner) {
                State::AsLeft(_) => continue,
                State::Changed(rival) => rival,
                State::Gone => plan::DELETER.to_owned(),
                State::Unknown => return None,
            };
            let patience = self.fights.patience(id, &rival, demand.interval, now);
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

    fn acting_for(&self, object: &Kustomization, owner: &Owner) -> Result<Client, ApplyFailure> {
        let named = Some(object.spec.service_account_name.as_str()).filter(|name| !name.is_empty());
        match named.or(self.policy.default_service_account.as_deref()) {
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

    async fn write(
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
    async fn settle(
        &self,
        object: &Kustomization,
        mut status: KustomizationStatus,
        before: &KustomizationStatus,
        result: Result<Outcome, (ApplyFailure, Option<String>)>,
        started: tokio::time::Instant,
    ) -> Result<Duration, ApplyFailure> {
        let took = started.elapsed();
        let (outcome, mut failure, tried) = match result {
            Ok(outcome) => {
                let failure = outcome.report.as_ref().and_then(Report::failure);
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

    /// Lets a Kustomization go, after its objects.
    async fn finalize(&self, object: &Kustomization) -> Result<Next, ApplyFailure> {
        let owner = Owner::of(object);
        if !object.finalizers().iter().any(|name| name == FINALIZER) {
            return Ok(Next::WaitForChange);
        }
        let status = self
            .statuses
            .newest(&object.metadata, object.status.as_ref());
        let inventory = inventory_of(&status);
        self.claims.forget(&owner);
        let farewell = farewell(object);
        if farewell != Farewell::Leave && !inventory.is_empty() {
            if object.spec.kube_config.is_some() {
                return Err(ApplyFailure::NotServed("spec.kubeConfig"));
            }
            let left = self.delete_all(object, &owner, &inventory).await?;
            if farewell == Farewell::DeleteAndWait && left > 0 {
                if !has_waited_enough(object, Timestamp::now()) {
                    return Ok(Next::After(Duration::from_secs(1)));
                }
                self.events.warning(
                    object,
                    REASON_PRUNE_FAILED,
                    "objects were deleted and are still there; they are not waited for any longer",
                );
            }
        }
        for id in inventory.ids() {
            self.watched.forget(id, &owner);
        }
        let removed = finalizer::remove(&self.client, object, FINALIZER).await;
        removed.map_err(|error| ApplyFailure::Api {
            doing: "remove the finalizer",
            said: redact::api_error(&error),
        })?;
        self.statuses.forget(&object.metadata);
        self.backoff.forget(&owner);
        Ok(Next::WaitForChange)
    }

    /// Deletes everything in the inventory. Returns how many objects are still there.
    async fn delete_all(
        &self,
        object: &Kustomization,
        owner: &Owner,
        inventory: &Inventory,
    ) -> Result<usize, ApplyFailure> {
        let client = self.acting_for(object, owner)?;
        let mut errors = Vec::new();
        let mut left = 0;
        for id in inventory.ids().rev() {
            self.watched.forget(id, owner);
            let is_our_home =
                id.kind == "Namespace" && id.group.is_empty() && id.name == self.own_namespace;
            if is_our_home || self.claims.rival(owner, id).is_some() {
                continue;
            }
            let version = inventory.version(id).unwrap_or_default();
            match delete(&client, &self.kinds, owner, id, version).await {
                Ok(Deleted::Now) => left += 1,
                Ok(Deleted::Before | Deleted::Left) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(left)
        } else {
            Err(ApplyFailure::Prune(errors))
        }
    }

    /// When to try again after a failure: soon at first, and never later than the Kustomization says.
    fn ended(&self, object: &Kustomization, failure: ApplyFailure) -> Ended {
        let owner = Owner::of(object);
        let longest = object.spec.parse_retry_interval().unwrap_or(LONGEST_WAIT);
        let retry = if failure.is_stalled() || matches!(failure, ApplyFailure::NotFetchedYet(_)) {
            Retry::WaitForChange
        } else {
            Retry::After(self.backoff.failed(&owner).min(longest))
        };
        Ended { failure, retry }
    }
}

impl Reconcile for Applying {
    type Kind = Kustomization;
    type Failure = Ended;

    async fn reconcile(&self, object: Arc<Kustomization>) -> Result<Next, Ended> {
        let object = object.as_ref();
        if object.metadata.deletion_timestamp.is_some() {
            return self.finalize(object).await.map_err(|failure| {
                self.events
                    .warning(object, failure.reason(), &failure.to_string());
                self.ended(object, failure)
            });
        }
        if object.spec.suspend {
            return Ok(Next::WaitForChange);
        }
        let added = finalizer::add(&self.client, object, FINALIZER).await;
        added.map_err(|error| {
            let said = redact::api_error(&error);
            self.ended(
                object,
                ApplyFailure::Api {
                    doing: "add the finalizer",
                    said,
                },
            )
        })?;
        let started = tokio::time::Instant::now();
        let before = self
            .statuses
            .newest(&object.metadata, object.status.as_ref());
        let mut status = before.clone();
        let result = self.fetch_and_attempt(object, &mut status).await;
        if let Err((ApplyFailure::NotFetchedYet(source), _)) = &result {
            debug!(source, "waits for its source");
            return Ok(Next::WaitForChange);
        }
        match self.settle(object, status, &before, result, started).await {
            Ok(next) => {
                self.backoff.forget(&Owner::of(object));
                Ok(Next::After(next))
            }
            Err(failure) => Err(self.ended(object, failure)),
        }
    }
}

impl Applying {
    async fn fetch_and_attempt(
        &self,
        object: &Kustomization,
        status: &mut KustomizationStatus,
    ) -> Result<Outcome, (ApplyFailure, Option<String>)> {
        let namespace = object.namespace().unwrap_or_default();
        let early = |failure| (failure, None);
        let demand =
            demand(&namespace, &object.spec, self.policy.across_namespaces).map_err(early)?;
        let fetched = gather::source(
            &self.parts.sources,
            &self.parts.repositories,
            &demand.source,
        )
        .await
        .map_err(early)?;
        let attempt = self.attempt(object, status, &demand, &fetched).await;
        attempt.map_err(|failure| (failure, Some(fetched.revision.name.clone())))
    }
}

impl Report {
    fn failure(&self) -> Option<ApplyFailure> {
        if !self.errors.is_empty() {
            Some(ApplyFailure::Objects(self.errors.clone()))
        } else if !self.prune_errors.is_empty() {
            Some(ApplyFailure::Prune(self.prune_errors.clone()))
        } else {
            None
        }
    }
}

fn inventory_of(status: &KustomizationStatus) -> Inventory {
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

fn digest_of(desired: &[plan::Desired]) -> String {
    let mut hash = Sha256::new();
    for desired in desired {
        hash.update(desired.id.to_string().as_bytes());
        hash.update(desired.digest.as_bytes());
    }
    format!("sha256:{}", hex::lower(&hash.finalize()))
}

/// The source component of Events is Flux's.
const COMPONENT: &str = "kustomize-controller";

/// Where the interval sets no bound.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How soon we look again whether the siblings have caught up.
const PRUNE_LATER: Duration = Duration::from_secs(1);

/// How long the siblings may take.
const LONGEST_SIBLING_WAIT: Duration = Duration::from_secs(30);
