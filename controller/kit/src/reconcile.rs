//! Running the reconciles of one kind: the same log lines, metrics, backoff and safety for all.
//!
//! # Guarantees
//! - One object is never reconciled twice at the same time.
//! - A failure, even a panic, of one object never stops another; it is retried for ever.
//! - An error is logged when it is new for its object, not at every attempt.
//! - Nothing is remembered of an object that is gone: one of the same name that comes later starts
//!   anew, and what is kept never outgrows the objects that there are.

use std::{
    fmt::Debug,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _};
use kube::{
    Resource, ResourceExt as _,
    runtime::{
        Config, Controller,
        controller::{Action, Error as ControllerError},
        reflector::{ObjectRef, Store},
    },
};
use serde::de::DeserializeOwned;
use tracing::{Instrument as _, debug, info_span, warn};

use crate::{Context, Shutdown, backoff::Bounds, redact};

mod measured;
mod trouble;

use measured::Measured;
use trouble::Trouble;

/// When an object that went well is looked at again, if nothing wakes it earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Only when something that it depends on changes.
    WaitForChange,
    /// After this time at the latest.
    After(Duration),
}

/// When an object that failed is tried again, if nothing wakes it earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// With growing waits, for ever.
    Backoff,
    /// After this time.
    After(Duration),
    /// Only when something that it depends on changes: trying again cannot help.
    WaitForChange,
}

/// An error that knows its name for conditions, events and metrics, and when to try again.
pub trait Failure: std::error::Error + Send + Sync + 'static {
    /// One CamelCase word of a closed set.
    fn reason(&self) -> &'static str;
    /// When to try again.
    fn retry(&self) -> Retry;
}

/// Brings one object of a kind to the state that it asks for.
pub trait Reconcile: Send + Sync + 'static {
    /// The kind.
    type Kind: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static;
    /// Why it may fail. Conditions and events have told it before it is returned.
    type Failure: Failure;

    /// Gathers, plans, carries out and reports for one object. Called again after every change,
    /// so it does nothing when there is nothing to do.
    fn reconcile(
        &self,
        object: Arc<Self::Kind>,
    ) -> impl Future<Output = Result<Next, Self::Failure>> + Send;
}

/// How the reconciles of one kind run.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The name of the kind in logs and metrics: `sealedsecret`, say.
    pub kind: &'static str,
    /// How many objects are worked on at the same time.
    pub concurrency: u16,
    /// The waits after failures.
    pub backoff: Bounds,
}

/// Runs the reconciles of one kind until the shutdown; what is under way then is finished first.
pub async fn run<R: Reconcile>(
    controller: Controller<R::Kind>,
    reconciler: Arc<R>,
    settings: Settings,
    context: &Context,
) {
    let runner = Arc::new(Runner {
        reconciler,
        settings,
        objects: controller.store(),
        trouble: Trouble::new(settings.backoff),
        measured: Measured::of(&context.metrics, settings.kind),
        has_begun: AtomicBool::new(false),
    });
    let at_shutdown = requested(context.shutdown.clone());
    let work = controller
        .with_config(Config::default().concurrency(settings.concurrency))
        .graceful_shutdown_on(at_shutdown)
        .run(reconcile_one::<R>, retry::<R>, Arc::clone(&runner))
        .for_each(|result| {
            runner.saw(result);
            futures::future::ready(())
        });
    let mut work = pin!(work);
    tokio::select! {
        () = &mut work => return,
        () = context.shutdown.requested() => {}
    }
    // kube's queue waits for the first listing, and after the shutdown nobody listens for one any more.
    // Where no reconcile has begun there is nothing to be finished.
    if runner.has_begun.load(Ordering::Acquire) {
        work.await;
    }
}

async fn requested(shutdown: Shutdown) {
    shutdown.requested().await;
}

struct Runner<R: Reconcile> {
    reconciler: Arc<R>,
    settings: Settings,
    objects: Store<R::Kind>,
    trouble: Trouble<ObjectRef<R::Kind>>,
    measured: Measured,
    /// Whether any object was looked at, which is so only after the first listing.
    has_begun: AtomicBool,
}

/// What the controller's stream tells.
type Told<R> = Result<
    (ObjectRef<<R as Reconcile>::Kind>, Action),
    ControllerError<Ended<<R as Reconcile>::Failure>, kube::runtime::watcher::Error>,
>;

/// What ended one reconcile badly.
#[derive(Debug, thiserror::Error)]
enum Ended<F: Failure> {
    #[error(transparent)]
    Failed(F),
    #[error(
        "the reconcile panicked; this is a bug, please report it with the lines before this one"
    )]
    Panicked,
}

async fn reconcile_one<R: Reconcile>(
    object: Arc<R::Kind>,
    runner: Arc<Runner<R>>,
) -> Result<Action, Ended<R::Failure>> {
    let span = info_span!(
        "reconcile",
        kind = runner.settings.kind,
        namespace = object.namespace().unwrap_or_default(),
        name = object.name_any(),
        generation = object.meta().generation.unwrap_or_default(),
    );
    runner.has_begun.store(true, Ordering::Release);
    let key = ObjectRef::from_obj(object.as_ref());
    let uid = object.uid();
    let started = Instant::now();
    let work = runner.reconciler.reconcile(object);
    let result = AssertUnwindSafe(work)
        .catch_unwind()
        .instrument(span.clone())
        .await;
    runner.measured.took(started.elapsed());
    let ended = match result {
        Ok(Ok(next)) => {
            runner.succeeded(&key);
            return Ok(match next {
                Next::WaitForChange => Action::await_change(),
                Next::After(wait) => Action::requeue(wait),
            });
        }
        Ok(Err(failure)) => Ended::Failed(failure),
        Err(_panic) => Ended::Panicked,
    };
    span.in_scope(|| runner.tell(&key, uid, &ended));
    Err(ended)
}

fn retry<R: Reconcile>(
    object: Arc<R::Kind>,
    ended: &Ended<R::Failure>,
    runner: Arc<Runner<R>>,
) -> Action {
    let key = ObjectRef::from_obj(object.as_ref());
    match ended {
        Ended::Failed(failure) => match failure.retry() {
            Retry::Backoff => Action::requeue(runner.trouble.wait(&key)),
            Retry::After(wait) => Action::requeue(wait),
            Retry::WaitForChange => Action::await_change(),
        },
        Ended::Panicked => Action::requeue(runner.trouble.wait(&key)),
    }
}

impl<R: Reconcile> Runner<R> {
    fn succeeded(&self, key: &ObjectRef<R::Kind>) {
        self.measured.ended("success");
        self.trouble.forget(key);
    }

    /// Logs an error that is new for its object; one that is known already goes to debug.
    fn tell(&self, key: &ObjectRef<R::Kind>, uid: Option<String>, ended: &Ended<R::Failure>) {
        let reason = match ended {
            Ended::Failed(failure) => failure.reason(),
            Ended::Panicked => "Panicked",
        };
        self.measured.ended(reason);
        let text = redact::with_sources(ended);
        let is_there = |key: &ObjectRef<R::Kind>| self.objects.get(key).is_some();
        if self.trouble.is_new(key, uid, &text, is_there) {
            warn!(reason, error = %text, "failed");
        } else {
            debug!(reason, error = %text, "still failing");
        }
    }

    /// Looks at what the controller's stream says: objects that are gone, watches that broke.
    fn saw(&self, result: Told<R>) {
        match result {
            Ok(_) | Err(ControllerError::ReconcilerFailed(..)) => {}
            Err(ControllerError::ObjectNotFound(gone)) => {
                if let Some(key) = typed::<R::Kind>(&gone) {
                    self.trouble.forget(&key);
                }
            }
            Err(ControllerError::QueueError(error)) => {
                let kind = self.settings.kind;
                warn!(kind, error = %redact::foreign(&redact::with_sources(&error)), "a watch broke; it is tried again");
            }
            Err(ControllerError::RunnerError(error)) => {
                warn!(kind = self.settings.kind, error = %error, "the queue is not ready");
            }
        }
    }
}

/// The typed reference of an object that the queue names dynamically.
fn typed<K: Resource<DynamicType = ()>>(
    gone: &ObjectRef<kube::core::DynamicObject>,
) -> Option<ObjectRef<K>> {
    let reference = ObjectRef::<K>::new(&gone.name);
    Some(match gone.namespace.as_deref() {
        Some(namespace) => reference.within(namespace),
        None => reference,
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{Client, client::Body, runtime::reflector};

    use super::*;
    use crate::metrics::Metrics;

    struct Nobody;

    #[derive(Debug, thiserror::Error)]
    #[error("never")]
    struct Never;

    impl Failure for Never {
        fn reason(&self) -> &'static str {
            "Never"
        }

        fn retry(&self) -> Retry {
            Retry::WaitForChange
        }
    }

    impl Reconcile for Nobody {
        type Kind = ConfigMap;
        type Failure = Never;

        async fn reconcile(&self, _object: Arc<ConfigMap>) -> Result<Next, Never> {
            Ok(Next::WaitForChange)
        }
    }

    #[tokio::test]
    async fn a_shutdown_before_the_first_listing_is_no_wait() {
        let nobody = tower::service_fn(|_request: http::Request<Body>| {
            std::future::pending::<Result<http::Response<Body>, std::convert::Infallible>>()
        });
        let context = Context {
            client: Client::new(nobody, "ours"),
            namespace: "ours".into(),
            shutdown: Shutdown::new(),
            metrics: Metrics::default(),
        };
        let (store, _writer) = reflector::store::<ConfigMap>();
        let controller = Controller::for_stream(futures::stream::pending(), store);
        let settings = Settings {
            kind: "configmap",
            concurrency: 1,
            backoff: Bounds::default(),
        };
        context.shutdown.request();
        let running = run(controller, Arc::new(Nobody), settings, &context);
        let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
        assert!(ended.is_ok(), "it waits for a listing that nobody asks for");
    }
}
