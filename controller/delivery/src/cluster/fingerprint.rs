//! How an object looked after we wrote it, in a few bytes.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sha2::{Digest as _, Sha256};

use crate::hex;

/// A digest of all of an object's metadata that moves when somebody changes the object, and stays when its status does.
///
/// Secrets and ConfigMaps have no status and no generation: uid and resourceVersion. Other kinds: uid, generation,
/// labels, annotations, and who manages which fields outside of the status, since when.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of an object with this metadata.
    #[must_use]
    pub fn of(group: &str, kind: &str, metadata: &ObjectMeta) -> Self {
        let mut hash = Sha256::new();
        let mut part = |bytes: &[u8]| {
            hash.update(bytes.len().to_be_bytes());
            hash.update(bytes);
        };
        part(metadata.uid.as_deref().unwrap_or_default().as_bytes());
        if group.is_empty() && matches!(kind, "Secret" | "ConfigMap") {
            part(
                metadata
                    .resource_version
                    .as_deref()
                    .unwrap_or_default()
                    .as_bytes(),
            );
        } else {
            part(&metadata.generation.unwrap_or_default().to_be_bytes());
            for entries in [&metadata.labels, &metadata.annotations] {
                // An empty map and no map are the same to the API server.
                for (key, value) in entries.iter().flatten() {
                    part(key.as_bytes());
                    part(value.as_bytes());
                }
                part(b"");
            }
            let managers = metadata.managed_fields.iter().flatten();
            for entry in managers.filter(|entry| entry.subresource.as_deref() != Some("status")) {
                part(&serde_json::to_vec(entry).unwrap_or_default());
            }
        }
        Self(hex::lower(&hash.finalize()[..12]))
    }

    /// A fingerprint as it was stored.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(kind: &str, metadata: Value) -> Fingerprint {
        let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap();
        Fingerprint::of(
            if kind == "Deployment" { "apps" } else { "" },
            kind,
            &metadata,
        )
    }

    fn deployment(change: impl FnOnce(&mut Value)) -> Fingerprint {
        let mut metadata = json!({"uid": "u", "resourceVersion": "1", "generation": 1, "labels": {"a": "b"},
        "managedFields": [
            {"manager": "kustomize-controller", "operation": "Apply", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {}}},
            {"manager": "kcm", "operation": "Update", "subresource": "status", "time": "2026-01-01T00:00:00Z"},
        ]});
        change(&mut metadata);
        of("Deployment", metadata)
    }

    #[test]
    fn a_status_write_is_no_change_and_everything_else_is() {
        let first = deployment(|_| ());
        assert_eq!(
            first,
            deployment(|metadata| metadata["resourceVersion"] = json!("2"))
        );
        assert_eq!(
            first,
            deployment(
                |metadata| metadata["managedFields"][1]["time"] = json!("2026-01-02T00:00:00Z")
            )
        );
        assert_eq!(
            first,
            deployment(|metadata| metadata["annotations"] = json!({}))
        );
        for change in [
            (|metadata| metadata["generation"] = json!(2)) as fn(&mut Value),
            |metadata| metadata["uid"] = json!("v"),
            |metadata| metadata["labels"]["a"] = json!("c"),
            |metadata| metadata["annotations"] = json!({"a": "b"}),
            |metadata| metadata["managedFields"][0]["time"] = json!("2026-01-02T00:00:00Z"),
            |metadata| metadata["managedFields"][0]["fieldsV1"] = json!({"f:data": {}}),
        ] {
            assert_ne!(first, deployment(change));
        }
    }

    #[test]
    fn a_config_map_changes_with_its_resource_version() {
        let metadata = |version: &str| json!({"uid": "u", "resourceVersion": version});
        assert_ne!(
            of("ConfigMap", metadata("1")),
            of("ConfigMap", metadata("2"))
        );
    }
}
