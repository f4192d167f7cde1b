//! A SealedSecret as far as it is kept in memory.

use std::{borrow::Cow, collections::BTreeMap};

use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE, SealedSecret, SealedSecretStatus};
use k8s_openapi::{NamespaceResourceScope, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use keys::Scope;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Metadata and status of a SealedSecret. The spec is not decoded, so a malformed one cannot stall
/// the watch, and it is taken out before anything is kept, so that memory does not grow with the
/// ciphertexts.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Watched {
    #[serde(default)]
    pub(crate) metadata: ObjectMeta,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) status: SealedSecretStatus,
    /// The spec as it was sent, until [`Bodies`](super::Bodies) takes it.
    #[serde(default)]
    pub(crate) spec: Option<Box<RawValue>>,
}

fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SealedSecretStatus, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

impl Watched {
    /// The instance label that the incumbent's `condition_info` carries.
    pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";

    pub(crate) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(crate) fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }

    pub(crate) fn scope(&self) -> Scope {
        scope_of(&self.metadata)
    }

    /// Drops all that nothing here reads. `kubectl apply` keeps a copy of the whole object in an
    /// annotation, and managed fields are as long as the object.
    pub(crate) fn prune(&mut self) {
        self.metadata.managed_fields = None;
        retain(
            &mut self.metadata.annotations,
            &[CLUSTER_WIDE, NAMESPACE_WIDE],
        );
        retain(&mut self.metadata.labels, &[Self::INSTANCE]);
    }
}

fn retain(map: &mut Option<BTreeMap<String, String>>, keys: &[&str]) {
    if let Some(entries) = map {
        entries.retain(|key, _| keys.contains(&key.as_str()));
    }
}

/// The scope that the annotations of a SealedSecret name. Only the value `"true"` counts, and the
/// wider scope wins (`SecretScope` in `sealedsecret_expansion.go`).
pub(crate) fn scope_of(metadata: &ObjectMeta) -> Scope {
    let says = |key: &str| {
        let annotations = metadata.annotations.as_ref();
        annotations
            .and_then(|all| all.get(key))
            .is_some_and(|value| value == "true")
    };
    if says(CLUSTER_WIDE) {
        Scope::ClusterWide
    } else if says(NAMESPACE_WIDE) {
        Scope::NamespaceWide
    } else {
        Scope::Strict
    }
}

impl Resource for Watched {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind(dynamic: &()) -> Cow<'_, str> {
        SealedSecret::kind(dynamic)
    }

    fn group(dynamic: &()) -> Cow<'_, str> {
        SealedSecret::group(dynamic)
    }

    fn version(dynamic: &()) -> Cow<'_, str> {
        SealedSecret::version(dynamic)
    }

    fn plural(dynamic: &()) -> Cow<'_, str> {
        SealedSecret::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_malformed_spec_and_status_do_not_stall_the_watch() {
        let watched: Watched = serde_json::from_value(json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"name": "a", "namespace": "b", "uid": "u", "generation": 3},
            "spec": {"encryptedData": 7, "template": []},
            "status": {"conditions": "many"},
        }))
        .unwrap();
        assert_eq!((watched.uid(), watched.generation()), ("u", 3));
        assert_eq!(watched.status, SealedSecretStatus::default());
    }

    #[test]
    fn only_what_is_read_is_kept() {
        let mut watched: Watched = serde_json::from_value(json!({
            "metadata": {
                "name": "a",
                "annotations": {
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                    CLUSTER_WIDE: "true",
                },
                "labels": {"app": "x", "app.kubernetes.io/instance": "y"},
                "managedFields": [{"manager": "kubectl"}],
            },
        }))
        .unwrap();
        watched.prune();
        assert_eq!(watched.metadata.annotations.as_ref().unwrap().len(), 1);
        assert_eq!(watched.metadata.labels.as_ref().unwrap().len(), 1);
        assert!(watched.metadata.managed_fields.is_none());
        assert_eq!(watched.scope(), Scope::ClusterWide);
    }

    #[test]
    fn the_wider_scope_wins_and_only_true_counts() {
        let scope = |cluster: &str, namespace: &str| {
            let annotations = [(CLUSTER_WIDE, cluster), (NAMESPACE_WIDE, namespace)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()));
            scope_of(&ObjectMeta {
                annotations: Some(annotations.into()),
                ..Default::default()
            })
        };
        assert_eq!(scope("true", "true"), Scope::ClusterWide);
        assert_eq!(scope("TRUE", "true"), Scope::NamespaceWide);
        assert_eq!(scope("false", "1"), Scope::Strict);
    }
}
