//! Taking ExternalSecrets over from the real operator, from what it left: 200 ExternalSecrets and
//! their Secrets, recorded from it. No Secret changes, nothing is asked of AWS that is not due, and
//! what we leave is what the operator would go on with.

#[path = "external/recorded.rs"]
mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Invocation, Moto,
    Observation, cache, eventually, rights,
};
use tokio::sync::OnceCell;

use crate::recorded::{Restorer, recorded};

const API: &str = "external-secrets.io/v1";
const OBJECTS: usize = 200;
const NAMESPACES: usize = 8;
/// The ExternalSecret of each namespace whose time has come.
const DUE: &str = "owner";

/// What AWS holds is the same for both, and there is one moto.
static REMOTE: OnceCell<()> = OnceCell::const_new();

#[tokio::test]
async fn a_take_over_changes_nothing_with_our_definitions() -> Result<(), Failure> {
    take_over(&ControlPlane::start().await?).await
}

#[tokio::test]
async fn a_take_over_changes_nothing_with_their_definitions() -> Result<(), Failure> {
    let mut definitions = Vec::new();
    let directory = cache::repository().join("tests/incumbents/external-secrets/definitions");
    for file in std::fs::read_dir(directory)? {
        definitions.push(std::fs::read_to_string(file?.path())?);
    }
    take_over(&ControlPlane::start_with(&definitions).await?).await
}

async fn take_over(plane: &ControlPlane) -> Result<(), Failure> {
    let cluster = plane.cluster().await?;
    let aws = Moto::start().await?;
    REMOTE.get_or_try_init(|| recorded::remote(&aws)).await?;
    let now = Timestamp::now();
    Restorer::new(plane, now - SignedDuration::from_mins(1))
        .everything()
        .await?;
    let long_ago = now - SignedDuration::from_hours(2);
    for number in 0..NAMESPACES {
        refreshed(plane, &format!("shop-{number}"), DUE, long_ago).await?;
    }
    let told = adoption(plane).await?;
    for text in [
        "would change: nothing",
        "ExternalSecret shop-7/owner: its refreshInterval has passed",
        "200 ExternalSecrets, 0 of them of stores of another class",
    ] {
        assert!(told.contains(text), "{told}");
    }
    assert!(!told.contains("would not be served"), "{told}");
    assert_eq!(told.matches("has passed").count(), NAMESPACES, "{told}");
    let before = Picture::of(&cluster).await?;
    assert_eq!(before.objects.len(), OBJECTS);

    let mut ours = start(plane, &aws).await?;
    everything_is_seen(&ours).await?;
    due_is_refreshed(&cluster, now).await?;
    let after = Picture::of(&cluster).await?;
    assert_eq!(
        changed(&before.secrets, &after.secrets),
        Vec::<&String>::new()
    );
    assert_eq!(changed(&before.specs, &after.specs), Vec::<&String>::new());
    let written = changed(&before.objects, &after.objects);
    assert_eq!(written.len(), NAMESPACES, "{written:?}");
    only_the_due_was_asked_for(&aws)?;
    ours.terminate().await?;
    the_operator_would_go_on(&cluster).await?;

    let at = Coordinates::secret("shop-0", "extract");
    let label = "reconcile.external-secrets.io/created-by";
    let planted = json!({"metadata": {"labels": {label: null}}});
    cluster.merge(&at, &planted).await?;
    let told = adoption(plane).await?;
    let named = format!("Secret shop-0/extract would change its labels ({label})");
    assert!(told.contains(&named), "{told}");
    Ok(())
}

async fn start(plane: &ControlPlane, aws: &Moto) -> Result<Controller, Failure> {
    let identity = rights::ours(plane).await?;
    ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
        .parts("external")
        .aws(aws)
        .start()
        .await
}

/// What `controller adopt --dry-run` prints.
async fn adoption(plane: &ControlPlane) -> Result<String, Failure> {
    Invocation::new(cache::own_program("controller")?)
        .args(["--kubeconfig".as_ref(), plane.admin().path().as_os_str()])
        .args(["--parts", "external", "adopt", "--dry-run"])
        .stdout()
        .await
}

/// Lets an ExternalSecret have been refreshed at another time.
async fn refreshed(
    plane: &ControlPlane,
    namespace: &str,
    name: &str,
    when: Timestamp,
) -> Result<(), Failure> {
    let client = plane.admin().client().await?;
    let kind = kube::api::GroupVersionKind::gvk("external-secrets.io", "v1", "ExternalSecret");
    let resource = kube::api::ApiResource::from_gvk(&kind);
    let api: kube::Api<kube::api::DynamicObject> =
        kube::Api::namespaced_with(client, namespace, &resource);
    let second = Timestamp::from_second(when.as_second())?;
    let patch = kube::api::Patch::Merge(json!({"status": {"refreshTime": second.to_string()}}));
    api.patch_status(name, &kube::api::PatchParams::default(), &patch)
        .await?;
    Ok(())
}

async fn everything_is_seen(controller: &Controller) -> Result<(), Failure> {
    eventually("our look at everything", async || {
        let metrics = controller.metrics().await?;
        let seen = metrics
            .lines()
            .filter(|line| line.starts_with("externalsecret_sync_calls_total{"))
            .filter(|line| !line.ends_with("} 0"))
            .count();
        Ok(Observation::when(seen == OBJECTS, || seen.to_string()))
    })
    .await
}

async fn due_is_refreshed(cluster: &Cluster, since: Timestamp) -> Result<(), Failure> {
    eventually("what is due to be refreshed", async || {
        let mut late = Vec::new();
        for number in 0..NAMESPACES {
            let at = Coordinates::new(API, "ExternalSecret", &format!("shop-{number}"), DUE);
            let object = cluster.must_get(&at).await?;
            let time = object["status"]["refreshTime"].as_str().unwrap_or_default();
            let time: Timestamp = time.parse()?;
            if time.as_second() < since.as_second() {
                late.push(number);
            }
        }
        Ok(Observation::when(late.is_empty(), || format!("{late:?}")))
    })
    .await
}

/// Each secret whose time has come was asked for once, and nothing else was.
fn only_the_due_was_asked_for(aws: &Moto) -> Result<(), Failure> {
    let calls = aws.calls();
    let mut asked: Vec<String> = Vec::new();
    for call in &calls {
        match call.operation.as_str() {
            "GetSecretValue" => asked.push(text(&call.body["SecretId"])),
            "BatchGetSecretValue" => {
                let ids = call.body["SecretIdList"].as_array().into_iter().flatten();
                asked.extend(ids.map(text));
            }
            other => return Err(Failure::new(format!("{other} was called: {call:?}"))),
        }
    }
    asked.sort();
    let due: Vec<String> = (0..NAMESPACES)
        .map(|number| format!("shop-{number}/plain"))
        .collect();
    assert_eq!(asked, due, "{calls:?}");
    Ok(())
}

/// The operator's `shouldRefresh` and `isSecretValid` would find everything as it left it.
async fn the_operator_would_go_on(cluster: &Cluster) -> Result<(), Failure> {
    let left: BTreeMap<String, Value> = recorded("external-secrets")?
        .into_iter()
        .map(|object| (name(&object), object))
        .collect();
    let secrets = cluster.list("v1", "Secret", "").await?;
    let secrets: BTreeMap<String, Value> = secrets
        .into_iter()
        .map(|secret| (name(&secret), secret))
        .collect();
    for object in cluster.list(API, "ExternalSecret", "").await? {
        let key = name(&object);
        let (status, before) = (&object["status"], &left[&key]["status"]);
        for field in ["syncedResourceVersion", "binding"] {
            assert_eq!(status[field], before[field], "{key}");
        }
        let ready = |status: &Value| {
            let condition = &status["conditions"][0];
            ["type", "status", "reason", "message"].map(|field| condition[field].clone())
        };
        assert_eq!(ready(status), ready(before), "{key}");
        let target = object["spec"]["target"]["name"].as_str();
        let target = target.or_else(|| object["metadata"]["name"].as_str());
        let namespace = object["metadata"]["namespace"].as_str();
        let at = format!(
            "{}/{}",
            namespace.unwrap_or_default(),
            target.unwrap_or_default()
        );
        if object["spec"]["target"]["creationPolicy"] != "None" {
            let metadata = &secrets[&at]["metadata"];
            let managed = &metadata["labels"]["reconcile.external-secrets.io/managed"];
            assert_eq!(managed, "true", "{at}");
            let hash = &metadata["annotations"]["reconcile.external-secrets.io/data-hash"];
            assert!(hash.is_string(), "{at}");
        }
    }
    Ok(())
}

/// What must not change.
struct Picture {
    /// Versions of Secrets.
    secrets: BTreeMap<String, Value>,
    /// Versions of ExternalSecrets.
    objects: BTreeMap<String, Value>,
    /// Metadata and spec of ExternalSecrets, and all of a ClusterExternalSecret.
    specs: BTreeMap<String, Value>,
}

impl Picture {
    async fn of(cluster: &Cluster) -> Result<Self, Failure> {
        let of_shops = |objects: Vec<Value>| {
            let mut objects = objects;
            objects.retain(|object| name(object).starts_with("shop-"));
            objects
        };
        let secrets = of_shops(cluster.list("v1", "Secret", "").await?);
        let objects = cluster.list(API, "ExternalSecret", "").await?;
        let clusters = cluster.list(API, "ClusterExternalSecret", "").await?;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        let versions = |objects: &[Value]| {
            let pairs = objects.iter().map(|object| (name(object), version(object)));
            pairs.collect()
        };
        let spec = |object: &Value| {
            let mut metadata = object["metadata"].clone();
            if let Some(fields) = metadata.as_object_mut() {
                fields.remove("resourceVersion");
                fields.remove("managedFields");
            }
            json!([metadata, object["spec"]])
        };
        let mut specs: BTreeMap<String, Value> = objects
            .iter()
            .map(|object| (name(object), spec(object)))
            .collect();
        specs.extend(clusters.into_iter().map(|object| (name(&object), object)));
        Ok(Self {
            secrets: versions(&secrets),
            objects: versions(&objects),
            specs,
        })
    }
}

/// The names of what is not as before.
fn changed<'a>(
    before: &'a BTreeMap<String, Value>,
    now: &'a BTreeMap<String, Value>,
) -> Vec<&'a String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differs = |name: &&String| before.get(*name) != now.get(*name);
    names.into_iter().filter(differs).collect()
}

fn name(object: &Value) -> String {
    let metadata = &object["metadata"];
    format!(
        "{}/{}",
        text(&metadata["namespace"]),
        text(&metadata["name"])
    )
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
