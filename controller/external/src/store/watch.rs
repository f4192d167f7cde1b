//! The watches of SecretStores and ClusterSecretStores, and what wakes them and their dependents.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash as _, Hasher as _},
    sync::Arc,
};

use crds::secret_store::{ClusterSecretStore, SecretStore, SecretStoreStatus};
use futures::{
    StreamExt as _,
    future::join_all,
    stream::{self, BoxStream},
};
use kit::{
    Namespaces,
    backoff::Bounds,
    presence,
    reconcile::{self, Reconcile, Settings},
    relisting,
};
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        Controller, WatchStreamExt as _,
        reflector::{self, ObjectRef, Store},
        watcher::{self, Event},
    },
};

use super::{
    Stores,
    carry_out::{Cluster, Namespaced},
    is_ready,
};
use crate::{
    dependents::Named,
    key::Key,
    observed::{Change, Observed},
    part::Part,
};

/// How many stores are validated at the same time. Few: a validation may ask STS.
const CONCURRENCY: u16 = 8;
/// How many stores one page of a listing holds.
const PAGE: u32 = 100;

/// Looks after stores until the shutdown.
pub(crate) async fn run(part: Arc<Part>) {
    tokio::join!(namespaced(Arc::clone(&part)), cluster(Arc::clone(&part)));
}

async fn namespaced(part: Arc<Part>) {
    let scope = part.settings.namespaces.clone();
    if presence::served::<SecretStore>(&part.context, "SecretStore", &scope)
        .await
        .is_err()
    {
        return;
    }
    let apis = match scope {
        Namespaces::All => vec![(String::new(), Api::all(part.context.client.clone()))],
        Namespaces::Only(names) => {
            let api = |name: &String| Api::namespaced(part.context.client.clone(), name);
            names.iter().map(|name| (name.clone(), api(name))).collect()
        }
    };
    let runs = apis.into_iter().map(|(namespace, api)| {
        let seen = Arc::clone(&part);
        let kind = Kind {
            name: "secretstore",
            matters: |store: &SecretStore| matters(store, store.status.as_ref()),
            named: |key| Named::Store {
                namespace: key.namespace,
                name: key.name,
            },
            listed: |stores| stores.listed_namespaced(),
            woken: part.store_wakes.stream(&namespace).boxed(),
        };
        let reconciler = Arc::new(Namespaced(Arc::clone(&part)));
        watch(&part, api, reconciler, kind, move |store| {
            seen.stores.watch_namespaced(store);
        })
    });
    join_all(runs).await;
}

async fn cluster(part: Arc<Part>) {
    if !part.settings.cluster_stores {
        return;
    }
    let feature = "ClusterSecretStore";
    if presence::served::<ClusterSecretStore>(&part.context, feature, &Namespaces::All)
        .await
        .is_err()
    {
        return;
    }
    let api = Api::all(part.context.client.clone());
    let seen = Arc::clone(&part);
    let kind = Kind {
        name: "clustersecretstore",
        matters: |store: &ClusterSecretStore| matters(store, store.status.as_ref()),
        named: |key| Named::ClusterStore { name: key.name },
        listed: |stores| stores.listed_cluster(),
        woken: part.cluster_store_wakes.stream("").boxed(),
    };
    let reconciler = Arc::new(Cluster(Arc::clone(&part)));
    watch(&part, api, reconciler, kind, move |store| {
        seen.stores.watch_cluster(store);
    })
    .await;
}

/// What differs between the two kinds of stores.
struct Kind<K> {
    name: &'static str,
    matters: fn(&K) -> u64,
    named: fn(Key) -> Named,
    listed: fn(&Stores),
    woken: BoxStream<'static, Key>,
}

/// What makes a store's change worth a look for those who use it.
fn matters<K: Resource>(store: &K, status: Option<&SecretStoreStatus>) -> u64 {
    let mut hasher = DefaultHasher::new();
    store.meta().uid.hash(&mut hasher);
    store.meta().generation.hash(&mut hasher);
    store.meta().deletion_timestamp.is_some().hash(&mut hasher);
    is_ready(status).hash(&mut hasher);
    hasher.finish()
}

async fn watch<R: Reconcile>(
    part: &Arc<Part>,
    api: Api<R::Kind>,
    reconciler: Arc<R>,
    kind: Kind<R::Kind>,
    begun: impl FnOnce(Store<R::Kind>),
) {
    let (store, writer) = reflector::store();
    begun(store.clone());
    let mut observed = Observed::new(kind.matters);
    let (told, named, listed) = (Arc::clone(part), kind.named, kind.listed);
    let events = watcher::watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|store: &mut R::Kind| store.managed_fields_mut().clear());
    let changes = relisting::as_changes(events, store.clone())
        .reflect(writer)
        .flat_map(move |event| {
            let changes: Vec<_> = match event {
                Ok(event) => {
                    let complete = matches!(event, Event::InitDone);
                    let changes = observed.step(event).into_iter();
                    let changes = changes.filter_map(|change| tell(&told, named, change));
                    let changes = changes.map(Ok).collect();
                    if complete {
                        listed(&told.stores);
                        told.listed();
                    }
                    changes
                }
                Err(error) => vec![Err(error)],
            };
            stream::iter(changes)
        });
    let woken = kind.woken.map(|key| reference(&key));
    let controller = Controller::for_stream(changes, store).reconcile_on(woken);
    let settings = Settings {
        kind: kind.name,
        concurrency: CONCURRENCY,
        backoff: Bounds::default(),
    };
    reconcile::run(controller, reconciler, settings, &part.context).await;
}

/// Wakes the ExternalSecrets that use the store, and hands on the store if there still is one.
fn tell<K: Resource>(part: &Part, named: fn(Key) -> Named, change: Change<K>) -> Option<K> {
    let (key, object) = match change {
        Change::Changed(object) => (Key::of(&object), Some(object)),
        Change::Gone(key) => (key, None),
    };
    let named = named(key);
    if object.is_none() {
        part.store_dependents.forget(&named);
    }
    part.wakes.wake(part.dependents.of(&named));
    object
}

fn reference<K: Resource<DynamicType = ()>>(key: &Key) -> ObjectRef<K> {
    let reference = ObjectRef::new(&key.name);
    if key.namespace.is_empty() {
        reference
    } else {
        reference.within(&key.namespace)
    }
}
