//! Attacks by who may write objects in one namespace: rows of the regression table of advisories.

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, Scratch, eventually, objects};

use crate::{shared, stage::store};

/// CVE-2025-55196: what a namespace does not have itself is not found in another one.
#[tokio::test]
async fn t07_nothing_is_found_in_another_namespace() -> Result<(), Failure> {
    let shared = shared().await?;
    let (owner, thief) = (shared.stage().await?, shared.stage().await?);
    shared
        .aws
        .create_secret(&thief.remote("db"), "value")
        .await?;
    owner
        .cluster
        .create(&store("SecretStore", "theirs", &owner.namespace))
        .await?;
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "theirs", "namespace": owner.namespace}, "data": {"k": "theirs"},
    });
    owner.cluster.create(&config).await?;
    owner
        .cluster
        .create(&objects::secret(
            &owner.namespace,
            "theirs",
            &[("k", b"theirs")],
        ))
        .await?;
    let generator = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password",
        "metadata": {"name": "theirs", "namespace": owner.namespace}, "spec": {"length": 8},
    });
    owner.cluster.create(&generator).await?;
    let value = json!([{"secretKey": "value", "remoteRef": {"key": thief.remote("db")}}]);
    let from = |kind: &str| {
        json!({
            "data": value,
            "target": {"template": {"templateFrom": [{kind: {"name": "theirs", "items": [{"key": "k"}]}}]}},
        })
    };
    for (name, spec) in [
        (
            "store",
            json!({"secretStoreRef": {"name": "theirs", "kind": "SecretStore"}, "data": value}),
        ),
        ("config-map", from("configMap")),
        ("secret", from("secret")),
        (
            "generator",
            json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "theirs"}}}]}),
        ),
    ] {
        thief
            .cluster
            .create(&thief.external_secret(name, spec))
            .await?;
        thief.refused(&shared.controller, name, &["theirs"]).await?;
        let made = thief
            .cluster
            .get(&Coordinates::secret(&thief.namespace, name))
            .await?;
        assert_eq!(made, None, "{name}");
    }
    // Not into another one either: a name is one name.
    let mut object = thief.one_value("elsewhere", "db", None);
    object["spec"]["target"] = json!({"name": format!("../{}/theirs", owner.namespace)});
    if thief.cluster.create(&object).await.is_ok() {
        thief
            .cluster
            .condition(&thief.at("elsewhere"), "Ready", "False")
            .await?;
    }
    let kept = owner
        .cluster
        .secret_data(&owner.namespace, "theirs")
        .await?
        .unwrap_or_default();
    assert_eq!(kept.get("k").map(Vec::as_slice), Some(&b"theirs"[..]));
    Ok(())
}

/// CVE-2026-42876: a Secret of a type that mints tokens, made by somebody who may only write
/// ExternalSecrets.
#[tokio::test]
async fn t09_no_token_is_minted_for_who_may_write_external_secrets() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    for (name, kind) in [
        ("minted", "kubernetes.io/service-account-token"),
        ("bootstrap", "bootstrap.kubernetes.io/token"),
    ] {
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["target"] = json!({"template": {
            "type": kind,
            "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}},
        }});
        stage.cluster.create(&object).await?;
        stage.refused(&shared.controller, name, &[kind]).await?;
        let made = stage
            .cluster
            .get(&Coordinates::secret(&stage.namespace, name))
            .await?;
        assert_eq!(made, None, "{name}");
    }
    Ok(())
}

/// Ours: whoever may write ExternalSecrets must not be able to publish a certificate of their own, nor
/// to touch a key that is there.
#[tokio::test]
async fn no_external_secret_makes_or_changes_a_sealing_key() -> Result<(), Failure> {
    const LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let mut key = objects::secret(&stage.namespace, "key", &[("tls.key", b"kept")]);
    key["metadata"]["labels"] = json!({LABEL: "active"});
    stage.cluster.create(&key).await?;
    let labels = json!({LABEL: "active"});
    for (name, target) in [
        (
            "labelled",
            json!({"template": {"metadata": {"labels": labels}}}),
        ),
        (
            "rendered",
            json!({"template": {"templateFrom": [
                {"target": "Labels", "literal": format!("{LABEL}: active")},
            ]}}),
        ),
        ("merging", json!({"name": "key", "creationPolicy": "Merge"})),
    ] {
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["target"] = target;
        stage.cluster.create(&object).await?;
        stage.refused(&shared.controller, name, &[LABEL]).await?;
        let made = stage
            .cluster
            .get(&Coordinates::secret(&stage.namespace, name))
            .await?;
        assert_eq!(made, None, "{name}");
    }
    let kept = stage.cluster.secret_data(&stage.namespace, "key").await?;
    let kept = kept.unwrap_or_default();
    assert_eq!(kept.get("tls.key").map(Vec::as_slice), Some(&b"kept"[..]));
    assert_eq!(kept.len(), 1);
    Ok(())
}

/// CVE-2020-8567: names in AWS and keys are names and keys, never paths.
#[tokio::test]
async fn t12_names_in_aws_never_become_paths() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let place = Scratch::new("paths")?;
    let inside = place.path().display().to_string();
    let before = std::fs::read_dir(place.path())?.count();
    let names = [
        format!("{}/../../../..{inside}/a", stage.namespace),
        format!("{}{inside}/b", stage.namespace),
    ];
    for name in &names {
        shared.aws.create_secret(name, "value").await?;
    }
    let found =
        json!({"dataFrom": [{"find": {"name": {"regexp": format!("^{}", stage.namespace)}}}]});
    stage
        .cluster
        .create(&stage.external_secret("found", found))
        .await?;
    stage
        .cluster
        .condition(&stage.at("found"), "Ready", "True")
        .await?;
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "found")
        .await?
        .unwrap_or_default();
    let keys: Vec<String> = names.iter().map(|name| name.replace('/', "_")).collect();
    assert_eq!(data.keys().cloned().collect::<Vec<_>>(), keys);
    let spec = json!({"dataFrom": [{
        "extract": {"key": names[0]}, "rewrite": [{"regexp": {"source": ".*", "target": "../../etc/passwd"}}],
    }]});
    shared.aws.put_secret(&names[0], r#"{"k":"value"}"#).await?;
    stage
        .cluster
        .create(&stage.external_secret("rewritten", spec))
        .await?;
    stage
        .refused(&shared.controller, "rewritten", &["../../etc/passwd"])
        .await?;
    let after = std::fs::read_dir(place.path())?.count();
    assert_eq!(after, before, "files in {inside}");
    Ok(())
}

/// CVE-2025-23216: the API server refuses the Secret, and nobody is told why with its data.
#[tokio::test]
async fn t26_a_secret_that_is_refused_is_told_without_its_data() -> Result<(), Failure> {
    const CANARY: &str = "canary-t26-5d0c8e";
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), &format!("{{\"{CANARY}\": "))
        .await?;
    let typed = |kind: &str, key: &str, template: Value| {
        let mut target = json!({"template": {"type": kind}});
        if !template.is_null() {
            target["template"]["data"] = template;
        }
        json!({"target": target, "data": [{"secretKey": key, "remoteRef": {"key": stage.remote("db")}}]})
    };
    let cases = [
        (
            "no-json",
            typed(
                "kubernetes.io/dockerconfigjson",
                ".dockerconfigjson",
                Value::Null,
            ),
        ),
        ("no-key", typed("kubernetes.io/tls", "tls.crt", Value::Null)),
        (
            "extracted",
            json!({"dataFrom": [{"extract": {"key": stage.remote("db")}}]}),
        ),
        (
            "parsed",
            typed("Opaque", "v", json!({"k": "{{ .v | mustFromJson }}"})),
        ),
        (
            "failed",
            typed("Opaque", "v", json!({"k": "{{ fail .v }}"})),
        ),
        (
            "indexed",
            typed("Opaque", "v", json!({"k": "{{ index . .v }}"})),
        ),
        (
            "merged",
            json!({"dataFrom": [{
                "find": {"name": {"regexp": format!("^{}$", stage.remote("db"))}},
                "rewrite": [{"merge": {"strategy": "Extract"}}],
            }]}),
        ),
        (
            "decoded",
            json!({"data": [{
                "secretKey": "k", "remoteRef": {"key": stage.remote("db"), "decodingStrategy": "Base64"},
            }]}),
        ),
    ];
    for (name, spec) in &cases {
        stage
            .cluster
            .create(&stage.external_secret(name, spec.clone()))
            .await?;
    }
    for (name, _) in &cases {
        // `index` of a key that is not there is nothing in Go.
        if *name == "indexed" {
            continue;
        }
        stage.refused(&shared.controller, name, &[]).await?;
        let object = stage.cluster.must_get(&stage.at(name)).await?;
        let events = stage.cluster.events(&stage.at(name)).await?;
        let told = format!("{object} {}", json!(events));
        assert!(!told.contains(CANARY), "{name}: {told}");
    }
    assert!(
        !shared.controller.log()?.contains(CANARY),
        "it is in the log"
    );
    assert!(
        !shared.controller.metrics().await?.contains(CANARY),
        "it is in the metrics"
    );
    Ok(())
}

/// CVE-2024-32476: expressions that take other engines for ever, and one object that must not stop
/// another.
#[tokio::test]
async fn t33_an_expression_takes_time_in_proportion_to_its_text() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let long = "a".repeat(30_000);
    let document = json!({ long.as_str(): "x", "b": "y" }).to_string();
    shared
        .aws
        .create_secret(&stage.remote("db"), &document)
        .await?;
    let rewritten = |source: &str, target: &str| {
        json!({"dataFrom": [{
            "extract": {"key": stage.remote("db")},
            "rewrite": [{"regexp": {"source": source, "target": target}}],
        }]})
    };
    let cases = [
        ("nested", rewritten("^(a+)+$|^((a|a)*)b$|(.*a){20}", "k")),
        ("large", rewritten("((a{1000}){1000}){1000}", "k")),
        ("grown", rewritten("a", &"$0".repeat(30_000))),
    ];
    for (name, spec) in &cases {
        stage
            .cluster
            .create(&stage.external_secret(name, spec.clone()))
            .await?;
    }
    for name in ["large", "grown"] {
        stage
            .refused(&shared.controller, name, &["rewrite"])
            .await?;
    }
    eventually("an end of the nested one", async || {
        let object = stage.cluster.must_get(&stage.at("nested")).await?;
        let told = !object["status"]["conditions"].is_null();
        Ok(Observation::when(told, || object["status"].to_string()))
    })
    .await?;
    shared
        .aws
        .create_secret(&stage.remote("other"), "value")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("other", "other", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "other", "value", b"value")
        .await
}
