//! Namespaces: their labels, for the conditions of ClusterSecretStores and for
//! ClusterExternalSecrets, and the incumbent's finalizers on them.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kit::{Namespaces, presence};
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tracing::{debug, warn};

use crate::{
    cluster_external_secret::{NAMESPACE_FINALIZER, release},
    dependents::Named,
    observed::{Change, Observed},
    part::Part,
};

/// How many namespaces one page of a listing holds.
const PAGE: u32 = 100;

/// What of each namespace matters, as far as the watch has shown it.
#[derive(Default)]
pub(crate) struct NamespaceLabels {
    known: Mutex<HashMap<String, Known>>,
    listed: AtomicBool,
}

struct Known {
    labels: BTreeMap<String, String>,
    /// The incumbent's finalizers.
    held_by: Vec<String>,
    deleting: bool,
}

impl NamespaceLabels {
    /// The labels of a namespace; asked for where the watch does not know them.
    ///
    /// # Errors
    /// What the API server says.
    pub(crate) async fn of(
        &self,
        client: &Client,
        namespace: &str,
    ) -> Result<BTreeMap<String, String>, kube::Error> {
        let known = self.look(|known| known.get(namespace).map(|known| known.labels.clone()));
        if let Some(labels) = known {
            return Ok(labels);
        }
        let found = Api::<Namespace>::all(client.clone())
            .get_metadata(namespace)
            .await?;
        Ok(found.metadata.labels.unwrap_or_default())
    }

    /// The namespaces that are not being deleted, with their labels.
    pub(crate) fn alive(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.look(|known| {
            let alive = known.iter().filter(|(_, known)| !known.deleting);
            alive
                .map(|(name, known)| (name.clone(), known.labels.clone()))
                .collect()
        })
    }

    /// The namespaces that carry this finalizer of the incumbent.
    pub(crate) fn held_by(&self, finalizer: &str) -> Vec<String> {
        self.look(|known| {
            let held = known
                .iter()
                .filter(|(_, known)| known.held_by.iter().any(|f| f == finalizer));
            held.map(|(name, _)| name.clone()).collect()
        })
    }

    /// Whether a whole listing was seen.
    pub(crate) fn listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    fn look<T>(&self, look: impl FnOnce(&mut HashMap<String, Known>) -> T) -> T {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Follows one change. Returns the namespace, and the finalizers that keep it from going.
    fn step(&self, change: Change<PartialObjectMeta<Namespace>>) -> (String, Vec<String>) {
        match change {
            Change::Changed(namespace) => {
                let (name, held_by) = (namespace.name_any(), finalizers(&namespace));
                let deleting = namespace.metadata.deletion_timestamp.is_some();
                let stuck = if deleting {
                    held_by.clone()
                } else {
                    Vec::new()
                };
                let labels = namespace.metadata.labels.unwrap_or_default();
                self.look(|all| {
                    all.insert(
                        name.clone(),
                        Known {
                            labels,
                            held_by,
                            deleting,
                        },
                    )
                });
                (name, stuck)
            }
            Change::Gone(key) => {
                self.look(|all| all.remove(&key.name));
                (key.name, Vec::new())
            }
        }
    }
}

fn finalizers(namespace: &PartialObjectMeta<Namespace>) -> Vec<String> {
    let all = namespace.metadata.finalizers.iter().flatten();
    all.filter(|name| name.starts_with(NAMESPACE_FINALIZER))
        .cloned()
        .collect()
}

/// Follows namespaces until the shutdown, and wakes those who depend on them.
pub(crate) async fn watch(part: Arc<Part>) {
    let settings = &part.settings;
    let needed = settings.cluster_stores || settings.cluster_external_secrets;
    if settings.namespaces != Namespaces::All || !needed {
        return;
    }
    let feature = "conditions of ClusterSecretStores, ClusterExternalSecrets";
    if presence::served::<Namespace>(&part.context, feature, &Namespaces::All)
        .await
        .is_err()
    {
        return;
    }
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(part.context.client.clone());
    let mut observed = Observed::new(matters);
    let mut events =
        Box::pin(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
    while let Ok(Some(event)) = part.context.shutdown.or(events.next()).await {
        match event {
            Ok(event) => follow(&part, &mut observed, event).await,
            Err(error) => {
                debug!(error = %kit::redact::with_sources(&error), "the watch of namespaces broke");
            }
        }
    }
}

async fn follow(
    part: &Part,
    observed: &mut Observed<PartialObjectMeta<Namespace>>,
    event: Event<PartialObjectMeta<Namespace>>,
) {
    let complete = matches!(event, Event::InitDone);
    for change in observed.step(event) {
        let new = matches!(change, Change::Changed(_));
        let (name, stuck) = part.namespaces.step(change);
        for finalizer in stuck {
            let api = Api::<Namespace>::all(part.context.client.clone());
            if let Err(error) = release(part, &api, &name, &finalizer).await {
                warn!(namespace = name, finalizer, %error, "a finalizer of the External Secrets Operator keeps the namespace");
            }
        }
        let named = Named::Namespace { name };
        part.wakes.wake(part.dependents.of(&named));
        if new && part.namespaces.listed() {
            part.cluster_wakes.wake(part.clusters());
        } else {
            part.cluster_wakes.wake(part.cluster_dependents.of(&named));
        }
    }
    if complete {
        part.namespaces.listed.store(true, Ordering::Release);
        part.listed();
    }
}

fn matters(namespace: &PartialObjectMeta<Namespace>) -> u64 {
    let mut hasher = DefaultHasher::new();
    namespace.metadata.uid.hash(&mut hasher);
    namespace.metadata.labels.hash(&mut hasher);
    namespace
        .metadata
        .deletion_timestamp
        .is_some()
        .hash(&mut hasher);
    finalizers(namespace).hash(&mut hasher);
    hasher.finish()
}
