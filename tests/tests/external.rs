//! ExternalSecrets from AWS Secrets Manager, as moto plays it.

#[path = "external/stage.rs"]
mod stage;

use std::collections::BTreeMap;

use serde_json::json;
use tests::{Coordinates, Failure, Observation, eventually, objects};

use crate::stage::{Shared, Stage, store};

async fn shared() -> Result<&'static Shared, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    tests::share(&SHARED, Shared::start).await
}

fn secret(stage: &Stage, name: &str) -> Coordinates {
    Coordinates::secret(&stage.namespace, name)
}

#[tokio::test]
async fn whole_secrets_properties_and_all_keys_of_one_are_fetched() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("plain"), "just text")
        .await?;
    let document = r#"{"user":"app","nested":{"deep":7},"list":[1,2]}"#;
    shared
        .aws
        .create_secret(&stage.remote("json"), document)
        .await?;
    let (plain, json) = (stage.remote("plain"), stage.remote("json"));
    let spec = json!({
        "target": {"name": "made", "creationPolicy": "Owner"},
        "dataFrom": [{"extract": {"key": json}}],
        "data": [
            {"secretKey": "whole", "remoteRef": {"key": plain}},
            {"secretKey": "property", "remoteRef": {"key": json, "property": "nested.deep"}},
        ],
    });
    stage
        .cluster
        .create(&stage.external_secret("all", spec))
        .await?;
    let condition = stage
        .cluster
        .condition(&stage.at("all"), "Ready", "True")
        .await?;
    assert_eq!(condition["reason"], "SecretSynced");
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "made")
        .await?
        .unwrap_or_default();
    let expected = [
        ("list", "[1,2]"),
        ("nested", r#"{"deep":7}"#),
        ("property", "7"),
        ("user", "app"),
        ("whole", "just text"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(data, BTreeMap::from(expected));
    let made = stage.cluster.must_get(&secret(&stage, "made")).await?;
    let owner = &made["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["kind"], &owner["name"]),
        (&json!("ExternalSecret"), &json!("all"))
    );
    let managed = &made["metadata"]["labels"]["reconcile.external-secrets.io/managed"];
    assert_eq!(managed, "true");
    Ok(())
}

#[tokio::test]
async fn the_older_version_of_the_kinds_works_the_same() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let cluster_store = format!("older-{}", stage.namespace);
    let mut object = store("ClusterSecretStore", &cluster_store, &stage.namespace);
    object["apiVersion"] = json!("external-secrets.io/v1beta1");
    stage.cluster.create(&object).await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), r#"{"password":"old but gold"}"#)
        .await?;
    let mut object = stage.one_value("older", "db", Some("password"));
    object["apiVersion"] = json!("external-secrets.io/v1beta1");
    object["spec"]["secretStoreRef"] = json!({"name": cluster_store, "kind": "ClusterSecretStore"});
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "older", "value", b"old but gold")
        .await?;
    let at = Coordinates::new(
        "external-secrets.io/v1",
        "ClusterSecretStore",
        "",
        &cluster_store,
    );
    let condition = stage.cluster.condition(&at, "Ready", "True").await?;
    assert_eq!(condition["reason"], "Valid");
    Ok(())
}

#[tokio::test]
async fn a_value_changed_in_aws_arrives_and_a_deleted_secret_is_back() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "first")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("db", "db", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"first")
        .await?;
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"second")
        .await?;
    stage.cluster.delete(&secret(&stage, "db")).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"second")
        .await
}

#[tokio::test]
async fn a_deleted_external_secret_takes_its_secret_with_it() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("leaving", "db", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "leaving", "value", b"value")
        .await?;
    stage.cluster.delete(&stage.at("leaving")).await?;
    eventually("the end of the Secret", async || {
        let left = stage.cluster.get(&secret(&stage, "leaving")).await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await
}

#[tokio::test]
async fn a_secret_that_aws_does_not_have_is_named() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    stage
        .cluster
        .create(&stage.one_value("missing", "nowhere", None))
        .await?;
    stage
        .refused(&shared.controller, "missing", &[&stage.remote("nowhere")])
        .await?;
    assert!(
        stage
            .cluster
            .get(&secret(&stage, "missing"))
            .await?
            .is_none()
    );
    // It comes as soon as AWS has it.
    shared
        .aws
        .create_secret(&stage.remote("nowhere"), "now")
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "missing", "value", b"now")
        .await?;
    stage
        .cluster
        .condition(&stage.at("missing"), "Ready", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_property_that_the_secret_does_not_have_is_named() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), r#"{"user":"app"}"#)
        .await?;
    stage
        .cluster
        .create(&stage.one_value("absent", "db", Some("password")))
        .await?;
    stage
        .refused(
            &shared.controller,
            "absent",
            &[&stage.remote("db"), "password"],
        )
        .await
}

#[tokio::test]
async fn a_secret_gone_in_aws_leaves_what_was_written() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("kept", "db", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "kept", "value", b"value")
        .await?;
    shared.aws.delete_secret(&stage.remote("db")).await?;
    stage
        .refused(&shared.controller, "kept", &[&stage.remote("db")])
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "kept", "value", b"value")
        .await
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named_and_awaited() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let mut object = stage.one_value("early", "db", None);
    object["spec"]["secretStoreRef"]["name"] = json!("later");
    stage.cluster.create(&object).await?;
    stage
        .refused(&shared.controller, "early", &["later"])
        .await?;
    stage
        .cluster
        .create(&store("SecretStore", "later", &stage.namespace))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "early", "value", b"value")
        .await
}

#[tokio::test]
async fn a_provider_that_is_not_served_gets_a_condition_that_says_so() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let object = json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "SecretStore",
        "metadata": {"name": "vault", "namespace": stage.namespace},
        "spec": {"provider": {"vault": {"server": "https://vault.example", "path": "kv"}}},
    });
    stage.cluster.create(&object).await?;
    let at = Coordinates::new(
        "external-secrets.io/v1",
        "SecretStore",
        &stage.namespace,
        "vault",
    );
    let condition = stage.cluster.condition(&at, "Ready", "False").await?;
    let message = condition["message"].as_str().unwrap_or_default();
    assert!(message.contains("vault"), "{message}");
    let mut object = stage.one_value("of-vault", "db", None);
    object["spec"]["secretStoreRef"]["name"] = json!("vault");
    stage.cluster.create(&object).await?;
    stage
        .refused(&shared.controller, "of-vault", &["vault"])
        .await
}

#[tokio::test]
async fn a_store_whose_access_key_is_missing_says_which_secret() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    stage.cluster.delete(&secret(&stage, "access-key")).await?;
    stage
        .cluster
        .create(&store("SecretStore", "keyless", &stage.namespace))
        .await?;
    let at = Coordinates::new(
        "external-secrets.io/v1",
        "SecretStore",
        &stage.namespace,
        "keyless",
    );
    let condition = stage.cluster.condition(&at, "Ready", "False").await?;
    let message = condition["message"].as_str().unwrap_or_default();
    assert!(message.contains("access-key"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_secret_of_another_external_secret_is_left_alone() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    for name in ["first", "second"] {
        shared.aws.create_secret(&stage.remote(name), name).await?;
    }
    let target = |object: serde_json::Value| {
        let mut object = object;
        object["spec"]["target"] = json!({"name": "contested"});
        object
    };
    stage
        .cluster
        .create(&target(stage.one_value("first", "first", None)))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "contested", "value", b"first")
        .await?;
    stage
        .cluster
        .create(&target(stage.one_value("second", "second", None)))
        .await?;
    stage
        .refused(&shared.controller, "second", &["owned by another"])
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "contested", "value", b"first")
        .await
}

#[tokio::test]
async fn a_secret_that_something_else_controls_is_left_alone() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "from aws")
        .await?;
    let owner = objects::secret(&stage.namespace, "owner", &[]);
    let owner = stage.cluster.create(&owner).await?;
    let mut theirs = objects::secret(&stage.namespace, "theirs", &[("value", b"theirs")]);
    theirs["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Secret", "name": "owner",
        "uid": owner["metadata"]["uid"], "controller": true,
    }]);
    let before = stage.cluster.create(&theirs).await?;
    stage
        .cluster
        .create(&stage.one_value("theirs", "db", None))
        .await?;
    stage
        .cluster
        .condition(&stage.at("theirs"), "Ready", "False")
        .await?;
    let after = stage.cluster.must_get(&secret(&stage, "theirs")).await?;
    assert_eq!(after["data"], before["data"]);
    Ok(())
}

#[tokio::test]
async fn a_bad_external_secret_does_not_stop_another() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    for number in 0..5 {
        let name = format!("bad-{number}");
        stage
            .cluster
            .create(&stage.one_value(&name, "nowhere", None))
            .await?;
    }
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("good", "db", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "good", "value", b"value")
        .await
}
