//! A control plane and an AWS with many secrets, and what can be seen of them from outside.

use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, PartialObjectMeta, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Failure, Moto, Observation, REGION, eventually_within, rights,
    rights::Identity,
};

use crate::table::Quantity;

/// The incumbent at its defaults needs nearly two minutes for a thousand.
const LIMIT: Duration = Duration::from_secs(600);
/// How many requests of the harness are under way at the same time.
const AT_ONCE: usize = 8;

/// An AWS with a secret for each of [`super::MANY`] ExternalSecrets, and some for those that come
/// later.
pub(crate) async fn filled_aws() -> Result<Moto, Failure> {
    let aws = Moto::start().await?;
    let names = (0..super::MANY + LATER).map(remote);
    aws.create_secrets(names, "a value of usual length, for a password")
        .await?;
    Ok(aws)
}

/// How many secrets there are beyond those that many ExternalSecrets read.
pub(super) const LATER: usize = 50;

/// The name in AWS of a secret.
pub(super) fn remote(number: usize) -> String {
    format!("bench/{number}")
}

/// A control plane with our definitions and a store.
pub(super) struct Stage {
    pub(super) plane: ControlPlane,
    pub(super) identity: Identity,
    cluster: Cluster,
    client: Client,
}

impl Stage {
    pub(super) async fn set() -> Result<Self, Failure> {
        let plane = ControlPlane::start().await?;
        let identity = rights::ours(&plane).await?;
        let (cluster, client) = (plane.cluster().await?, plane.admin().client().await?);
        Ok(Self {
            plane,
            identity,
            cluster,
            client,
        })
    }

    /// A namespace with a store that asks as the controller itself.
    pub(super) async fn namespace(&self, name: &str) -> Result<(), Failure> {
        let metadata = json!({"name": name});
        self.cluster
            .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))
            .await?;
        self.cluster
            .create(&json!({
                "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
                "metadata": {"name": "aws", "namespace": name},
                "spec": {"provider": {"aws": {"service": "SecretsManager", "region": REGION}}},
            }))
            .await?;
        Ok(())
    }

    /// Makes ExternalSecrets of these numbers, each of the secret that `of` says.
    pub(super) async fn fill(
        &self,
        namespace: &str,
        numbers: std::ops::Range<usize>,
        interval: &str,
        of: impl Fn(usize) -> usize,
    ) -> Result<(), Failure> {
        let kind = GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret");
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            namespace,
            &ApiResource::from_gvk(&kind),
        );
        let objects: Result<Vec<DynamicObject>, _> = numbers
            .map(|number| external_secret(namespace, number, interval, of(number)))
            .map(serde_json::from_value)
            .collect();
        create_all(&api, objects?).await
    }

    /// Makes Secrets that are none of the controller's business.
    pub(super) async fn fill_with_foreign(&self, count: usize) -> Result<(), Failure> {
        let namespace = "others";
        self.namespace(namespace).await?;
        let api = self.api(namespace, &GroupVersionKind::gvk("", "v1", "Secret"));
        let secrets: Result<Vec<DynamicObject>, _> = (0..count)
            .map(|number| {
                serde_json::from_value(json!({
                    "apiVersion": "v1", "kind": "Secret",
                    "metadata": {
                        "name": format!("sh.helm.release.v1.release-{number}.v1"),
                        "labels": {"owner": "helm", "status": "deployed", "name": format!("release-{number}")},
                    },
                    "stringData": {"release": "H4sIAAAAAAAC".repeat(300)},
                }))
            })
            .collect();
        create_all(&api, secrets?).await
    }

    fn api(&self, namespace: &str, kind: &GroupVersionKind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, &ApiResource::from_gvk(kind))
    }

    /// Waits until there are so many Secrets in a namespace, asking for their number only.
    pub(super) async fn delivered(&self, namespace: &str, count: usize) -> Result<(), Failure> {
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client.clone(), namespace);
        let one = ListParams::default().limit(1);
        eventually_within(LIMIT, "all Secrets", async || {
            let list = api.list(&one).await?;
            let more = list.metadata.remaining_item_count.unwrap_or(0);
            let found = list.items.len() + usize::try_from(more)?;
            Ok(Observation::when(found == count, || found.to_string()))
        })
        .await
    }

    /// How long a new ExternalSecret takes to have its Secret.
    pub(super) async fn latency_of(&self, namespace: &str, number: usize) -> Result<f64, Failure> {
        let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(self.client.clone(), namespace);
        let name = name_of(number);
        let started = Instant::now();
        self.fill(namespace, number..number + 1, "1h", |number| number)
            .await?;
        while api.get_metadata_opt(&name).await?.is_none() {
            if started.elapsed() > LIMIT {
                return Err(Failure::new(format!("{namespace}/{name} got no Secret")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(started.elapsed().as_secs_f64())
    }
}

async fn create_all(api: &Api<DynamicObject>, objects: Vec<DynamicObject>) -> Result<(), Failure> {
    stream::iter(objects)
        .map(async |object| {
            api.create(&PostParams::default(), &object).await?;
            Ok::<_, Failure>(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
}

fn name_of(number: usize) -> String {
    format!("es-{number}")
}

fn external_secret(namespace: &str, number: usize, interval: &str, secret: usize) -> Value {
    json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": name_of(number), "namespace": namespace},
        "spec": {
            "refreshInterval": interval,
            "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
            "data": [{"secretKey": "password", "remoteRef": {"key": remote(secret)}}],
        },
    })
}

/// How many calls of AWS there were until now.
pub(super) fn calls(aws: &Moto) -> usize {
    aws.counts().values().sum()
}

/// The calls of AWS in a minute, counted over so many.
pub(super) async fn calls_a_minute(aws: &Moto, minutes: u32) -> Result<Quantity, Failure> {
    let before = calls(aws);
    tokio::time::sleep(Duration::from_secs(60) * minutes).await;
    let value = f64::from(u32::try_from(calls(aws) - before)?) / f64::from(minutes);
    Ok(Quantity { value, unit: "" })
}
