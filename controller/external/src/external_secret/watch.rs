//! The watch of ExternalSecrets, and everything else that wakes them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, PoisonError},
    time::Duration,
};

use crds::external_secret::ExternalSecret;
use futures::{StreamExt as _, future::join_all, stream};
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
        watcher::{self, Event, watcher},
    },
};

use super::{questions, reconcile::ExternalSecrets};
use crate::{
    dependents::Named,
    key::Key,
    observed::{Change, Observed},
    part::Part,
};

/// How many ExternalSecrets one page of a listing holds.
const PAGE: u32 = 100;
/// How long the first listing of Secrets is waited for. Without it every target would be read once;
/// without the right to list, none would ever be made.
const FIRST_LISTING: Duration = Duration::from_secs(20);
/// How long the first listings of stores are waited for. Those that come later wake who uses them.
const FIRST_STORES: Duration = Duration::from_secs(5);
/// The waits after failures. The longest is the incumbent's (pkg/controllers/common/common.go).
const BACKOFF: Bounds = Bounds {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(7 * 60),
};

/// Looks after ExternalSecrets until the shutdown.
pub(crate) async fn run(part: Arc<Part>) {
    let scope = part.settings.namespaces.clone();
    if presence::served::<ExternalSecret>(&part.context, "ExternalSecret", &scope)
        .await
        .is_err()
    {
        return;
    }
    let client = part.context.client.clone();
    match scope {
        Namespaces::All => watch(&part, "", Api::all(client)).await,
        Namespaces::Only(names) => {
            let api = |name| Api::namespaced(client.clone(), name);
            join_all(names.iter().map(|name| watch(&part, name, api(name)))).await;
        }
    }
}

async fn watch(part: &Arc<Part>, namespace: &str, api: Api<ExternalSecret>) {
    let listings = async {
        part.until_listed(|part| part.sightings.complete(namespace), FIRST_LISTING)
            .await;
        let cluster = part.settings.cluster_stores;
        part.until_listed(|part| part.stores.are_listed(cluster), FIRST_STORES)
            .await;
    };
    if part.context.shutdown.or(listings).await.is_err() {
        return;
    }
    let (store, writer) = reflector::store();
    let mut observed = Observed::new(matters);
    let told = Arc::clone(part);
    let events = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut ExternalSecret| object.managed_fields_mut().clear());
    let changes = relisting::as_changes(events, store.clone())
        .reflect(writer)
        .flat_map(move |event| {
            let changes: Vec<_> = match event {
                Ok(event) => {
                    let complete = matches!(event, Event::InitDone);
                    let changes = observed.step(event).into_iter();
                    let changes = changes.filter_map(|change| tell(&told, change));
                    let changes = changes.map(Ok).collect();
                    if complete {
                        told.listed_objects();
                    }
                    changes
                }
                Err(error) => vec![Err(error)],
            };
            stream::iter(changes)
        });
    part.objects
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(store.clone());
    let woken = part
        .wakes
        .stream(namespace)
        .map(|key| ObjectRef::new(&key.name).within(&key.namespace));
    let controller = Controller::for_stream(changes, store).reconcile_on(woken);
    // As many as there are: those that wait for their turn wait inside, where what has changed
    // overtakes what is due.
    let settings = Settings {
        kind: "externalsecret",
        concurrency: 0,
        backoff: BACKOFF,
    };
    let reconciler = Arc::new(ExternalSecrets(Arc::clone(part)));
    reconcile::run(controller, reconciler, settings, &part.context).await;
}

/// Notes what the object names, and hands it on if there still is one.
fn tell(part: &Part, change: Change<ExternalSecret>) -> Option<ExternalSecret> {
    let (key, object) = match change {
        Change::Changed(object) => (Key::of(&object), Some(object)),
        Change::Gone(key) => (key, None),
    };
    match &object {
        Some(object) => part.depends(&key, questions::names(object)),
        None => part.forget(&key),
    }
    let named = Named::ExternalSecret {
        namespace: key.namespace,
        name: key.name,
    };
    part.cluster_wakes.wake(part.cluster_dependents.of(&named));
    object
}

/// What makes a change of an ExternalSecret worth a look: all but its status
/// (externalsecret_controller.go, `shouldEnqueueExternalSecretUpdate`).
fn matters(object: &ExternalSecret) -> u64 {
    let metadata = &object.metadata;
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    metadata.generation.hash(&mut hasher);
    metadata.labels.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    metadata.finalizers.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}
