//! One reconcile of a GitRepository.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use crds::{
    flux::{FINALIZER, READY, REASON_SUCCEEDED},
    git_repository::{
        EVENT_DIGEST, EVENT_REVISION, GitRepository, GitRepositoryStatus, REASON_NEW_ARTIFACT,
    },
    kustomization::Kustomization,
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
use tracing::info;

use super::{
    carry_out, gather,
    plan::{self, Ended, FetchFailure, Plan},
    status,
};
use crate::{
    conditions::{self, ready_differs},
    finalizer,
    git::Repositories,
    owner::Owner,
    sources::{Fetched, SourceName, Sources},
    status_patch::Statuses,
    trigger::{self, Listed},
    wake::Wake,
};

/// Reconciles GitRepositories.
pub struct Fetching {
    client: Client,
    own_namespace: String,
    repositories: Arc<Repositories>,
    sources: Arc<Sources>,
    statuses: Statuses<GitRepositoryStatus>,
    events: Recorder,
    kustomizations: Store<Kustomization>,
    wake: Wake<Owner>,
    backoff: Backoff<SourceName>,
    random: RandomState,
}

/// The controller of GitRepositories, and what it knows of them.
#[must_use]
pub fn controller(client: &Client) -> (Controller<GitRepository>, Store<GitRepository>, Listed) {
    trigger::controller(Api::all(client.clone()))
}

/// Reconciles GitRepositories until the shutdown.
pub async fn run(
    controller: Controller<GitRepository>,
    fetching: Arc<Fetching>,
    context: &Context,
    concurrency: u16,
) {
    let settings = reconcile::Settings {
        kind: "gitrepository",
        concurrency,
        backoff: Bounds::default(),
    };
    reconcile::run(controller, fetching, settings, context).await;
}

impl Fetching {
    /// `wake` hears of Kustomizations whose source has a new revision.
    #[must_use]
    pub fn new(
        context: &Context,
        repositories: Arc<Repositories>,
        sources: Arc<Sources>,
        kustomizations: Store<Kustomization>,
        wake: Wake<Owner>,
    ) -> Self {
        Self {
            client: context.client.clone(),
            own_namespace: context.namespace.clone(),
            repositories,
            sources,
            statuses: Statuses::new(context.client.clone(), FIELD_MANAGER),
            events: Recorder::new(context.client.clone(), COMPONENT, context.shutdown.clone()),
            kustomizations,
            wake,
            backoff: Backoff::new(Bounds::default()),
            random: RandomState::new(),
        }
    }

    /// Forgets what is gone from `repositories`.
    pub fn sweep(&self, repositories: &Store<GitRepository>) {
        let objects = repositories.state();
        let names: std::collections::HashSet<SourceName> = objects
            .iter()
            .map(|object| SourceName::of(object.as_ref()))
            .collect();
        self.sources.retain(|name| names.contains(name));
        self.backoff.retain(|name| names.contains(name));
        self.statuses
            .retain(&objects.iter().filter_map(|object| object.uid()).collect());
        self.repositories.sweep();
    }

    async fn attempt(
        &self,
        repository: &GitRepository,
    ) -> Result<(Arc<Fetched>, Plan), FetchFailure> {
        let name = SourceName::of(repository);
        let secret = gather::secret(&self.client, repository).await;
        let uid = repository.uid().unwrap_or_default();
        let plan = plan::plan(&name.namespace, &uid, &repository.spec, secret)?;
        let ignore = repository.spec.ignore.as_deref();
        let before = self.sources.find(&name);
        let fetched = carry_out::fetch(&self.repositories, &plan, ignore, before).await?;
        Ok((fetched, plan))
    }

    /// Makes a revision known, and wakes those that apply it if it is new.
    fn publish(&self, name: &SourceName, fetched: &Arc<Fetched>) {
        let before = self.sources.find(name);
        let is_new = before.is_none_or(|before| before.revision != fetched.revision);
        self.sources.put(name, Arc::clone(fetched));
        if !is_new {
            return;
        }
        let uses = |kustomization: &Kustomization| {
            let reference = &kustomization.spec.source_ref;
            let own = kustomization.namespace().unwrap_or_default();
            let namespace = if reference.namespace.is_empty() {
                &own
            } else {
                &reference.namespace
            };
            reference.kind == "GitRepository"
                && reference.name == name.name
                && *namespace == name.namespace
        };
        let users = self
            .kustomizations
            .state()
            .into_iter()
            .filter(|kustomization| uses(kustomization));
        users.for_each(|kustomization| self.wake.wake(Owner::of(&kustomization)));
    }

    async fn tell(
        &self,
        repository: &GitRepository,
        before: &GitRepositoryStatus,
        after: &GitRepositoryStatus,
        fetched: &Fetched,
    ) {
        let revision = |status: &GitRepositoryStatus| {
            status
                .artifact
                .as_ref()
                .map(|artifact| (artifact.revision.clone(), artifact.digest.clone()))
        };
        if revision(before) != revision(after) {
            let commit = fetched.revision.commit;
            let message = fetched
                .repository
                .message_of(commit)
                .await
                .unwrap_or_default();
            let message: String = redact::foreign(&message)
                .chars()
                .take(LONGEST_MESSAGE)
                .collect();
            info!(revision = %fetched.revision.name, "new revision");
            let annotations = BTreeMap::from([
                (EVENT_REVISION.to_owned(), fetched.revision.name.clone()),
                (EVENT_DIGEST.to_owned(), fetched.revision.digest.clone()),
            ]);
            let message = format!("stored artifact for commit '{message}'");
            self.events
                .annotated(repository, REASON_NEW_ARTIFACT, &message, annotations);
        } else if ready_differs(&before.conditions, &after.conditions) {
            let message = conditions::find(&after.conditions, READY)
                .map_or("", |ready| ready.message.as_str());
            self.events.normal(repository, REASON_SUCCEEDED, message);
        }
    }

    /// When to try again after a failure: soon at first, and never later than the repository is asked anyway.
    fn ended(&self, repository: &GitRepository, failure: FetchFailure) -> Ended {
        if failure.is_stalled() {
            return Ended {
                failure,
                retry: Retry::WaitForChange,
            };
        }
        let wait = self.backoff.failed(&SourceName::of(repository));
        let longest = repository.spec.parse_interval().unwrap_or(wait);
        Ended {
            failure,
            retry: Retry::After(wait.min(longest)),
        }
    }

    /// The interval, five per cent more or less, so that repositories made together are not asked together.
    fn jittered(&self, name: &SourceName, interval: Duration) -> Duration {
        let thousandths =
            u32::try_from(self.random.hash_one((name, Timestamp::now().as_second())) % 100);
        interval * 95 / 100 + interval / 1_000 * thousandths.unwrap_or_default()
    }
}

impl Reconcile for Fetching {
    type Kind = GitRepository;
    type Failure = Ended;

    async fn reconcile(&self, object: Arc<GitRepository>) -> Result<Next, Ended> {
        let mut repository = object.as_ref().clone();
        let name = SourceName::of(&repository);
        if repository.metadata.deletion_timestamp.is_some() {
            self.sources.remove(&name);
            self.statuses.forget(&repository.metadata);
            // Ours has nothing to clean up; Flux may have put it there.
            let removed = finalizer::remove(&self.client, &repository, FINALIZER).await;
            removed.map_err(|error| {
                self.ended(&repository, FetchFailure::Status(redact::api_error(&error)))
            })?;
            return Ok(Next::WaitForChange);
        }
        if repository.spec.suspend {
            return Ok(Next::WaitForChange);
        }
        let before = self
            .statuses
            .newest(&repository.metadata, repository.status.as_ref());
        repository.status = Some(before.clone());
        let attempt = self.attempt(&repository).await;
        let outcome = attempt.as_ref().map(|(fetched, _)| &fetched.revision);
        let after = status::status(&repository, outcome, &self.own_namespace, Timestamp::now());
        if let Ok((fetched, _)) = &attempt {
            self.publish(&name, fetched);
        }
        let written = self.statuses.write(&repository, &before, &after).await;
        match attempt {
            Ok((fetched, plan)) => {
                written.map_err(|error| {
                    self.ended(&repository, FetchFailure::Status(redact::api_error(&error)))
                })?;
                self.tell(&repository, &before, &after, &fetched).await;
                self.backoff.forget(&name);
                Ok(Next::After(self.jittered(&name, plan.interval)))
            }
            Err(failure) => {
                if let FetchFailure::Git(crate::git::GitError::Authentication { .. })
                | FetchFailure::Secret(_) = &failure
                {
                    // What these credentials do not open any more must not be read any more.
                    self.sources.remove(&name);
                }
                if ready_differs(&before.conditions, &after.conditions) {
                    self.events
                        .warning(&repository, failure.reason(), &failure.to_string());
                }
                Err(self.ended(&repository, failure))
            }
        }
    }
}

/// The source component of Events, and the field manager of the status, are Flux's.
const COMPONENT: &str = "source-controller";
const FIELD_MANAGER: &str = "gotk-source-controller";

/// Of a commit's message in an Event (source-controller, `notify`).
const LONGEST_MESSAGE: usize = 50;
