//! The recording of what the operator left.

use std::path::Path;

use serde_json::Value;
use tests::shop::{API, OBJECTS};
use tests::{Cluster, Failure, Observation, eventually};

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
