//! The watch of ClusterExternalSecrets, and what wakes them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use crds::cluster_external_secret::ClusterExternalSecret;
use futures::{StreamExt as _, stream};
use kit::{
    Namespaces,
    backoff::Bounds,
    presence,
    reconcile::{self, Settings},
    relisting,
};
use kube::{
    Api, ResourceExt as _,
    runtime::{
        Controller, WatchStreamExt as _,
        reflector::{self, ObjectRef},
        watcher::{self, watcher},
    },
};

use super::carry_out::ClusterExternalSecrets;
use crate::{
    observed::{Change, Observed},
    part::Part,
};

/// How many ClusterExternalSecrets are worked on at the same time.
const CONCURRENCY: u16 = 4;
/// How many of them one page of a listing holds.
const PAGE: u32 = 50;
/// How long the first listings of namespaces and ExternalSecrets are waited for.
const FIRST_LISTING: Duration = Duration::from_secs(60);

/// Looks after ClusterExternalSecrets until the shutdown.
pub(crate) async fn run(part: Arc<Part>) {
    if part.settings.namespaces != Namespaces::All || !part.settings.cluster_external_secrets {
        return;
    }
    let feature = "ClusterExternalSecret";
    let all = Namespaces::All;
    if presence::served::<ClusterExternalSecret>(&part.context, feature, &all)
        .await
        .is_err()
    {
        return;
    }
    // Without them it would take existing ExternalSecrets for missing ones.
    let listings = part.until_listed(
        |part| part.namespaces.listed() && part.objects_listed(),
        FIRST_LISTING,
    );
    if part.context.shutdown.or(listings).await.is_err() {
        return;
    }
    let (store, writer) = reflector::store();
    let mut observed = Observed::new(matters);
    let told = Arc::clone(&part);
    let api: Api<ClusterExternalSecret> = Api::all(part.context.client.clone());
    let events = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut ClusterExternalSecret| object.managed_fields_mut().clear());
    let changes = relisting::as_changes(events, store.clone())
        .reflect(writer)
        .flat_map(move |event| {
            let changes: Vec<_> = match event {
                Ok(event) => {
                    let changes = observed.step(event).into_iter();
                    changes
                        .filter_map(|change| tell(&told, change))
                        .map(Ok)
                        .collect()
                }
                Err(error) => vec![Err(error)],
            };
            stream::iter(changes)
        });
    let woken = part
        .cluster_wakes
        .stream("")
        .map(|key| ObjectRef::new(&key.name));
    let controller = Controller::for_stream(changes, store).reconcile_on(woken);
    let settings = Settings {
        kind: "clusterexternalsecret",
        concurrency: CONCURRENCY,
        backoff: Bounds::default(),
    };
    let reconciler = Arc::new(ClusterExternalSecrets(Arc::clone(&part)));
    reconcile::run(controller, reconciler, settings, &part.context).await;
}

fn tell(part: &Part, change: Change<ClusterExternalSecret>) -> Option<ClusterExternalSecret> {
    match change {
        Change::Changed(object) => Some(object),
        Change::Gone(key) => {
            part.cluster_dependents.forget(&key);
            None
        }
    }
}

fn matters(object: &ClusterExternalSecret) -> u64 {
    let metadata = &object.metadata;
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    metadata.generation.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    metadata.finalizers.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}
