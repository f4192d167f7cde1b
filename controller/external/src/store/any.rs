//! A SecretStore or a ClusterSecretStore, where the difference does not matter.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crds::{
    external_secret::SecretStoreRef,
    secret_store::{ClusterSecretStore, SecretStore, SecretStoreSpec, SecretStoreStatus},
};
use kube::{
    ResourceExt as _,
    api::ObjectMeta,
    runtime::reflector::{ObjectRef, Store},
};

use crate::{dependents::Named, key::Key};

/// A SecretStore or a ClusterSecretStore.
#[derive(Clone)]
pub(crate) enum AnyStore {
    /// Of one namespace.
    Namespaced(Arc<SecretStore>),
    /// Of the cluster.
    Cluster(Arc<ClusterSecretStore>),
}

impl AnyStore {
    /// Its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Namespaced(_) => "SecretStore",
            Self::Cluster(_) => "ClusterSecretStore",
        }
    }

    /// Its namespace, if it is of one.
    pub(crate) fn namespace(&self) -> Option<String> {
        match self {
            Self::Namespaced(store) => store.namespace(),
            Self::Cluster(_) => None,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.metadata().name.as_deref().unwrap_or_default()
    }

    /// Its metadata.
    pub(crate) fn metadata(&self) -> &ObjectMeta {
        match self {
            Self::Namespaced(store) => &store.metadata,
            Self::Cluster(store) => &store.metadata,
        }
    }

    /// What it asks for.
    pub(crate) fn spec(&self) -> &SecretStoreSpec {
        match self {
            Self::Namespaced(store) => &store.spec,
            Self::Cluster(store) => &store.spec,
        }
    }

    /// What was last said about it.
    pub(crate) fn status(&self) -> Option<&SecretStoreStatus> {
        match self {
            Self::Namespaced(store) => store.status.as_ref(),
            Self::Cluster(store) => store.status.as_ref(),
        }
    }

    /// What ExternalSecrets name it by.
    pub(crate) fn named(&self) -> Named {
        let name = self.name().to_owned();
        match self.namespace() {
            Some(namespace) => Named::Store { namespace, name },
            None => Named::ClusterStore { name },
        }
    }

    /// Its namespace and name.
    pub(crate) fn key(&self) -> Key {
        Key::new(&self.namespace().unwrap_or_default(), self.name())
    }
}

/// The stores that the watches know. A kind that is not watched (yet) has none.
#[derive(Default)]
pub(crate) struct Stores {
    namespaced: Mutex<Vec<Store<SecretStore>>>,
    cluster: OnceLock<Store<ClusterSecretStore>>,
    namespaced_listed: AtomicBool,
    cluster_listed: AtomicBool,
}

impl Stores {
    /// The watch of SecretStores has begun.
    pub(crate) fn watch_namespaced(&self, store: Store<SecretStore>) {
        self.namespaced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(store);
    }

    /// The watch of ClusterSecretStores has begun.
    pub(crate) fn watch_cluster(&self, store: Store<ClusterSecretStore>) {
        drop(self.cluster.set(store));
    }

    /// A first listing of SecretStores is complete.
    pub(crate) fn listed_namespaced(&self) {
        self.namespaced_listed.store(true, Ordering::Release);
    }

    /// The first listing of ClusterSecretStores is complete.
    pub(crate) fn listed_cluster(&self) {
        self.cluster_listed.store(true, Ordering::Release);
    }

    /// Whether SecretStores, and ClusterSecretStores where they are wanted, were listed.
    pub(crate) fn are_listed(&self, cluster: bool) -> bool {
        self.namespaced_listed.load(Ordering::Acquire)
            && (!cluster || self.cluster_listed.load(Ordering::Acquire))
    }

    /// All stores that are known.
    pub(crate) fn all(&self) -> Vec<AnyStore> {
        let namespaced = self
            .namespaced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let namespaced = namespaced
            .iter()
            .flat_map(Store::state)
            .map(AnyStore::Namespaced);
        let cluster = self
            .cluster
            .get()
            .into_iter()
            .flat_map(Store::state)
            .map(AnyStore::Cluster);
        namespaced.chain(cluster).collect()
    }

    /// The store that an ExternalSecret of this namespace names.
    pub(crate) fn find(&self, reference: &SecretStoreRef, namespace: &str) -> Option<AnyStore> {
        if reference.is_cluster() {
            let found = self.cluster.get()?.get(&ObjectRef::new(&reference.name))?;
            return Some(AnyStore::Cluster(found));
        }
        let key = ObjectRef::new(&reference.name).within(namespace);
        let watched = self
            .namespaced
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        watched
            .iter()
            .find_map(|store| store.get(&key))
            .map(AnyStore::Namespaced)
    }
}
