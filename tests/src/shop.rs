//! The 200 ExternalSecrets that are taken over from the real operator and given back: where they are,
//! what AWS holds for them, and what must not change about them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Failure, Moto, Observation, eventually,
    rights,
};

/// How many namespaces there are.
pub const NAMESPACES: usize = 8;

/// How many ExternalSecrets are in all of them.
pub const OBJECTS: usize = 200;

/// The version of the API that the operator serves.
pub const API: &str = "external-secrets.io/v1";

/// The name of a namespace.
pub fn namespace(number: usize) -> String {
    format!("shop-{number}")
}

/// Makes what AWS holds for every namespace.
///
/// # Errors
/// If moto refuses, as when it is there already.
pub async fn fill(aws: &Moto) -> Result<(), Failure> {
    let pair = r#"{"user":"shop","password":"p<&>","port":5432,"nested":{"a.b":"c"}}"#;
    for namespace in (0..NAMESPACES).map(namespace) {
        for (name, value) in [
            ("plain", "value"),
            ("pair", pair),
            ("find/one", "first"),
            ("find/two", "second"),
            ("encoded", "c2hvcA=="),
        ] {
            aws.create_secret(&format!("{namespace}/{name}"), value)
                .await?;
        }
        let binary = json!({"Name": format!("{namespace}/binary"), "SecretBinary": "AAH/gA=="});
        aws.call("CreateSecret", binary).await?;
    }
    Ok(())
}

/// Starts our controller with the part that takes them over.
///
/// # Errors
/// If it does not start.
pub async fn take_over(plane: &ControlPlane, aws: &Moto) -> Result<Controller, Failure> {
    let identity = rights::ours(plane).await?;
    ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
        .parts("external")
        .aws(aws)
        .start()
        .await
}

/// Waits until our controller has looked at every one of them.
///
/// # Errors
/// If it does not.
pub async fn are_seen(controller: &Controller) -> Result<(), Failure> {
    eventually("our look at everything", async || {
        let seen = seen(&controller.metrics().await?);
        Ok(Observation::when(seen == OBJECTS, || {
            format!("{seen} seen")
        }))
    })
    .await
}

/// How many ExternalSecrets were looked at, as the metrics of the operator and of ours tell.
pub fn seen(metrics: &str) -> usize {
    let series = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("externalsecret_sync_calls_total{"))
        .filter_map(|line| line.split_once("} "));
    let seen: BTreeSet<(&str, &str)> = series
        .filter(|(_, count)| *count != "0")
        .filter_map(|(labels, _)| Some((label(labels, "namespace")?, label(labels, "name")?)))
        .collect();
    seen.len()
}

fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.split(',').find_map(|label| {
        label
            .strip_prefix(name)?
            .strip_prefix("=\"")?
            .strip_suffix('"')
    })
}

/// What must not change. Everything is by namespace and name.
pub struct Picture {
    /// Versions of Secrets.
    pub secrets: BTreeMap<String, Value>,
    /// Versions of ExternalSecrets, which change with their status.
    pub objects: BTreeMap<String, Value>,
    /// Metadata and specs of ExternalSecrets, but for what a write of the status changes.
    pub specs: BTreeMap<String, Value>,
    /// All of each ClusterExternalSecret.
    pub clusters: BTreeMap<String, Value>,
}

impl Picture {
    /// What there is now.
    ///
    /// # Errors
    /// If the API server refuses.
    pub async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let mut secrets = cluster.list("v1", "Secret", "").await?;
        secrets.retain(|secret| name(secret).starts_with("shop-"));
        let objects = cluster.list(API, "ExternalSecret", "").await?;
        let clusters = cluster.list(API, "ClusterExternalSecret", "").await?;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        Ok(Self {
            secrets: by_name(&secrets, version),
            objects: by_name(&objects, version),
            specs: by_name(&objects, without_what_passes),
            clusters: by_name(&clusters, Value::clone),
        })
    }
}

fn by_name(objects: &[Value], of: impl Fn(&Value) -> Value) -> BTreeMap<String, Value> {
    let pairs = objects.iter().map(|object| (name(object), of(object)));
    pairs.collect()
}

fn without_what_passes(object: &Value) -> Value {
    let mut metadata = object["metadata"].clone();
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("resourceVersion");
        fields.remove("managedFields");
    }
    json!([metadata, object["spec"]])
}

/// The names of what is not as before.
pub fn changed<'a>(
    before: &'a BTreeMap<String, Value>,
    now: &'a BTreeMap<String, Value>,
) -> Vec<&'a String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    names.into_iter().filter(differs).collect()
}

/// The namespace and name of an object.
pub fn name(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}
