//! The labels of namespaces, for the conditions of ClusterSecretStores.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use kit::{Namespaces, presence};
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use tracing::debug;

use crate::{
    dependents::Named,
    observed::{Change, Observed},
    part::Part,
};

/// How many namespaces one page of a listing holds.
const PAGE: u32 = 100;

/// The labels of each namespace, as far as the watch has shown them.
#[derive(Default)]
pub(crate) struct NamespaceLabels {
    labels: Mutex<HashMap<String, BTreeMap<String, String>>>,
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
        if let Some(labels) = self.known(namespace) {
            return Ok(labels);
        }
        let found = Api::<Namespace>::all(client.clone())
            .get_metadata(namespace)
            .await?;
        Ok(found.metadata.labels.unwrap_or_default())
    }

    fn known(&self, namespace: &str) -> Option<BTreeMap<String, String>> {
        self.labels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(namespace)
            .cloned()
    }

    fn step(&self, change: Change<PartialObjectMeta<Namespace>>) -> String {
        let mut all = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Changed(namespace) => {
                let name = namespace.name_any();
                all.insert(name.clone(), namespace.metadata.labels.unwrap_or_default());
                name
            }
            Change::Gone(key) => {
                all.remove(&key.name);
                key.name
            }
        }
    }
}

/// Follows the labels of namespaces until the shutdown, and wakes those who depend on them.
pub(crate) async fn watch(part: Arc<Part>) {
    if part.settings.namespaces != Namespaces::All || !part.settings.cluster_stores {
        return;
    }
    let feature = "conditions of ClusterSecretStores";
    if presence::served::<Namespace>(&part.context, feature, &Namespaces::All)
        .await
        .is_err()
    {
        return;
    }
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(part.context.client.clone());
    let events =
        watcher::watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff();
    let mut observed = Observed::new(labels_hash);
    let mut events = Box::pin(events);
    while let Ok(Some(event)) = part.context.shutdown.or(events.next()).await {
        match event {
            Ok(event) => follow(&part, &mut observed, event),
            Err(error) => {
                debug!(error = %kit::redact::with_sources(&error), "the watch of namespaces broke");
            }
        }
    }
}

fn follow(
    part: &Part,
    observed: &mut Observed<PartialObjectMeta<Namespace>>,
    event: Event<PartialObjectMeta<Namespace>>,
) {
    for change in observed.step(event) {
        let name = part.namespaces.step(change);
        part.wakes
            .wake(part.dependents.of(&Named::Namespace { name }));
    }
}

fn labels_hash(namespace: &PartialObjectMeta<Namespace>) -> u64 {
    let mut hasher = DefaultHasher::new();
    namespace.metadata.uid.hash(&mut hasher);
    namespace.metadata.labels.hash(&mut hasher);
    hasher.finish()
}
