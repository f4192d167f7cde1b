//! Rows of the table of attacks that concern sealing and need a control plane. The others are where
//! what they attack is: `grep -r 'fn t[0-9]'`.

mod sealing;

use serde_json::json;
use tests::{ApiProxy, Failure, Scratch};

use sealing::{Stage, served};

/// All that the part asks for when it looks at its own namespace alone.
const OF_A_NAMESPACE: [&str; 6] = [
    "secrets",
    "sealedsecrets",
    "sealedsecrets/status",
    "configmaps",
    "events",
    "leases",
];

#[tokio::test]
async fn t07_a_namespaced_controller_asks_for_nothing_outside_of_its_namespace()
-> Result<(), Failure> {
    let (stage, other) = tokio::try_join!(Stage::set(), Stage::set())?;
    grant_in(&stage, "confined").await?;
    let confined = stage.plane.kubeconfig_for_user("confined", &[])?;
    let proxy = ApiProxy::start(stage.plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(&confined, stage.plane.file("confined.kubeconfig"))?;
    let builder = tests::ControllerBuilder::new(&kubeconfig, &stage.namespace)?
        .parts("sealed")
        .flag("all-namespaces", "false")
        .flag("key-size", "2048");
    let controller = builder.start().await?;
    let key = served(&controller).await?;
    // The same name next door is somebody else's.
    let next_door = other.sealed(key.public_key(), "x", &[("a", "theirs")]);
    other.cluster.create(&next_door).await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    stage.cluster.delete(&stage.secret("x")).await?;
    stage.holds("x", &[("a", "1")]).await?;
    // The API server answers 403 to a list or a write that does not carry the namespace.
    let log = controller.log()?;
    assert!(!log.contains("forbidden"), "{log}");
    let writes = proxy.changes();
    assert!(!writes.is_empty());
    for write in writes {
        assert_eq!(write.namespace, stage.namespace, "{write}");
    }
    assert!(other.cluster.get(&other.secret("x")).await?.is_none());
    Ok(())
}

/// Lets a user do everything that the part does, in one namespace.
async fn grant_in(stage: &Stage, user: &str) -> Result<(), Failure> {
    let group = "rbac.authorization.k8s.io";
    let metadata = json!({"name": user, "namespace": stage.namespace});
    let role = json!({
        "apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": metadata,
        "rules": [{
            "apiGroups": ["", "bitnami.com", "coordination.k8s.io"],
            "resources": OF_A_NAMESPACE, "verbs": ["*"],
        }],
    });
    let binding = json!({
        "apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    });
    stage.cluster.create(&role).await?;
    stage.cluster.create(&binding).await?;
    Ok(())
}

#[tokio::test]
async fn t34_what_was_opened_is_kept_nowhere_that_can_be_read() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let scratch = Scratch::new("t34")?;
    let files = scratch.path().join("files");
    std::fs::create_dir(&files)?;
    let controller = stage
        .builder()?
        .env("TMPDIR", &files)
        .env("HOME", &files)
        .env("XDG_CACHE_HOME", &files)
        .start()
        .await?;
    let key = served(&controller).await?;
    let value = "canary-4c1d90";
    stage
        .deliver(key.public_key(), "x", &[("a", value)])
        .await?;
    let status = stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    let sealed = stage.cluster.must_get(&stage.at("x")).await?;
    let encoded = keys::encode_base64(value.as_bytes());
    let mut sinks = vec![
        status.to_string(),
        sealed.to_string(),
        controller.metrics().await?,
    ];
    for path in ["/v1/cert.pem", "/healthz", "/readyz", "/metrics", "/"] {
        sinks.push(controller.get(path).await?.1);
    }
    let namespace = &stage.namespace;
    for config_map in stage.cluster.list("v1", "ConfigMap", namespace).await? {
        sinks.push(config_map.to_string());
    }
    for sink in sinks {
        assert!(!sink.contains(value) && !sink.contains(&encoded), "{sink}");
    }
    // What is remembered between two looks is in the process alone.
    assert_eq!(std::fs::read_dir(&files)?.count(), 0);
    Ok(())
}
