//! Which namespaces the sealing part looks at: those that come, that end, and that it has no rights in.

mod sealing;

use serde_json::json;
use tests::{ControllerBuilder, Coordinates, Failure};

use sealing::{Stage, served};

#[tokio::test]
async fn only_the_namespaces_that_are_named_are_looked_at() -> Result<(), Failure> {
    let (stage, other, third) = tokio::try_join!(Stage::set(), Stage::set(), Stage::set())?;
    let late = format!("{}-late", stage.namespace);
    let namespaces = format!("{},{late}", other.namespace);
    // The list implies our own, whatever --all-namespaces says.
    let controller = stage
        .builder()?
        .flag("all-namespaces", "true")
        .flag("additional-namespaces", &namespaces)
        .start()
        .await?;
    let key = served(&controller).await?;
    for stage in [&third, &stage, &other] {
        stage
            .cluster
            .create(&stage.sealed(key.public_key(), "x", &[("a", "1")]))
            .await?;
    }
    stage.holds("x", &[("a", "1")]).await?;
    other.holds("x", &[("a", "1")]).await?;
    // A namespace that comes later is looked at when it comes.
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": late}});
    stage.cluster.create(&namespace).await?;
    let late = Stage {
        plane: stage.plane,
        cluster: stage.cluster.clone(),
        namespace: late,
    };
    late.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    assert!(third.cluster.get(&third.secret("x")).await?.is_none());
    let untouched = third.cluster.must_get(&third.at("x")).await?;
    assert!(untouched["status"].is_null());
    Ok(())
}

/// As in the namespaced variant, when a namespace and the role in it are not there (yet).
#[tokio::test]
async fn a_namespace_without_rights_does_not_keep_the_others_waiting() -> Result<(), Failure> {
    let (stage, other) = tokio::try_join!(Stage::set(), Stage::set())?;
    let account = "signet";
    let metadata = json!({"name": account, "namespace": stage.namespace});
    let account_of_ours =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
    stage.cluster.create(&account_of_ours).await?;
    grant(&stage, &stage.namespace, account).await?;
    let identity = stage
        .plane
        .kubeconfig_for_service_account(&stage.namespace, account)
        .await?;
    let controller = ControllerBuilder::new(&identity, &stage.namespace)?
        .parts("sealed")
        .flag("all-namespaces", "false")
        .flag("additional-namespaces", &other.namespace)
        .flag("key-size", "2048")
        .start()
        .await?;
    let key = served(&controller).await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    let sealed = other.sealed(key.public_key(), "x", &[("a", "1")]);
    other.cluster.create(&sealed).await?;
    controller
        .logged(&format!("unsealing in the namespace {}", other.namespace))
        .await?;
    assert!(other.cluster.get(&other.secret("x")).await?.is_none());
    grant(&other, &stage.namespace, account).await?;
    other.holds("x", &[("a", "1")]).await?;
    Ok(())
}

/// Lets the account of another namespace do what the part does in a namespace.
async fn grant(stage: &Stage, whose: &str, account: &str) -> Result<(), Failure> {
    let rule = |group: &str, resources: &[&str]| {
        let verbs = ["get", "list", "watch", "create", "update"];
        json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
    };
    let metadata = json!({"name": "signet-sealed", "namespace": stage.namespace});
    let api_version = "rbac.authorization.k8s.io/v1";
    let role = json!({
        "apiVersion": api_version, "kind": "Role", "metadata": metadata,
        "rules": [
            rule("", &["secrets", "events"]),
            rule("bitnami.com", &["sealedsecrets", "sealedsecrets/status"]),
        ],
    });
    let binding = json!({
        "apiVersion": api_version, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "signet-sealed",
        },
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": whose}],
    });
    stage.cluster.create(&role).await?;
    stage.cluster.create(&binding).await?;
    Ok(())
}

#[tokio::test]
async fn a_namespace_that_ends_is_no_trouble() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let other = Stage::set().await?;
    let controller = stage
        .builder()?
        .flag("additional-namespaces", &other.namespace)
        .start()
        .await?;
    let key = served(&controller).await?;
    for number in 0..5 {
        other
            .deliver(key.public_key(), &format!("x{number}"), &[("a", "1")])
            .await?;
    }
    let at = Coordinates::new("v1", "Namespace", "", &other.namespace);
    stage.cluster.delete(&at).await?;
    stage
        .deliver(key.public_key(), "fine", &[("a", "1")])
        .await?;
    assert!(!controller.log()?.contains("being terminated"));
    Ok(())
}
