//! What the reconciles of this part share.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use crds::external_secret::{ExternalSecret, ExternalSecretStatus};
use jiff::Timestamp;
use kit::{Context, events::Recorder};
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::{Semaphore, watch};
use tracing::warn;

use crate::{
    dependents::{Dependents, Named},
    fetch::{Fetcher, Places, Timetable},
    key::Key,
    memory::Memory,
    names::EVENT_SOURCE,
    namespaces::NamespaceLabels,
    provider::aws::Clients,
    quota::Quotas,
    settings::Settings,
    sightings::Sightings,
    store::{Identities, Stores, TokenRequests},
    template::Engine,
    wakes::Wakes,
};

/// How many requests to the API server are under way at the same time. Each needs a connection of
/// its own (HTTP/1.1), and 5,000 objects a minute need two.
const CALLS_AT_ONCE: usize = 16;

/// How many of those that are due work with the API server at the same time, so that what is new
/// always finds a connection.
const DUE_AT_ONCE: usize = 10;

/// What the reconciles of this part share.
pub(crate) struct Part {
    pub(crate) context: Context,
    pub(crate) settings: Settings,
    /// When the part began.
    pub(crate) began: Timestamp,
    pub(crate) events: Recorder,
    /// Requests to the API server.
    pub(crate) calls: Semaphore,
    /// Who may work, and who may ask a provider.
    pub(crate) places: Places,
    pub(crate) templates: Engine,
    pub(crate) stores: Stores,
    pub(crate) identities: Identities,
    pub(crate) quotas: Arc<Quotas>,
    pub(crate) fetcher: Fetcher,
    pub(crate) sightings: Arc<Sightings>,
    /// The ConfigMaps that templates come from.
    pub(crate) config_maps: Sightings,
    pub(crate) namespaces: NamespaceLabels,
    /// What ExternalSecrets name.
    pub(crate) dependents: Dependents<Key>,
    /// What stores name.
    pub(crate) store_dependents: Dependents<Named>,
    /// What ClusterExternalSecrets name.
    pub(crate) cluster_dependents: Dependents<Key>,
    pub(crate) wakes: Wakes,
    pub(crate) cluster_wakes: Wakes,
    pub(crate) store_wakes: Wakes,
    pub(crate) cluster_store_wakes: Wakes,
    pub(crate) memory: Memory,
    /// The ExternalSecrets that the watches know.
    pub(crate) objects: Mutex<Vec<Store<ExternalSecret>>>,
    objects_listed: AtomicBool,
    config_maps_named: AtomicBool,
    prunes: AtomicBool,
    timetable: Mutex<Timetable>,
    /// Moves whenever a first listing is complete.
    listings: watch::Sender<u64>,
}

impl Part {
    /// Nothing seen and nothing done yet.
    pub(crate) fn new(context: Context, settings: Settings) -> Arc<Self> {
        let client = context.client.clone();
        let quotas = Arc::<Quotas>::default();
        let sightings = Arc::<Sightings>::default();
        let tokens = Arc::new(TokenRequests(client.clone()));
        let clients = Clients::new(settings.endpoints.clone(), Arc::clone(&quotas), tokens);
        let identities = Identities::new(client.clone(), clients, Arc::clone(&sightings));
        let events = Recorder::new(client, EVENT_SOURCE, context.shutdown.clone());
        let templates = Engine::new(&settings.delimiters.0, &settings.delimiters.1);
        let places = Places::new(usize::from(settings.concurrency), DUE_AT_ONCE);
        Arc::new(Self {
            context,
            settings,
            began: Timestamp::now(),
            events,
            calls: Semaphore::new(CALLS_AT_ONCE),
            places,
            templates,
            stores: Stores::default(),
            identities,
            quotas,
            fetcher: Fetcher::default(),
            sightings,
            config_maps: Sightings::default(),
            namespaces: NamespaceLabels::default(),
            dependents: Dependents::default(),
            store_dependents: Dependents::default(),
            cluster_dependents: Dependents::default(),
            wakes: Wakes::default(),
            cluster_wakes: Wakes::default(),
            store_wakes: Wakes::default(),
            cluster_store_wakes: Wakes::default(),
            memory: Memory::default(),
            objects: Mutex::default(),
            objects_listed: AtomicBool::new(false),
            config_maps_named: AtomicBool::new(false),
            prunes: AtomicBool::new(false),
            timetable: Mutex::default(),
            listings: watch::Sender::new(0),
        })
    }

    /// Says that a listing is complete.
    pub(crate) fn listed(&self) {
        self.listings.send_modify(|count| *count += 1);
    }

    /// Waits until the listings that `enough` asks for are complete, or for `at_most`.
    pub(crate) async fn until_listed(&self, enough: impl Fn(&Self) -> bool, at_most: Duration) {
        let mut listings = self.listings.subscribe();
        let waiting = async { while !enough(self) && listings.changed().await.is_ok() {} };
        // Whether the time ran out or the listings are there: we go on with what there is.
        drop(tokio::time::timeout(at_most, waiting).await);
    }

    /// The ExternalSecret of this name, as the watch last showed it.
    pub(crate) fn object(&self, key: &Key) -> Option<ExternalSecret> {
        let stores = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let reference = ObjectRef::new(&key.name).within(&key.namespace);
        stores
            .iter()
            .find_map(|store| store.get(&reference))
            .map(|found| found.as_ref().clone())
    }

    /// Whether the watches still show an ExternalSecret of this name.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        let stores = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let reference = ObjectRef::new(&key.name).within(&key.namespace);
        stores.iter().any(|store| store.get(&reference).is_some())
    }

    /// A first listing of ExternalSecrets is complete.
    pub(crate) fn listed_objects(&self) {
        self.objects_listed.store(true, Ordering::Release);
        self.listed();
    }

    /// Whether the installed CRD keeps nothing of ours in the status.
    pub(crate) fn prunes(&self) -> bool {
        self.prunes.load(Ordering::Acquire)
    }

    /// Looks whether the API server kept what is ours in a status that was written.
    pub(crate) fn kept(&self, sent: &ExternalSecretStatus, kept: Option<&ExternalSecretStatus>) {
        let pruned = sent.observed_generation.is_some()
            && kept.is_some_and(|kept| kept.observed_generation.is_none());
        if pruned != self.prunes.swap(pruned, Ordering::AcqRel) && pruned {
            warn!(
                "the installed CRD of ExternalSecret is not ours: it keeps no status.written, so that \
                 after a restart each target is read once; apply our CRDs to spare that"
            );
        }
    }

    /// Notes what an ExternalSecret names.
    pub(crate) fn depends(&self, key: &Key, names: BTreeSet<Named>) {
        let config_maps = names
            .iter()
            .any(|named| matches!(named, Named::ConfigMap { .. }));
        self.dependents.set(key, names);
        if config_maps && !self.config_maps_named.swap(true, Ordering::AcqRel) {
            self.listed();
        }
    }

    /// Waits until a template comes from a ConfigMap.
    pub(crate) async fn until_config_maps_are_named(&self) {
        let named = |part: &Self| part.config_maps_named.load(Ordering::Acquire);
        let mut listings = self.listings.subscribe();
        while !named(self) && listings.changed().await.is_ok() {}
    }

    /// Whether ExternalSecrets were listed.
    pub(crate) fn objects_listed(&self) -> bool {
        self.objects_listed.load(Ordering::Acquire)
    }

    /// All ClusterExternalSecrets that were looked at.
    pub(crate) fn clusters(&self) -> Vec<Key> {
        self.cluster_dependents.all()
    }

    /// Looks into the timetable, or changes it.
    pub(crate) fn timetable<T>(&self, look: impl FnOnce(&mut Timetable) -> T) -> T {
        look(
            &mut self
                .timetable
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Forgets an ExternalSecret that is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.dependents.forget(key);
        self.memory.forget(key);
        self.timetable(|table| table.leave(&key.to_string()));
    }
}
