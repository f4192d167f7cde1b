//! While we work, the incumbents' leader Leases are ours; while they hold them, our part waits.

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, ControllerBuilder, Coordinates, Failure, Observation, eventually, rights,
};

const NAMESPACE: &str = "external-secrets";
const LEASE: &str = "external-secrets-controller";
const THEIRS: &str = "external-secrets-5f6d_theirs";

#[tokio::test]
async fn a_part_waits_for_the_lease_of_its_incumbent_and_gives_it_back() -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    let cluster = plane.cluster().await?;
    let there = held_by_theirs(&cluster).await?;
    let identity = rights::ours(&plane).await?;
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
    let mut controller = builder.parts("sealed,external").start().await?;
    controller.logged("waits while the incumbent holds").await?;
    let log = controller.log()?;
    let waits = log.lines().find(|line| line.contains("waits while"));
    assert!(waits.is_some_and(|line| line.contains(THEIRS)), "{log}");
    controller.logged("part=\"sealed\"").await?;
    assert!(!started(&log), "{log}");
    // Asked again and again meanwhile, it stays theirs.
    let renewed = json!({"spec": {"leaseTransitions": 2}});
    cluster.merge(&there, &renewed).await?;
    assert_eq!(holder(&cluster, &there).await?, THEIRS);

    cluster
        .merge(&there, &json!({"spec": {"holderIdentity": ""}}))
        .await?;
    eventually("the part that waited", async || {
        let log = controller.log()?;
        Ok(Observation::when(started(&log), || log.clone()))
    })
    .await?;
    let ours = holder(&cluster, &there).await?;
    assert!(!ours.is_empty() && ours != THEIRS, "{ours}");
    controller.terminate().await?;
    assert_eq!(holder(&cluster, &there).await?, "");
    Ok(())
}

#[tokio::test]
async fn an_incumbent_that_elects_no_leader_is_warned_of_while_it_runs() -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    let cluster = plane.cluster().await?;
    let identity = rights::ours(&plane).await?;
    // Ours has the same name, and is not meant.
    for (namespace, image) in [
        ("kube-system", "bitnami/sealed-secrets-controller:0.36.6"),
        (identity.namespace, "example.com/signet:1"),
    ] {
        let labels = json!({"name": "sealed-secrets-controller"});
        let pod = json!({
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "controller", "image": image}]},
        });
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "sealed-secrets-controller", "namespace": namespace},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod},
        });
        cluster.apply_value(&deployment).await?;
    }
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
    let mut controller = builder.parts("sealed").start().await?;
    controller.logged("no Lease keeps the two apart").await?;
    let log = controller.log()?;
    let warnings = log.lines().filter(|line| line.contains("keeps the two"));
    let warnings: Vec<&str> = warnings.collect();
    let [warning] = warnings.as_slice() else {
        return Err(Failure::new(log));
    };
    assert!(
        warning.contains("kube-system/sealed-secrets-controller") && warning.contains("WARN"),
        "{warning}"
    );
    controller.terminate().await?;
    Ok(())
}

/// Whether the part `external` started, in a log.
fn started(log: &str) -> bool {
    log.lines()
        .any(|line| line.contains("starts") && line.contains("part=\"external\""))
}

async fn held_by_theirs(cluster: &Cluster) -> Result<Coordinates, Failure> {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE},
    });
    cluster.apply_value(&namespace).await?;
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": LEASE, "namespace": NAMESPACE},
        "spec": {"holderIdentity": THEIRS, "leaseDurationSeconds": 3600, "leaseTransitions": 1},
    });
    cluster.apply_value(&lease).await
}

async fn holder(cluster: &Cluster, at: &Coordinates) -> Result<String, Failure> {
    let lease = cluster.must_get(at).await?;
    let holder = lease["spec"].get("holderIdentity").and_then(Value::as_str);
    Ok(holder.unwrap_or_default().to_owned())
}
