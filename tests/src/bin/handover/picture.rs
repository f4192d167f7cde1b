//! What must not change, and the recording of it.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use tests::{Cluster, Failure, Observation, eventually};

use crate::shapes::{NAMESPACES, OBJECTS, namespace};

const API: &str = "external-secrets.io/v1";

/// What must not change.
pub(crate) struct Picture {
    pub(crate) secrets: BTreeMap<String, Value>,
    pub(crate) specs: BTreeMap<String, Value>,
}

impl Picture {
    pub(crate) async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let (mut secrets, mut specs) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..NAMESPACES {
            let namespace = namespace(number);
            for secret in cluster.list("v1", "Secret", &namespace).await? {
                let version = secret["metadata"]["resourceVersion"].clone();
                secrets.insert(name(&secret), version);
            }
            for object in cluster.list(API, "ExternalSecret", &namespace).await? {
                specs.insert(name(&object), without_what_passes(&object));
            }
        }
        Ok(Self { secrets, specs })
    }

    pub(crate) fn secrets_changed(&self, before: &Self) -> usize {
        changed(&before.secrets, &self.secrets)
    }

    pub(crate) fn specs_changed(&self, before: &Self) -> usize {
        changed(&before.specs, &self.specs)
    }
}

/// Spec and metadata of an object, but for what a write of its status changes.
fn without_what_passes(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("resourceVersion");
        fields.remove("managedFields");
    }
    serde_json::json!([metadata, object["spec"]])
}

fn changed(before: &BTreeMap<String, Value>, now: &BTreeMap<String, Value>) -> usize {
    let names = before.keys().chain(now.keys());
    let names: std::collections::BTreeSet<&String> = names.collect();
    let differs = |name: &&&String| before.get(**name) != now.get(**name);
    names.iter().filter(differs).count()
}

fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |field: &str| metadata[field].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", text("namespace"), text("name"))
}

/// Waits until every ExternalSecret is ready.
pub(crate) async fn all_are_ready(cluster: &Cluster) -> Result<(), Failure> {
    eventually("all to be ready", async || {
        let objects = cluster.list(API, "ExternalSecret", "").await?;
        let (ready, rest): (Vec<_>, Vec<_>) = objects
            .iter()
            .partition(|object| object["status"]["conditions"][0]["status"] == "True");
        let stuck = rest.first().map(|object| object["status"].to_string());
        Ok(Observation::when(ready.len() == OBJECTS, || {
            format!("{} are; {}", ready.len(), stuck.unwrap_or_default())
        }))
    })
    .await
}

/// Writes down what is there, an object a line.
pub(crate) async fn record(cluster: &Cluster, directory: &Path) -> Result<(), Failure> {
    for (file, api, kind) in [
        ("external-secrets.json", API, "ExternalSecret"),
        ("secrets.json", "v1", "Secret"),
        ("secret-stores.json", API, "SecretStore"),
        ("cluster-secret-stores.json", API, "ClusterSecretStore"),
        (
            "cluster-external-secrets.json",
            API,
            "ClusterExternalSecret",
        ),
        ("namespaces.json", "v1", "Namespace"),
        ("config-maps.json", "v1", "ConfigMap"),
    ] {
        let mut objects = cluster.list(api, kind, "").await?;
        objects.retain(|object| is_of_the_shop(object, kind));
        let lines: Vec<String> = objects.iter().map(Value::to_string).collect();
        let text = format!("[\n{}\n]\n", lines.join(",\n"));
        std::fs::write(directory.join(file), text)?;
    }
    Ok(())
}

fn is_of_the_shop(object: &Value, kind: &str) -> bool {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    let namespace = match kind {
        "Namespace" => name,
        kind if kind.starts_with("Cluster") => return true,
        _ => metadata["namespace"].as_str().unwrap_or_default(),
    };
    namespace.starts_with("shop-") && name != "kube-root-ca.crt"
}
