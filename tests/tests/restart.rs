//! Workloads that ask for it are rolled out when a Secret that they read has changed.

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Observation,
    eventually,
};

const DIGEST: &str = "signet.dev/secrets";

#[tokio::test]
async fn a_workload_that_asks_is_rolled_out_when_its_secret_changes() -> Result<(), Failure> {
    let (cluster, namespace, _controller) = stage().await?;
    deployment(
        &cluster,
        &namespace,
        "asks",
        json!({"signet.dev/restart": "true"}),
    )
    .await?;
    deployment(&cluster, &namespace, "does-not-ask", json!({})).await?;
    let first = digest(&cluster, &namespace, "asks", None).await?;

    secret(&cluster, &namespace, "other", "unrelated").await?;
    secret(&cluster, &namespace, "credentials", "second").await?;
    let second = digest(&cluster, &namespace, "asks", Some(&first)).await?;
    assert!(!first.contains("first") && !second.contains("second"));

    // Back to the first value is back to the first digest: it is of the values and nothing else.
    secret(&cluster, &namespace, "credentials", "first").await?;
    assert_eq!(
        digest(&cluster, &namespace, "asks", Some(&second)).await?,
        first
    );
    let other = cluster.must_get(&named(&namespace, "does-not-ask")).await?;
    assert_eq!(annotation(&other), None);
    Ok(())
}

/// With exactly what `deploy/restart` grants.
#[tokio::test]
async fn its_own_rights_are_enough() -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    let cluster = plane.cluster().await?;
    for file in [
        "base/namespace.yaml",
        "base/account.yaml",
        "base/role.yaml",
        "restart/role.yaml",
    ] {
        let path = tests::cache::repository().join("deploy").join(file);
        cluster.apply(&std::fs::read_to_string(path)?).await?;
    }
    let identity = plane
        .kubeconfig_for_service_account("sealed-secrets", "sealed-secrets-controller")
        .await?;
    let namespace = cluster.namespace("restart").await?;
    secret(&cluster, &namespace, "credentials", "first").await?;
    let asks = json!({"signet.dev/restart": "true"});
    deployment(&cluster, &namespace, "asks", asks).await?;
    let controller = ControllerBuilder::new(&identity, "sealed-secrets")?.parts("restart");
    let controller = controller.start().await?;
    let first = digest(&cluster, &namespace, "asks", None).await?;
    secret(&cluster, &namespace, "credentials", "second").await?;
    digest(&cluster, &namespace, "asks", Some(&first)).await?;
    cluster
        .event(&named(&namespace, "asks"), "Restarted")
        .await?;
    let log = controller.log()?;
    assert!(!log.contains("forbidden"), "{log}");
    Ok(())
}

async fn stage() -> Result<(Cluster, String, Controller), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("restart").await?;
    secret(&cluster, &namespace, "credentials", "first").await?;
    let controller = ControllerBuilder::new(plane.admin(), &namespace)?.parts("restart");
    let controller = controller.start().await?;
    Ok((cluster, namespace, controller))
}

async fn secret(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    value: &str,
) -> Result<(), Failure> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"password": value},
    });
    cluster.apply_value(&secret).await?;
    Ok(())
}

/// A Deployment whose pods read the Secret `credentials`.
async fn deployment(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    annotations: Value,
) -> Result<(), Failure> {
    let labels = json!({"app": name});
    let reads = json!({"secretKeyRef": {"name": "credentials", "key": "password"}});
    let container = json!({
        "name": "app", "image": "registry.example/app:1",
        "env": [{"name": "PASSWORD", "valueFrom": reads}],
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    });
    cluster.apply_value(&deployment).await?;
    Ok(())
}

/// Waits for a digest on the pod template that is not the one before.
async fn digest(
    cluster: &Cluster,
    namespace: &str,
    name: &str,
    before: Option<&str>,
) -> Result<String, Failure> {
    eventually("another digest on the pod template", async || {
        let deployment = cluster.must_get(&named(namespace, name)).await?;
        let found = annotation(&deployment).filter(|found| Some(found.as_str()) != before);
        Ok(Observation::of(found, || {
            deployment["spec"]["template"]["metadata"].to_string()
        }))
    })
    .await
}

fn named(namespace: &str, name: &str) -> Coordinates {
    Coordinates::new("apps/v1", "Deployment", namespace, name)
}

fn annotation(deployment: &Value) -> Option<String> {
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    annotations[DIGEST].as_str().map(str::to_owned)
}
