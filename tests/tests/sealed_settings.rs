//! What the flags of the sealing part do, each on a real control plane.

mod sealing;

use std::time::Duration;

use keys::{Label, Scope, encode_base64, seal};
use serde_json::{Value, json};
use tests::{Failure, Observation, eventually};

use sealing::{Stage, served};

#[tokio::test]
async fn only_sealed_secrets_with_the_label_are_looked_at() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage
        .builder()?
        .flag("label-selector", "shard=one")
        .start()
        .await?;
    let key = served(&controller).await?;
    stage
        .cluster
        .create(&stage.sealed(key.public_key(), "two", &[("a", "1")]))
        .await?;
    let mut one = stage.sealed(key.public_key(), "one", &[("a", "1")]);
    one["metadata"]["labels"] = json!({"shard": "one"});
    stage.cluster.create(&one).await?;
    stage.holds("one", &[("a", "1")]).await?;
    assert!(stage.cluster.get(&stage.secret("two")).await?.is_none());
    // The label is all that was missing.
    let labelled = json!({"metadata": {"labels": {"shard": "one"}}});
    stage.cluster.merge(&stage.at("two"), &labelled).await?;
    stage.holds("two", &[("a", "1")]).await
}

#[tokio::test]
async fn without_the_watch_of_secrets_a_deleted_one_stays_away_until_the_next_change()
-> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage
        .builder()?
        .flag("skip-recreate", "true")
        .start()
        .await?;
    let key = served(&controller).await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    stage.cluster.delete(&stage.secret("x")).await?;
    // Another object shows that the controller has gone on meanwhile.
    stage.deliver(key.public_key(), "y", &[("a", "1")]).await?;
    assert!(stage.cluster.get(&stage.secret("x")).await?.is_none());
    let sealed = stage.sealed(key.public_key(), "x", &[("a", "2")]);
    let changed = json!({"spec": sealed["spec"]});
    stage.cluster.merge(&stage.at("x"), &changed).await?;
    stage.holds("x", &[("a", "2")]).await
}

#[tokio::test]
async fn without_status_everything_is_still_done() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage
        .builder()?
        .flag("update-status", "false")
        .start()
        .await?;
    let key = served(&controller).await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    stage.cluster.event(&stage.at("x"), "Unsealed").await?;
    stage.cluster.delete(&stage.secret("x")).await?;
    stage.holds("x", &[("a", "1")]).await?;
    assert!(stage.cluster.must_get(&stage.at("x")).await?["status"].is_null());
    Ok(())
}

#[tokio::test]
async fn the_old_garbage_collection_deletes_our_secret_and_no_other() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage
        .builder()?
        .flag("old-gc-behavior", "true")
        .start()
        .await?;
    let key = served(&controller).await?;
    stage
        .deliver(key.public_key(), "ours", &[("a", "1")])
        .await?;
    let foreign = tests::objects::secret(&stage.namespace, "theirs", &[("a", b"theirs")]);
    stage.cluster.create(&foreign).await?;
    stage
        .cluster
        .create(&stage.sealed(key.public_key(), "theirs", &[("a", "1")]))
        .await?;
    stage.refused("theirs").await?;
    stage.cluster.delete(&stage.at("theirs")).await?;
    stage.cluster.delete(&stage.at("ours")).await?;
    let ours = stage.secret("ours");
    eventually("the end of our Secret", async || {
        let gone = stage.cluster.get(&ours).await?.is_none();
        Ok(Observation::when(gone, || String::from("it is there")))
    })
    .await?;
    stage.holds("theirs", &[("a", "theirs")]).await
}

/// A SealedSecret in the format that kubeseal wrote before 2019: the whole Secret in one piece.
fn whole(stage: &Stage, certificate: &keys::Certificate, secret: &Value) -> Value {
    let label = Label::new(Scope::Strict, &stage.namespace, "whole");
    let item = seal(
        certificate.public_key(),
        &label,
        secret.to_string().as_bytes(),
    );
    json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": "whole", "namespace": stage.namespace},
        "spec": {"data": encode_base64(&item.unwrap_or_default()), "encryptedData": {}},
    })
}

#[tokio::test]
async fn the_deprecated_format_is_opened_unless_it_is_switched_off() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let mut controller = stage
        .builder()?
        .flag("accept-deprecated-v1-data", "false")
        .start()
        .await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "other", "namespace": "other", "labels": {"l": "1"}},
        "data": {"a": "MQ=="},
    });
    let sealed = whole(&stage, &served(&controller).await?, &secret);
    stage.cluster.create(&sealed).await?;
    assert!(
        stage
            .refused("whole")
            .await?
            .contains("deprecated 'data' field")
    );
    controller.terminate().await?;
    let _controller = stage.start().await?;
    stage.holds("whole", &[("a", "1")]).await?;
    let made = stage.cluster.must_get(&stage.secret("whole")).await?;
    assert_eq!(made["metadata"]["labels"]["l"], "1");
    assert_eq!(made["metadata"]["ownerReferences"][0]["name"], "whole");
    Ok(())
}

#[tokio::test]
async fn t09_no_type_that_mints_credentials_is_made_unless_it_is_allowed() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let mut controller = stage.start().await?;
    let key = served(&controller).await?;
    let mut token = stage.sealed(key.public_key(), "token", &[("extra", "1")]);
    token["spec"]["template"] = json!({
        "type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}},
    });
    stage.cluster.create(&token).await?;
    let secret = json!({
        "type": "kubernetes.io/service-account-token",
        "metadata": {"annotations": {"kubernetes.io/service-account.name": "default"}},
        "data": {},
    });
    stage.cluster.create(&whole(&stage, &key, &secret)).await?;
    for name in ["token", "whole"] {
        let message = stage.refused(name).await?;
        assert!(
            message.contains("kubernetes.io/service-account-token is refused"),
            "{message}"
        );
        assert!(stage.cluster.get(&stage.secret(name)).await?.is_none());
    }
    controller.terminate().await?;
    let _allowing = stage
        .builder()?
        .flag("allow-privileged-secret-types", "true")
        .start()
        .await?;
    let at = stage.secret("token");
    eventually("the token that the API server fills in", async || {
        let secret = stage.cluster.get(&at).await?.unwrap_or_default();
        Ok(Observation::when(
            secret["data"]["token"].is_string(),
            || secret["type"].to_string(),
        ))
    })
    .await
}

#[tokio::test]
async fn a_secret_without_owner_stays_when_its_sealed_secret_goes() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    let mut sealed = stage.sealed(key.public_key(), "x", &[("a", "1")]);
    sealed["spec"]["template"] = json!({"metadata": {"annotations": {
        "sealedsecrets.bitnami.com/skip-set-owner-references": "true",
    }}});
    stage.cluster.create(&sealed).await?;
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    let changed = stage.sealed(key.public_key(), "x", &[("a", "2")]);
    let items = json!({"spec": {"encryptedData": changed["spec"]["encryptedData"]}});
    stage.cluster.merge(&stage.at("x"), &items).await?;
    stage.holds("x", &[("a", "2")]).await?;
    let secret = stage.cluster.must_get(&stage.secret("x")).await?;
    assert!(secret["metadata"]["ownerReferences"].is_null());
    stage.cluster.delete(&stage.at("x")).await?;
    stage.deliver(key.public_key(), "y", &[("a", "1")]).await?;
    stage.holds("x", &[("a", "2")]).await
}

#[tokio::test]
async fn a_blocking_secret_that_goes_makes_way_but_not_at_once() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    let foreign = tests::objects::secret(&stage.namespace, "x", &[("a", b"theirs")]);
    stage.cluster.create(&foreign).await?;
    stage
        .cluster
        .create(&stage.sealed(key.public_key(), "x", &[("a", "1")]))
        .await?;
    let message = stage.refused("x").await?;
    assert!(
        message.contains("already exists and is not managed by SealedSecret"),
        "{message}"
    );
    let deleted = std::time::Instant::now();
    stage.cluster.delete(&stage.secret("x")).await?;
    stage.holds("x", &[("a", "1")]).await?;
    assert!(deleted.elapsed() > Duration::from_secs(1));
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_annotation_that_gives_a_secret_away_is_noticed() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    let foreign = tests::objects::secret(&stage.namespace, "x", &[("a", b"theirs")]);
    stage.cluster.create(&foreign).await?;
    stage
        .cluster
        .create(&stage.sealed(key.public_key(), "x", &[("a", "1")]))
        .await?;
    stage.refused("x").await?;
    let managed =
        json!({"metadata": {"annotations": {"sealedsecrets.bitnami.com/managed": "true"}}});
    stage.cluster.merge(&stage.secret("x"), &managed).await?;
    stage.holds("x", &[("a", "1")]).await?;
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_sealed_secret_that_is_made_anew_gets_its_secret_anew() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await?;
    let first = stage.cluster.must_get(&stage.secret("x")).await?;
    stage.cluster.delete(&stage.at("x")).await?;
    stage
        .cluster
        .create(&stage.sealed(key.public_key(), "x", &[("a", "2")]))
        .await?;
    stage.holds("x", &[("a", "2")]).await?;
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    let second = stage.cluster.must_get(&stage.secret("x")).await?;
    let owner = |secret: &Value| secret["metadata"]["ownerReferences"][0]["uid"].clone();
    assert_ne!(owner(&first), owner(&second));
    Ok(())
}

#[tokio::test]
async fn templates_are_rendered_and_null_leaves_an_item_out() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    let mut sealed = stage.sealed(
        key.public_key(),
        "x",
        &[("password", "p@ss"), ("kept", "1")],
    );
    sealed["spec"]["template"] = json!({"data": {
        "url": "postgres://{{ .user }}:{{ .password | urlquery }}@db/app",
        "user": "app",
        "password": null,
    }});
    stage.cluster.create(&sealed).await?;
    stage
        .holds(
            "x",
            &[
                ("url", "postgres://app:p%40ss@db/app"),
                ("user", "app"),
                ("kept", "1"),
            ],
        )
        .await?;
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "x")
        .await?
        .unwrap_or_default();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["kept", "url", "user"]);
    // A template alone may change, too, and a wrong one is told without a value.
    let wrong = json!({"spec": {"template": {"data": {"url": "{{ fail .password }}"}}}});
    stage.cluster.merge(&stage.at("x"), &wrong).await?;
    let message = stage.refused("x").await?;
    assert!(
        message.contains("\"url\"") && !message.contains("p@ss"),
        "{message}"
    );
    stage
        .holds("x", &[("url", "postgres://app:p%40ss@db/app")])
        .await
}

#[tokio::test]
async fn t26_a_secret_that_the_api_server_refuses_is_told_without_its_data() -> Result<(), Failure>
{
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    // A docker configuration that is not JSON is refused with a message about the value.
    let mut sealed = stage.sealed(
        key.public_key(),
        "x",
        &[(".dockerconfigjson", "hunter2-canary")],
    );
    sealed["spec"]["template"] = json!({"type": "kubernetes.io/dockerconfigjson"});
    stage.cluster.create(&sealed).await?;
    let message = stage.refused("x").await?;
    assert!(message.contains("cannot write the Secret"), "{message}");
    let event = stage
        .cluster
        .event(&stage.at("x"), "ErrUpdateFailed")
        .await?
        .to_string();
    for (sink, text) in [
        ("status", message),
        ("event", event),
        ("log", controller.log()?),
    ] {
        assert!(
            !text.contains("hunter2"),
            "the {sink} tells a value: {text}"
        );
    }
    // An item with an impossible name is refused by name.
    let named = stage.sealed(key.public_key(), "y", &[("not a key!", "hunter2-canary")]);
    stage.cluster.create(&named).await?;
    let message = stage.refused("y").await?;
    assert!(
        message.contains("data[not a key!]") && !message.contains("hunter2"),
        "{message}"
    );
    Ok(())
}
