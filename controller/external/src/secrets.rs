//! The metadata watch of Secrets: what is named by something of ours is noted, and whoever depends
//! on it is woken. Bodies are never watched.

use std::sync::Arc;

use futures::{StreamExt as _, future::join_all};
use k8s_openapi::api::core::v1::Secret;
use kit::{Namespaces, presence};
use kube::{
    Api,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use tracing::debug;

use crate::{dependents::Named, key::Key, part::Part, sightings::Sighting};

/// How many Secrets one page of a listing holds: metadata of a few hundred bytes to a few
/// kilobytes each, so a page is well below a megabyte.
const PAGE: u32 = 100;

/// Follows the metadata of Secrets until the shutdown.
pub(crate) async fn watch(part: Arc<Part>) {
    let scope = part.settings.namespaces.clone();
    let feature = "drift of ExternalSecret targets";
    if presence::served::<Secret>(&part.context, feature, &scope)
        .await
        .is_err()
    {
        return;
    }
    match scope {
        Namespaces::All => follow(&part, "", Api::all(part.context.client.clone())).await,
        Namespaces::Only(names) => {
            let api = |name| Api::namespaced(part.context.client.clone(), name);
            join_all(names.iter().map(|name| follow(&part, name, api(name)))).await;
        }
    }
}

async fn follow(part: &Part, namespace: &str, api: Api<PartialObjectMeta<Secret>>) {
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = Box::pin(watcher::watcher(api, config).default_backoff());
    while let Ok(Some(event)) = part.context.shutdown.or(events.next()).await {
        match event {
            Ok(event) => step(part, namespace, event),
            Err(error) => {
                debug!(error = %kit::redact::with_sources(&error), "the watch of Secrets broke");
            }
        }
    }
}

fn step(part: &Part, namespace: &str, event: Event<PartialObjectMeta<Secret>>) {
    match event {
        Event::Init => part.sightings.begin(namespace),
        Event::Apply(secret) | Event::InitApply(secret) => saw(part, &secret),
        Event::Delete(secret) => {
            let key = Key::of(&secret);
            part.sightings.lost(&key);
            wake(part, &key);
        }
        Event::InitDone => {
            for key in part.sightings.end(namespace) {
                wake(part, &key);
            }
            part.listed();
        }
    }
}

fn saw(part: &Part, secret: &PartialObjectMeta<Secret>) {
    let key = Key::of(secret);
    let metadata = &secret.metadata;
    let labels = metadata.labels.as_ref();
    let ours = labels.is_some_and(|labels| labels.contains_key(crds::external_secret::MANAGED));
    let named = named(&key);
    if !ours && !part.dependents.knows(&named) && !part.store_dependents.knows(&named) {
        part.sightings.lost(&key);
        return;
    }
    if part.sightings.saw(key.clone(), Sighting::of(metadata)) {
        wake(part, &key);
    }
}

fn wake(part: &Part, key: &Key) {
    let named = named(key);
    part.wakes.wake(part.dependents.of(&named));
    for store in part.store_dependents.of(&named) {
        match store {
            Named::Store { namespace, name } => part.store_wakes.wake([Key { namespace, name }]),
            Named::ClusterStore { name } => part.cluster_store_wakes.wake([Key::new("", &name)]),
            Named::Secret { .. }
            | Named::ConfigMap { .. }
            | Named::ExternalSecret { .. }
            | Named::Namespace { .. } => {}
        }
    }
}

fn named(key: &Key) -> Named {
    Named::Secret {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}
