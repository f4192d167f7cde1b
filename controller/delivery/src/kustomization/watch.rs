//! One reconcile of a Kustomization.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use crds::{
    flux::FINALIZER,
    git_repository::GitRepository,
    kustomization::{Kustomization, KustomizationStatus, STATUS_FIELD_MANAGER},
};
use futures::StreamExt as _;
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
use tracing::debug;

use super::{
    failure::{ApplyFailure, Ended},
    fights::Fights,
    waiting::Waiting,
};
use crate::{
    claims::Claims,
    cluster::{Kinds, Watched},
    finalizer,
    owner::Owner,
    render::kustomize::Kustomize,
    sources::Sources,
    status_patch::Statuses,
    trigger::{self, Listed},
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
    /// Whether all of them are shown.
    pub repositories_listed: Listed,
    /// Kustomizations as the watch shows them.
    pub kustomizations: Store<Kustomization>,
    /// Asks for reconciles.
    pub wake: Wake<Owner>,
    /// The program, if it is installed.
    pub kustomize: Option<Kustomize>,
}

/// Reconciles Kustomizations.
pub struct Applying {
    pub(super) client: Client,
    pub(super) own_namespace: String,
    pub(super) policy: Policy,
    pub(super) parts: Parts,
    pub(super) kinds: Kinds,
    pub(super) claims: Claims,
    pub(super) watched: Watched,
    pub(super) fights: Fights,
    pub(super) backoff: Backoff<Owner>,
    pub(super) statuses: Statuses<KustomizationStatus>,
    pub(super) events: Recorder,
    /// Since when health is waited for.
    pub(super) waiting: Waiting,
    /// Since when deleting is put off, by revision.
    pub(super) waits: Mutex<HashMap<Owner, (String, tokio::time::Instant)>>,
}

/// The controller of Kustomizations, and what it knows of them.
#[must_use]
pub fn controller(client: &Client) -> (Controller<Kustomization>, Store<Kustomization>) {
    let (controller, store, _listed) = trigger::controller(Api::all(client.clone()));
    (controller, store)
}

/// Reconciles Kustomizations until the shutdown.
pub async fn run(
    controller: Controller<Kustomization>,
    applying: Arc<Applying>,
    context: &Context,
    concurrency: u16,
) {
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
            waiting: Waiting::default(),
            waits: Mutex::default(),
        }
    }

    /// Forgets what is gone.
    pub fn sweep(&self) {
        let objects = self.parts.kustomizations.state();
        self.statuses
            .retain(&objects.iter().filter_map(|object| object.uid()).collect());
        let owners: HashSet<Owner> = objects.iter().map(|object| Owner::of(object)).collect();
        self.backoff.retain(|owner| owners.contains(owner));
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
        let result = self.try_newest(object, &mut status).await;
        if let Err((ApplyFailure::NotFetchedYet(source), _)) = &result {
            debug!(source, "waits for its source");
            return Ok(Next::After(FETCH_PATIENCE));
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

/// The source component of Events is Flux's.
const COMPONENT: &str = "kustomize-controller";

/// A fetch that succeeds wakes who waits for it. One that fails does not, and is to be told.
const FETCH_PATIENCE: Duration = Duration::from_secs(10);

/// Where the interval sets no bound.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
