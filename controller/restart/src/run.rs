//! The part as a whole.

use std::{collections::BTreeSet, marker::PhantomData, sync::Arc};

use futures::{StreamExt as _, future::ready};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kit::{
    Context, Namespaces,
    backoff::Bounds,
    events::Recorder,
    presence,
    reconcile::{self, Settings},
    relisting,
};
use kube::{
    Api, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        Controller, WatchStreamExt as _,
        reflector::{self, ObjectRef},
        watcher::{self, Event, watcher},
    },
};

use crate::{
    key::Key,
    reconcile::{Restart, Shared},
    secrets::{self, Readers, Who},
    workload::{FIELD_MANAGER, Workload, opted_in},
};

/// How many workloads of a kind are worked on at the same time.
const CONCURRENCY: u16 = 4;
/// How many workloads one page of a listing holds.
const PAGE: u32 = 100;

/// Restarts workloads that ask for it when a Secret that they read has changed, until the shutdown is
/// requested. To be called by whoever leads.
pub async fn run(context: Context) {
    let readers = Arc::new(Readers::new(&[
        Deployment::NAME,
        StatefulSet::NAME,
        DaemonSet::NAME,
    ]));
    let events = Recorder::new(
        context.client.clone(),
        FIELD_MANAGER,
        context.shutdown.clone(),
    );
    let shared = Arc::new(Shared {
        context: context.clone(),
        events,
        key: Key::default(),
        readers: Arc::clone(&readers),
    });
    tokio::join!(
        secrets::watch(context, readers),
        Box::pin(watch::<Deployment>(Arc::clone(&shared))),
        Box::pin(watch::<StatefulSet>(Arc::clone(&shared))),
        Box::pin(watch::<DaemonSet>(shared)),
    );
}

async fn watch<W: Workload>(shared: Arc<Shared>) {
    let context = shared.context.clone();
    let feature = "restarts when a Secret changes";
    if presence::served::<W>(&context, feature, &Namespaces::All)
        .await
        .is_err()
    {
        return;
    }
    let (store, writer) = reflector::store();
    let readers = Arc::clone(&shared.readers);
    let api: Api<PartialObjectMeta<W>> = Api::all(context.client.clone());
    let events = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut PartialObjectMeta<W>| object.managed_fields_mut().clear());
    let changes = relisting::as_changes(events, store.clone())
        .filter_map(move |event| ready(event.map(|event| of_interest(&readers, event)).transpose()))
        .reflect(writer)
        .applied_objects();
    let woken = Arc::clone(&shared.readers).woken(W::NAME);
    let woken = woken.map(|who| ObjectRef::new(&who.name).within(&who.namespace));
    let controller = Controller::for_stream(changes, store).reconcile_on(woken);
    let settings = Settings {
        kind: W::NAME,
        concurrency: CONCURRENCY,
        backoff: Bounds::default(),
    };
    let reconciler = Arc::new(Restart::<W> {
        shared,
        kind: PhantomData,
    });
    reconcile::run(controller, reconciler, settings, &context).await;
}

/// Only those that ask are kept. One that no longer asks is as good as gone, and forgotten.
fn of_interest<W: Workload>(
    readers: &Readers,
    event: Event<PartialObjectMeta<W>>,
) -> Option<Event<PartialObjectMeta<W>>> {
    let forget = |object: &PartialObjectMeta<W>| {
        let namespace = object.namespace().unwrap_or_default();
        let who = Who {
            kind: W::NAME,
            namespace,
            name: object.name_any(),
        };
        readers.reads(&who, &BTreeSet::new());
    };
    match event {
        Event::Apply(object) | Event::Delete(object) if !opted_in(&object) => {
            forget(&object);
            Some(Event::Delete(object))
        }
        Event::InitApply(object) if !opted_in(&object) => {
            forget(&object);
            None
        }
        Event::Delete(object) => {
            forget(&object);
            Some(Event::Delete(object))
        }
        other => Some(other),
    }
}
