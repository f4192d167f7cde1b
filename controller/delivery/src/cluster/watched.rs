//! What is known of the objects that were applied: how they looked after our last write, and how they look now.
//!
//! Each kind that was ever applied is watched by metadata, limited to objects with Flux's owner label. An event that shows
//! an object other than we left it asks for a reconcile of its Kustomization at once; our own writes, and writes of a
//! status, do not.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::kustomization::{FIELD_MANAGER, OWNER_NAME};
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kit::{Shutdown, redact};
use kube::{
    Api, Client,
    core::{DynamicObject, PartialObjectMeta},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{Fingerprint, Served, live::version_of};
use crate::{inventory::ObjectId, owner::Owner, wake::Wake};

/// Objects that were applied, and watches over them. Clones share everything.
#[derive(Clone)]
pub struct Watched {
    client: Client,
    wake: Wake<Owner>,
    shutdown: Shutdown,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    kinds: HashMap<Kind, watch::Receiver<bool>>,
    /// How objects looked after we applied them.
    left: HashMap<ObjectId, Known>,
    /// How objects look now.
    seen: HashMap<ObjectId, Seen>,
    /// Who waits for any change of an object, its status too.
    waited_for: HashMap<ObjectId, HashSet<Owner>>,
}

/// Group and kind. Whatever version it is watched in, the objects are the same.
type Kind = (String, String);

/// An object as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose it is.
    pub owner: Owner,
    /// A digest of what was applied; `None` when only an earlier process knew it.
    pub desired: Option<String>,
    /// How it looked then.
    pub fingerprint: Fingerprint,
    /// Its resourceVersion then; zero when only an earlier process knew it.
    pub version: u64,
}

struct Seen {
    fingerprint: Fingerprint,
    version: u64,
    rival: String,
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As we left it, with this digest of what was applied, if known.
    AsLeft(Option<String>),
    /// Somebody changed it; the name of the field manager.
    Changed(String),
    /// It is gone.
    Gone,
    /// It was not applied by us, or is not watched: one has to look.
    Unknown,
}

impl Watched {
    /// Nothing is known and nothing watched yet. `wake` hears of objects that are other than they were left.
    #[must_use]
    pub fn new(client: Client, wake: Wake<Owner>, shutdown: Shutdown) -> Self {
        Self {
            client,
            wake,
            shutdown,
            shared: Arc::default(),
        }
    }

    /// Watches a kind from now on.
    pub fn watch(&self, served: &Served) {
        if !served.watchable {
            return;
        }
        let kind = (served.resource.group.clone(), served.resource.kind.clone());
        let mut shared = self.lock();
        if shared.kinds.contains_key(&kind) {
            return;
        }
        let (synced, receiver) = watch::channel(false);
        shared.kinds.insert(kind, receiver);
        tokio::spawn(self.clone().follow(served.clone(), synced));
    }

    /// Waits until all these kinds were listed once, or as long as one would rather ask the API server.
    pub async fn synced(&self, kinds: impl IntoIterator<Item = (String, String)>) {
        let receivers: Vec<watch::Receiver<bool>> = {
            let shared = self.lock();
            let known = kinds
                .into_iter()
                .filter_map(|kind| shared.kinds.get(&kind).cloned());
            known.collect()
        };
        let all = futures::future::join_all(receivers.into_iter().map(async |mut receiver| {
            drop(receiver.wait_for(|synced| *synced).await);
        }));
        drop(tokio::time::timeout(LONGEST_SYNC, all).await);
    }

    /// Remembers how we left an object.
    pub fn left(&self, id: &ObjectId, known: Known) {
        let mut shared = self.lock();
        let seen = Seen {
            fingerprint: known.fingerprint.clone(),
            version: known.version,
            rival: String::new(),
        };
        let newer = shared
            .seen
            .get(id)
            .is_none_or(|old| old.version <= seen.version);
        // What an earlier process left has no version, and is not seen until the watch shows it.
        if newer && known.version > 0 {
            shared.seen.insert(id.clone(), seen);
        }
        shared.left.insert(id.clone(), known);
    }

    /// Forgets an object, if it is `owner`'s.
    pub fn forget(&self, id: &ObjectId, owner: &Owner) {
        let mut shared = self.lock();
        if shared
            .left
            .get(id)
            .is_some_and(|known| known.owner == *owner)
        {
            shared.left.remove(id);
        }
    }

    /// `owner` is woken by any change of these, their status too, and of no others any more.
    pub fn wait_for(&self, owner: &Owner, ids: Vec<ObjectId>) {
        let mut shared = self.lock();
        for waiting in shared.waited_for.values_mut() {
            waiting.remove(owner);
        }
        for id in ids {
            shared
                .waited_for
                .entry(id)
                .or_default()
                .insert(owner.clone());
        }
        shared.waited_for.retain(|_, waiting| !waiting.is_empty());
    }

    /// The resourceVersion that a watch last showed of an object, if there is such a watch.
    #[must_use]
    pub fn version(&self, id: &ObjectId) -> Option<u64> {
        let shared = self.lock();
        let synced = shared
            .kinds
            .get(&kind_of(id))
            .is_some_and(|synced| *synced.borrow());
        shared
            .seen
            .get(id)
            .filter(|_| synced)
            .map(|seen| seen.version)
    }

    /// How we left an object.
    #[must_use]
    pub fn known(&self, id: &ObjectId) -> Option<Known> {
        self.lock().left.get(id).cloned()
    }

    /// How an object of `owner` stands.
    #[must_use]
    pub fn state(&self, id: &ObjectId, owner: &Owner) -> State {
        let shared = self.lock();
        let synced = shared
            .kinds
            .get(&kind_of(id))
            .is_some_and(|synced| *synced.borrow());
        let Some(known) = shared
            .left
            .get(id)
            .filter(|known| synced && known.owner == *owner)
        else {
            return State::Unknown;
        };
        match shared.seen.get(id) {
            None => State::Gone,
            Some(seen) if seen.is_as_left(known) => State::AsLeft(known.desired.clone()),
            Some(seen) => State::Changed(seen.rival.clone()),
        }
    }

    async fn follow(self, served: Served, synced: watch::Sender<bool>) {
        let api = Api::<PartialObjectMeta<DynamicObject>>::all_with(
            self.client.clone(),
            &served.resource,
        );
        let config = watcher::Config::default()
            .labels(OWNER_NAME)
            .page_size(PAGE);
        let events = watcher(api, config).default_backoff();
        pin_mut!(events);
        let kind = (served.resource.group.clone(), served.resource.kind.clone());
        let mut listed = HashSet::new();
        let mut refused = false;
        while let Ok(Some(event)) = self.shutdown.or(events.next()).await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    let id = id_of(&kind, &object.metadata);
                    self.saw(&id, &object.metadata);
                    listed.insert(id);
                }
                Ok(watcher::Event::InitDone) => {
                    self.listed(&kind, &std::mem::take(&mut listed));
                    // Nobody listens any more only when the process ends.
                    let _ = synced.send(true);
                }
                Ok(watcher::Event::Apply(object)) => {
                    self.saw(&id_of(&kind, &object.metadata), &object.metadata);
                }
                Ok(watcher::Event::Delete(object)) => self.deleted(&id_of(&kind, &object.metadata)),
                Err(error) => {
                    let text = redact::foreign(&redact::with_sources(&error));
                    let kind = &served.resource.kind;
                    if std::mem::replace(&mut refused, true) {
                        debug!(kind, error = %text, "the watch for drift broke");
                    } else {
                        warn!(kind, error = %text, "the watch for drift broke; until it is back, drift of this kind is found at each interval");
                    }
                }
            }
        }
    }

    fn saw(&self, id: &ObjectId, metadata: &ObjectMeta) {
        let seen = Seen {
            fingerprint: Fingerprint::of(&id.group, &id.kind, metadata),
            version: version_of(metadata),
            rival: rival_in(metadata),
        };
        let mut shared = self.lock();
        if shared
            .seen
            .get(id)
            .is_some_and(|old| old.version > seen.version)
        {
            return;
        }
        let changed = shared.left.get(id).filter(|known| !seen.is_as_left(known));
        let changed = changed.map(|known| known.owner.clone());
        let waiting = shared.waited_for.get(id).cloned().unwrap_or_default();
        shared.seen.insert(id.clone(), seen);
        drop(shared);
        changed
            .into_iter()
            .chain(waiting)
            .for_each(|owner| self.wake.wake(owner));
    }

    fn deleted(&self, id: &ObjectId) {
        let mut shared = self.lock();
        shared.seen.remove(id);
        let owner = shared.left.get(id).map(|known| known.owner.clone());
        drop(shared);
        if let Some(owner) = owner {
            self.wake.wake(owner);
        }
    }

    /// After a list: what is not in it went away while nobody watched.
    fn listed(&self, kind: &Kind, listed: &HashSet<ObjectId>) {
        let mut shared = self.lock();
        shared
            .seen
            .retain(|id, _| kind_of(id) != *kind || listed.contains(id));
        let gone = shared
            .left
            .iter()
            .filter(|(id, _)| kind_of(id) == *kind && !listed.contains(*id));
        let owners: HashSet<Owner> = gone.map(|(_, known)| known.owner.clone()).collect();
        drop(shared);
        owners.into_iter().for_each(|owner| self.wake.wake(owner));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// What was seen before our write is no change of it.
    fn is_as_left(&self, known: &Known) -> bool {
        self.fingerprint == known.fingerprint || self.version < known.version
    }
}

fn kind_of(id: &ObjectId) -> Kind {
    (id.group.clone(), id.kind.clone())
}

fn id_of(kind: &Kind, metadata: &ObjectMeta) -> ObjectId {
    ObjectId {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        group: kind.0.clone(),
        kind: kind.1.clone(),
    }
}

/// The field manager that wrote last outside of the status, ourselves aside.
fn rival_in(metadata: &ObjectMeta) -> String {
    let entries = metadata.managed_fields.iter().flatten();
    let others = entries.filter(|entry| {
        let ours = entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply");
        !ours && entry.subresource.as_deref() != Some("status")
    });
    let time = |entry: &&ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let last = others.max_by_key(time);
    last.and_then(|entry| entry.manager.clone())
        .unwrap_or_default()
}

/// Objects of one page of a list. Metadata is some kilobytes each.
const PAGE: u32 = 250;

/// How long the first list of a kind is waited for.
const LONGEST_SYNC: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use serde_json::json;

    use super::*;

    struct Bench {
        watched: Watched,
        wake: Wake<Owner>,
        _synced: watch::Sender<bool>,
    }

    impl Bench {
        fn new() -> Self {
            let (service, _handle) = tower_test::mock::pair::<
                http::Request<kube::client::Body>,
                http::Response<kube::client::Body>,
            >();
            let wake = Wake::default();
            let watched = Watched::new(
                Client::new(service, "default"),
                wake.clone(),
                Shutdown::new(),
            );
            let (synced, receiver) = watch::channel(true);
            watched
                .lock()
                .kinds
                .insert((String::new(), "ConfigMap".into()), receiver);
            Self {
                watched,
                wake,
                _synced: synced,
            }
        }

        fn woken(&self) -> Option<Owner> {
            let stream = self.wake.stream();
            pin_mut!(stream);
            stream.next().now_or_never().flatten()
        }

        fn saw(&self, version: &str) {
            self.watched.saw(&id(), &metadata(version));
        }

        fn left(&self, version: &str) {
            let fingerprint = Fingerprint::of("", "ConfigMap", &metadata(version));
            let known = Known {
                owner: owner(),
                desired: Some("d".into()),
                fingerprint,
                version: version.parse().unwrap(),
            };
            self.watched.left(&id(), known);
        }
    }

    fn owner() -> Owner {
        Owner {
            namespace: "flux-system".into(),
            name: "apps".into(),
        }
    }

    fn id() -> ObjectId {
        "shop_settings__ConfigMap".parse().unwrap()
    }

    fn metadata(version: &str) -> ObjectMeta {
        serde_json::from_value(json!({"namespace": "shop", "name": "settings", "uid": "u", "resourceVersion": version, "managedFields": [
            {"manager": "kustomize-controller", "operation": "Apply", "time": "2026-01-03T00:00:00Z"},
            {"manager": "older", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
        ]}))
        .unwrap()
    }

    #[tokio::test]
    async fn our_own_writes_wake_nobody() {
        let bench = Bench::new();
        bench.saw("5");
        assert_eq!(bench.watched.state(&id(), &owner()), State::Unknown);
        bench.left("7");
        bench.saw("6");
        bench.saw("7");
        assert_eq!(bench.woken(), None);
        assert_eq!(
            bench.watched.state(&id(), &owner()),
            State::AsLeft(Some("d".into()))
        );
    }

    #[tokio::test]
    async fn a_foreign_edit_and_a_deletion_wake_the_owner() {
        let bench = Bench::new();
        bench.left("7");
        bench.saw("8");
        assert_eq!(bench.woken(), Some(owner()));
        assert_eq!(
            bench.watched.state(&id(), &owner()),
            State::Changed("kubectl-edit".into())
        );
        bench.left("9");
        assert_eq!(
            bench.watched.state(&id(), &owner()),
            State::AsLeft(Some("d".into()))
        );
        bench.watched.deleted(&id());
        assert_eq!(bench.woken(), Some(owner()));
        assert_eq!(bench.watched.state(&id(), &owner()), State::Gone);
    }

    #[tokio::test]
    async fn what_went_away_while_nobody_watched_is_missed() {
        let bench = Bench::new();
        bench.left("7");
        bench
            .watched
            .listed(&(String::new(), "ConfigMap".into()), &HashSet::from([id()]));
        assert_eq!(bench.woken(), None);
        bench
            .watched
            .listed(&(String::new(), "Secret".into()), &HashSet::new());
        assert_eq!(bench.woken(), None);
        bench
            .watched
            .listed(&(String::new(), "ConfigMap".into()), &HashSet::new());
        assert_eq!(bench.woken(), Some(owner()));
    }

    #[tokio::test]
    async fn what_an_earlier_process_left_is_believed_once_it_is_seen() {
        let bench = Bench::new();
        let fingerprint = Fingerprint::of("", "ConfigMap", &metadata("7"));
        bench.watched.left(
            &id(),
            Known {
                owner: owner(),
                desired: None,
                fingerprint,
                version: 0,
            },
        );
        assert_eq!(bench.watched.state(&id(), &owner()), State::Gone);
        bench.saw("7");
        assert_eq!(bench.watched.state(&id(), &owner()), State::AsLeft(None));
        assert_eq!(bench.woken(), None);
    }
}
