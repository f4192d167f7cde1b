//! The metadata watch of ConfigMaps that templates come from. It begins when the first is named.

use std::sync::Arc;

use futures::{StreamExt as _, future::join_all};
use k8s_openapi::api::core::v1::ConfigMap;
use kit::{Namespaces, presence};
use kube::{
    Api,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tracing::debug;

use crate::{dependents::Named, key::Key, part::Part, sightings::Sighting};

/// How many ConfigMaps one page of a listing holds.
const PAGE: u32 = 100;

/// Follows the metadata of ConfigMaps until the shutdown, once one is named.
pub(crate) async fn watch(part: Arc<Part>) {
    let named = part.until_config_maps_are_named();
    if part.context.shutdown.or(named).await.is_err() {
        return;
    }
    let scope = part.settings.namespaces.clone();
    let feature = "changes of ConfigMaps that templates come from";
    if presence::served::<ConfigMap>(&part.context, feature, &scope)
        .await
        .is_err()
    {
        return;
    }
    let client = &part.context.client;
    match scope {
        Namespaces::All => follow(&part, "", Api::all(client.clone())).await,
        Namespaces::Only(names) => {
            let api = |name| Api::namespaced(client.clone(), name);
            join_all(names.iter().map(|name| follow(&part, name, api(name)))).await;
        }
    }
}

async fn follow(part: &Part, namespace: &str, api: Api<PartialObjectMeta<ConfigMap>>) {
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = Box::pin(watcher(api, config).default_backoff());
    while let Ok(Some(event)) = part.context.shutdown.or(events.next()).await {
        match event {
            Ok(event) => step(part, namespace, event),
            Err(error) => {
                debug!(error = %kit::redact::with_sources(&error), "the watch of ConfigMaps broke");
            }
        }
    }
}

fn step(part: &Part, namespace: &str, event: Event<PartialObjectMeta<ConfigMap>>) {
    match event {
        Event::Init => part.config_maps.begin(namespace),
        Event::Apply(object) | Event::InitApply(object) => {
            let key = Key::of(&object);
            if !part.dependents.knows(&named(&key)) {
                part.config_maps.lost(&key);
                return;
            }
            if part
                .config_maps
                .saw(key.clone(), Sighting::of(&object.metadata))
            {
                part.wakes.wake(part.dependents.of(&named(&key)));
            }
        }
        Event::Delete(object) => {
            let key = Key::of(&object);
            part.config_maps.lost(&key);
            part.wakes.wake(part.dependents.of(&named(&key)));
        }
        Event::InitDone => {
            for key in part.config_maps.end(namespace) {
                part.wakes.wake(part.dependents.of(&named(&key)));
            }
        }
    }
}

fn named(key: &Key) -> Named {
    Named::ConfigMap {
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}
