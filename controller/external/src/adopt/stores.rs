//! The stores: whose they are, and whether they would be served.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crds::{
    external_secret::{ExternalSecret, SecretStoreRef},
    secret_store::{ClusterSecretStore, SecretStore},
};
use kit::adopt::{Adoption, ListError, everywhere};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use crate::{
    external_secret::stores as stores_of,
    key::Key,
    settings::Settings,
    store::{AnyStore, checked, is_ours},
};

/// What would become of an ExternalSecret for the sake of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// It would be served.
    Served,
    /// It is somebody else's.
    Foreign,
    /// It would not be served, and why.
    Refused(String),
}

/// The stores of the cluster.
pub(super) struct Stores {
    standings: BTreeMap<(bool, Key), Standing>,
    cluster_stores: bool,
}

/// What the stores of an ExternalSecret make of it.
pub(super) enum Verdict {
    /// It is ours.
    Served,
    /// It is somebody else's.
    Foreign,
    /// It would not be served, and why.
    Refused(String),
}

impl Stores {
    /// What the stores of an ExternalSecret make of it.
    pub(super) fn verdict(&self, object: &ExternalSecret) -> Verdict {
        let namespace = object.namespace().unwrap_or_default();
        let mut refused = BTreeSet::new();
        for reference in stores_of(&object.spec) {
            match self.standing(reference, &namespace) {
                Standing::Served => {}
                Standing::Foreign => return Verdict::Foreign,
                Standing::Refused(cause) => drop(refused.insert(cause)),
            }
        }
        match refused.pop_first() {
            Some(cause) => Verdict::Refused(cause),
            None => Verdict::Served,
        }
    }

    fn standing(&self, reference: &SecretStoreRef, namespace: &str) -> Standing {
        let (is_cluster, name) = (reference.is_cluster(), reference.name.as_str());
        if is_cluster && !self.cluster_stores {
            return Standing::Foreign;
        }
        let (kind, key) = if is_cluster {
            ("ClusterSecretStore", Key::new("", name))
        } else {
            ("SecretStore", Key::new(namespace, name))
        };
        match self.standings.get(&(is_cluster, key)) {
            Some(Standing::Refused(cause)) => {
                Standing::Refused(format!("its {kind} {name} is not served: {cause}"))
            }
            Some(standing) => standing.clone(),
            None => Standing::Refused(format!("there is no {kind} {name}")),
        }
    }
}

/// Looks at every store, and notes the ones that would not be served.
///
/// # Errors
/// [`ListError`] when they cannot be listed.
pub(super) async fn look(
    client: &Client,
    settings: &Settings,
    adoption: &mut Adoption,
) -> Result<Stores, ListError> {
    let namespaced: Vec<SecretStore> = everywhere(
        client,
        &settings.namespaces,
        "SecretStores",
        &ListParams::default(),
    )
    .await?;
    let mut all: Vec<AnyStore> = namespaced
        .into_iter()
        .map(|store| AnyStore::Namespaced(Arc::new(store)))
        .collect();
    if settings.cluster_stores {
        let api = Api::<ClusterSecretStore>::all(client.clone());
        let listed = kit::adopt::all(&api, ListParams::default())
            .await
            .map_err(|error| ListError::new("ClusterSecretStores", &error))?;
        all.extend(
            listed
                .into_iter()
                .map(|store| AnyStore::Cluster(Arc::new(store))),
        );
    }
    let mut foreign = 0_usize;
    let mut standings = BTreeMap::new();
    for store in &all {
        let standing = standing(store, &settings.class);
        match &standing {
            Standing::Served => {}
            Standing::Foreign => foreign += 1,
            Standing::Refused(cause) => {
                adoption
                    .problems
                    .push(format!("{} {}: {cause}", store.kind(), store.key()));
            }
        }
        let is_cluster = store.namespace().is_none();
        standings.insert((is_cluster, store.key()), standing);
    }
    adoption.remarks.push(format!(
        "{} stores, {foreign} of them of another class than {}, which are left alone",
        all.len(),
        settings.class
    ));
    Ok(Stores {
        standings,
        cluster_stores: settings.cluster_stores,
    })
}

fn standing(store: &AnyStore, class: &str) -> Standing {
    if !is_ours(store, class) {
        return Standing::Foreign;
    }
    match checked(store) {
        Ok(_) => Standing::Served,
        Err(error) => Standing::Refused(error.to_string()),
    }
}
