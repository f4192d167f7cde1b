//! Watching the objects that were applied; what is known of them is in [`super::memory`].
//!
//! Each kind that was ever applied is watched by metadata, limited to objects with Flux's owner label. An event that shows
//! an object other than we left it asks for a reconcile of its Kustomization at once; our own writes, and writes of a
//! status, do not.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crds::kustomization::OWNER_NAME;
use futures::{StreamExt as _, pin_mut};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kit::{Shutdown, redact};
use kube::{
    Api, Client,
    core::{DynamicObject, PartialObjectMeta},
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;
use tracing::{debug, warn};

use super::{
    Known, Served, State,
    memory::{Kind, Memory, kind_of},
};
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
    memory: Memory,
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
        self.lock().memory.left(id, known);
    }

    /// Forgets an object, if it is `owner`'s.
    pub fn forget(&self, id: &ObjectId, owner: &Owner) {
        self.lock().memory.forget(id, owner);
    }

    /// `owner` is woken by any change of these, their status too, and of no others any more.
    pub fn wait_for(&self, owner: &Owner, ids: Vec<ObjectId>) {
        self.lock().memory.wait_for(owner, ids);
    }

    /// The resourceVersion that a watch last showed of an object, if there is such a watch.
    #[must_use]
    pub fn version(&self, id: &ObjectId) -> Option<u64> {
        let shared = self.lock();
        if shared.is_synced(id) {
            shared.memory.version(id)
        } else {
            None
        }
    }

    /// How we left an object.
    #[must_use]
    pub fn known(&self, id: &ObjectId) -> Option<Known> {
        self.lock().memory.known(id)
    }

    /// How an object of `owner` stands.
    #[must_use]
    pub fn state(&self, id: &ObjectId, owner: &Owner) -> State {
        let shared = self.lock();
        if shared.is_synced(id) {
            shared.memory.state(id, owner)
        } else {
            State::Unknown
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
        let concerned = self.lock().memory.saw(id, metadata);
        self.wake_all(concerned);
    }

    fn deleted(&self, id: &ObjectId) {
        let concerned = self.lock().memory.deleted(id);
        self.wake_all(concerned);
    }

    fn listed(&self, kind: &Kind, listed: &HashSet<ObjectId>) {
        let concerned = self.lock().memory.listed(kind, listed);
        self.wake_all(concerned);
    }

    fn wake_all(&self, owners: impl IntoIterator<Item = Owner>) {
        owners.into_iter().for_each(|owner| self.wake.wake(owner));
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Whether all objects of this one's kind are seen.
    fn is_synced(&self, id: &ObjectId) -> bool {
        let synced = self.kinds.get(&kind_of(id));
        synced.is_some_and(|synced| *synced.borrow())
    }
}

fn id_of(kind: &Kind, metadata: &ObjectMeta) -> ObjectId {
    ObjectId {
        namespace: metadata.namespace.clone().unwrap_or_default(),
        name: metadata.name.clone().unwrap_or_default(),
        group: kind.0.clone(),
        kind: kind.1.clone(),
    }
}

/// Objects of one page of a list. Metadata is some kilobytes each.
const PAGE: u32 = 250;

/// How long the first list of a kind is waited for.
const LONGEST_SYNC: Duration = Duration::from_secs(10);
