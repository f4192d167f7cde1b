//! When an object of ours is looked at: when its spec changes, and when somebody asks for it by annotation.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use crds::flux::REQUESTED_AT;
use futures::TryStreamExt as _;
use kit::relisting;
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        Controller, Predicate as _, PredicateConfig, WatchStreamExt as _, predicates,
        reflector::{self, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

/// Tells whether the first list of a kind was read: before, an object that is there looks missing.
///
/// `Store::wait_until_ready` is for one waiter: with several, the others may wait for ever (kube-runtime 5.0
/// utils/delayed_init.rs keeps the waker that came last), and the controller itself is one.
#[derive(Clone)]
pub struct Listed(watch::Receiver<bool>);

impl Listed {
    /// Waits until it was, or until the controller has ended.
    pub async fn wait(&self) {
        drop(self.0.clone().wait_for(|listed| *listed).await);
    }
}

/// A controller of one kind, what it knows of the objects, and whether it knows them all. Writes of a status do not wake
/// it.
pub(crate) fn controller<K>(api: Api<K>) -> (Controller<K>, Store<K>, Listed)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let (listed, receiver) = watch::channel(false);
    let events = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut K| object.managed_fields_mut().clear());
    let stream = relisting::as_changes(events, store.clone())
        .reflect(writer)
        .inspect_ok(move |event| {
            if matches!(event, watcher::Event::InitDone) {
                listed.send_replace(true);
            }
        })
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(requested::<K>),
            PredicateConfig::default(),
        );
    let controller = Controller::for_stream(stream, store.clone());
    (controller, store, Listed(receiver))
}

fn requested<K: Resource>(object: &K) -> Option<u64> {
    let requested = object.annotations().get(REQUESTED_AT)?;
    let mut hasher = DefaultHasher::new();
    requested.hash(&mut hasher);
    Some(hasher.finish())
}

/// Objects of one page of a list; an inventory may make one large.
const PAGE: u32 = 50;
