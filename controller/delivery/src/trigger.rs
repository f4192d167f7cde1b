//! When an object of ours is looked at: when its spec changes, and when somebody asks for it by annotation.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use crds::flux::REQUESTED_AT;
use kube::{
    Api, Resource, ResourceExt as _,
    runtime::{
        Controller, Predicate as _, PredicateConfig, WatchStreamExt as _, predicates,
        reflector::{self, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;

/// A controller of one kind, and what it knows of the objects. Writes of a status do not wake it.
pub(crate) fn controller<K>(api: Api<K>) -> (Controller<K>, Store<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    let stream = watcher(api, watcher::Config::default().page_size(PAGE))
        .default_backoff()
        .modify(|object: &mut K| object.managed_fields_mut().clear())
        .reflect(writer)
        .applied_objects()
        .predicate_filter(
            predicates::generation.combine(requested::<K>),
            PredicateConfig::default(),
        );
    (Controller::for_stream(stream, store.clone()), store)
}

fn requested<K: Resource>(object: &K) -> Option<u64> {
    let requested = object.annotations().get(REQUESTED_AT)?;
    let mut hasher = DefaultHasher::new();
    requested.hash(&mut hasher);
    Some(hasher.finish())
}

/// Objects of one page of a list; an inventory may make one large.
const PAGE: u32 = 50;
