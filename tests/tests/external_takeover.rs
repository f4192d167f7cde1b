//! Taking ExternalSecrets over from the real operator, from what it left: 200 ExternalSecrets and
//! their Secrets, recorded from it. No Secret changes, nothing is asked of AWS that is not due, and
//! what we leave is what the operator would go on with.

#[path = "external/recorded.rs"]
mod recorded;

use std::collections::BTreeMap;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tests::shop::{self, API, NAMESPACES, OBJECTS, Picture, changed, name, namespace};
use tests::{
    Cluster, ControlPlane, Coordinates, Failure, Moto, Observation, adoption, cache, eventually,
};
use tokio::sync::OnceCell;

use crate::recorded::{Restorer, recorded};

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
    REMOTE.get_or_try_init(|| shop::fill(&aws)).await?;
    let now = Timestamp::now();
    put_back(plane, now).await?;
    the_dry_run_names_what_is_due(plane).await?;
    let before = Picture::of(&cluster).await?;
    assert_eq!(before.objects.len(), OBJECTS);

    let mut ours = shop::take_over(plane, &aws).await?;
    shop::are_seen(&ours).await?;
    due_is_refreshed(&cluster, now).await?;
    only_statuses_of_the_due_changed(&before, &Picture::of(&cluster).await?);
    only_the_due_was_asked_for(&aws)?;
    ours.terminate().await?;
    the_operator_would_go_on(&cluster).await?;
    the_dry_run_names_a_difference(plane, &cluster).await
}

/// Everything as the operator left it a minute ago, but for one in each namespace: two hours ago.
async fn put_back(plane: &ControlPlane, now: Timestamp) -> Result<(), Failure> {
    Restorer::new(plane, now - SignedDuration::from_mins(1))
        .everything()
        .await?;
    let long_ago = now - SignedDuration::from_hours(2);
    for number in 0..NAMESPACES {
        refreshed(plane, &namespace(number), DUE, long_ago).await?;
    }
    Ok(())
}

async fn the_dry_run_names_what_is_due(plane: &ControlPlane) -> Result<(), Failure> {
    let told = adoption(plane, "external", "sealed-secrets").await?;
    for text in [
        "would change: nothing",
        "ExternalSecret shop-7/owner: its refreshInterval has passed",
        "200 ExternalSecrets, 0 of them of stores of another class",
    ] {
        assert!(told.contains(text), "{told}");
    }
    assert!(!told.contains("would not be served"), "{told}");
    assert_eq!(told.matches("has passed").count(), NAMESPACES, "{told}");
    Ok(())
}

fn only_statuses_of_the_due_changed(before: &Picture, after: &Picture) {
    let nothing = Vec::<&String>::new();
    assert_eq!(changed(&before.secrets, &after.secrets), nothing);
    assert_eq!(changed(&before.specs, &after.specs), nothing);
    assert_eq!(changed(&before.clusters, &after.clusters), nothing);
    let written = changed(&before.objects, &after.objects);
    assert_eq!(written.len(), NAMESPACES, "{written:?}");
}

async fn the_dry_run_names_a_difference(
    plane: &ControlPlane,
    cluster: &Cluster,
) -> Result<(), Failure> {
    let at = Coordinates::secret("shop-0", "extract");
    let label = "reconcile.external-secrets.io/created-by";
    let planted = json!({"metadata": {"labels": {label: null}}});
    cluster.merge(&at, &planted).await?;
    let told = adoption(plane, "external", "sealed-secrets").await?;
    let named = format!("Secret shop-0/extract would change its labels ({label})");
    assert!(told.contains(&named), "{told}");
    Ok(())
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

async fn due_is_refreshed(cluster: &Cluster, since: Timestamp) -> Result<(), Failure> {
    eventually("what is due to be refreshed", async || {
        let mut late = Vec::new();
        for number in 0..NAMESPACES {
            let at = Coordinates::new(API, "ExternalSecret", &namespace(number), DUE);
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
        .map(|number| format!("{}/plain", namespace(number)))
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
