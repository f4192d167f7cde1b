//! The stores that an ExternalSecret names, made ready to be asked. Nothing is asked of AWS here.

use std::collections::{BTreeMap, BTreeSet};

use crds::external_secret::{ExternalSecret, SecretStoreRef};
use jiff::{SignedDuration, Timestamp};
use kit::redact;
use kube::ResourceExt as _;

use super::{assemble::Lack, questions};
use crate::{
    fetch::{LaneId, Source},
    part::Part,
    store,
};

/// How long a store that nobody has looked at yet is no error, from when it and we were there.
const NEW_STORE: SignedDuration = SignedDuration::from_secs(10);

/// A store, open.
#[derive(Clone)]
pub(crate) struct Open {
    /// Who is asked, and as whom.
    pub(crate) source: Source,
    /// What is put before every name.
    pub(crate) prefix: String,
}

/// The name of a store, and whether it is one of the cluster.
pub(crate) type StoreKey = (bool, String);

/// What became of each store that an ExternalSecret names.
pub(crate) struct Opened(BTreeMap<StoreKey, Result<Open, Lack>>);

impl Opened {
    /// One of them; `None` if the ExternalSecret does not name it.
    pub(crate) fn of(&self, reference: &SecretStoreRef) -> Option<&Result<Open, Lack>> {
        self.by_key(&key(reference))
    }

    /// One of them, by its key.
    pub(crate) fn by_key(&self, key: &StoreKey) -> Option<&Result<Open, Lack>> {
        self.0.get(key)
    }

    /// The lanes on which they are asked.
    pub(crate) fn lanes(&self) -> BTreeSet<LaneId> {
        let open = self.0.values().filter_map(|open| open.as_ref().ok());
        open.map(|open| open.source.lane()).collect()
    }
}

/// The key of the store that a reference names.
pub(crate) fn key(reference: &SecretStoreRef) -> StoreKey {
    (reference.is_cluster(), reference.name.clone())
}

/// Whether the object uses a store of another class, so that it is none of ours
/// (externalsecret_controller.go, `shouldSkipUnmanagedStore`), or of a kind that is switched off.
pub(crate) fn is_foreign(part: &Part, object: &ExternalSecret) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    questions::stores(&object.spec)
        .into_iter()
        .any(|reference| {
            if reference.is_cluster() && !part.settings.cluster_stores {
                return true;
            }
            let found = part.stores.find(reference, &namespace);
            found.is_some_and(|store| !store::is_ours(&store, &part.settings.class))
        })
}

/// Opens every store that the object names.
pub(crate) async fn open_all(part: &Part, object: &ExternalSecret) -> Opened {
    let namespace = object.namespace().unwrap_or_default();
    let mut opened = BTreeMap::new();
    for reference in questions::stores(&object.spec) {
        let open = open(part, reference, &namespace).await;
        opened.insert(key(reference), open);
    }
    Opened(opened)
}

/// client_manager.go, `Get`.
async fn open(part: &Part, reference: &SecretStoreRef, namespace: &str) -> Result<Open, Lack> {
    let kind = if reference.is_cluster() {
        "ClusterSecretStore"
    } else {
        "SecretStore"
    };
    let name = &reference.name;
    let failed = |text: String| Err(Lack::Failed(text));
    if name.is_empty() {
        return failed(
            "no store is named: set spec.secretStoreRef or sourceRef.storeRef".to_owned(),
        );
    }
    let Some(found) = part.stores.find(reference, namespace) else {
        return failed(format!(
            "could not get {kind} \"{name}\", there is none of this name"
        ));
    };
    if !store::is_ours(&found, &part.settings.class) {
        return failed("can not reference unmanaged store".to_owned());
    }
    if !found.spec().conditions.is_empty() {
        let labels = part.namespaces.of(&part.context.client, namespace).await;
        let labels = labels.map_err(|error| {
            let cause = redact::api_error(&error);
            Lack::Failed(format!(
                "failed to get a namespace \"{namespace}\": {cause}"
            ))
        })?;
        if !store::admits(&found, namespace, &labels) {
            return failed(format!(
                "using cluster store \"{name}\" is not allowed from namespace \"{namespace}\": denied by spec.condition"
            ));
        }
    }
    if part.settings.flood_gate && !store::is_ready(found.status()) {
        let unseen = found
            .status()
            .is_none_or(|status| status.conditions.is_empty());
        let created = found.metadata().creation_timestamp.as_ref();
        if unseen && may_be_unseen(created.map(|time| time.0), part.began, Timestamp::now()) {
            return Err(Lack::StoreNotYet(format!("{kind} \"{name}\"")));
        }
        return failed(format!("{kind} \"{name}\" is not ready"));
    }
    let client = part.identities.open(&found, Some(namespace)).await;
    match client.map_err(|error| Lack::Failed(error.to_string()))? {
        Some(client) => {
            let (principal, region) = (client.principal(), client.region().to_owned());
            let source = Source {
                reader: client,
                principal,
                region,
            };
            let prefix = found
                .spec()
                .provider
                .aws
                .as_ref()
                .map(|aws| aws.prefix.clone());
            Ok(Open {
                source,
                prefix: prefix.unwrap_or_default(),
            })
        }
        None => failed(format!(
            "{kind} \"{name}\" has no credentials for this namespace"
        )),
    }
}

/// Whether a store that says nothing has just not been looked at yet: it is new, or we are.
fn may_be_unseen(created: Option<Timestamp>, began: Timestamp, now: Timestamp) -> bool {
    let is_new = |since: Timestamp| now.duration_since(since) < NEW_STORE;
    is_new(began) || created.is_some_and(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_nobody_has_looked_at_is_no_error_while_it_or_we_are_new() {
        let at = |second| Timestamp::from_second(second).unwrap();
        // Made long before we started, with all that use it: nobody is told of a failure.
        assert!(may_be_unseen(Some(at(0)), at(1_000), at(1_009)));
        assert!(!may_be_unseen(Some(at(0)), at(1_000), at(1_010)));
        assert!(may_be_unseen(Some(at(2_000)), at(1_000), at(2_009)));
        assert!(!may_be_unseen(Some(at(2_000)), at(1_000), at(2_010)));
        assert!(!may_be_unseen(None, at(1_000), at(2_000)));
    }
}
