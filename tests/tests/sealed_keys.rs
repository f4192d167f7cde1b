//! The life of the sealing keys: found, watched, made, relabelled, published.

mod sealing;

use std::time::{Duration, SystemTime};

use rustix::process::Signal;
use serde_json::json;
use tests::{Coordinates, Failure, Observation, eventually};

use sealing::{KEY_LABEL, Stage, as_date_prints_it, pair, sealed, served};

const PUBLISHED: &str = "sealed-secrets-certificates";

#[tokio::test]
async fn two_replicas_started_at_once_make_one_key() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (first, second) = (stage.builder()?, stage.builder()?);
    let (first, second) = tokio::try_join!(first.start(), second.start())?;
    let certificates = tokio::try_join!(served(&first), served(&second))?;
    assert_eq!(
        certificates.0.public_key().fingerprint(),
        certificates.1.public_key().fingerprint()
    );
    assert_eq!(stage.keys().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn sigusr1_makes_a_new_key_and_the_old_one_opens_on() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let mut controller = stage.start().await?;
    let old = served(&controller).await?;
    controller.process().signal(Signal::USR1);
    stage.keys_are(2).await?;
    eventually("another certificate", async || {
        let now = served(&controller).await?.public_key().fingerprint();
        Ok(Observation::when(
            now != old.public_key().fingerprint(),
            || now.to_string(),
        ))
    })
    .await?;
    stage
        .deliver(old.public_key(), "by-old", &[("a", "1")])
        .await?;
    let new = served(&controller).await?;
    stage
        .deliver(new.public_key(), "by-new", &[("a", "2")])
        .await
}

#[tokio::test]
async fn keys_are_renewed_by_their_period() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    stage.add_key("old", &pair(2)?, Some("active")).await?;
    let controller = stage
        .builder()?
        .flag("key-renew-period", "1h")
        .start()
        .await?;
    stage.keys_are(2).await?;
    let new = served(&controller).await?;
    stage
        .deliver(new.public_key(), "renewed", &[("a", "1")])
        .await?;
    assert_eq!(stage.keys().await?.len(), 2, "one key for one period");
    Ok(())
}

#[tokio::test]
async fn a_period_of_zero_renews_nothing() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let old = pair(24 * 364)?;
    stage.add_key("old", &old, Some("active")).await?;
    let controller = stage
        .builder()?
        .flag("key-renew-period", "0")
        .start()
        .await?;
    stage
        .deliver(old.public_key(), "still", &[("a", "1")])
        .await?;
    stage.serves(&controller, old.public_key()).await?;
    assert_eq!(stage.keys().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_key_from_before_the_cutoff_is_followed_by_a_new_one() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    stage.add_key("old", &pair(48)?, Some("active")).await?;
    // Long after the old key, long before now.
    let controller = stage
        .builder()?
        .flag("key-cutoff-time", "Sat, 01 Jan 2022 00:00:00 +0000")
        .start()
        .await?;
    stage
        .deliver(
            served(&controller).await?.public_key(),
            "kept",
            &[("a", "1")],
        )
        .await?;
    assert_eq!(stage.keys().await?.len(), 1, "the key is younger than that");
    drop(controller);
    let yesterday = as_date_prints_it(SystemTime::now() - Duration::from_secs(86_400))?;
    let cut = stage
        .builder()?
        .flag("key-cutoff-time", &yesterday)
        .start()
        .await?;
    stage.keys_are(2).await?;
    stage
        .deliver(served(&cut).await?.public_key(), "cut", &[("a", "1")])
        .await
}

#[tokio::test]
async fn what_waits_for_a_key_is_opened_when_it_comes() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let _controller = stage.start().await?;
    let other = pair(1)?;
    stage
        .cluster
        .create(&stage.sealed(other.public_key(), "early", &[("a", "1")]))
        .await?;
    let message = stage.refused("early").await?;
    assert!(
        message.contains("item \"a\": no key could decrypt secret"),
        "{message}"
    );
    stage.add_key("restored", &other, Some("active")).await?;
    stage.holds("early", &[("a", "1")]).await?;
    stage
        .cluster
        .condition(&stage.at("early"), "Ready", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_is_relabelled_compromised_neither_seals_nor_opens() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (good, leaked) = (pair(2)?, pair(1)?);
    stage.add_key("good", &good, Some("active")).await?;
    stage.add_key("leaked", &leaked, Some("active")).await?;
    let controller = stage.start().await?;
    stage.serves(&controller, leaked.public_key()).await?;
    stage
        .deliver(leaked.public_key(), "before", &[("a", "1")])
        .await?;
    let relabelled = json!({"metadata": {"labels": {KEY_LABEL: "compromised"}}});
    stage
        .cluster
        .merge(&stage.secret("leaked"), &relabelled)
        .await?;
    stage.serves(&controller, good.public_key()).await?;
    stage
        .cluster
        .create(&stage.sealed(leaked.public_key(), "after", &[("a", "1")]))
        .await?;
    assert!(
        stage
            .refused("after")
            .await?
            .contains("no key could decrypt secret")
    );
    stage.holds("before", &[("a", "1")]).await
}

#[tokio::test]
async fn a_deleted_key_is_no_longer_used() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (old, new) = (pair(2)?, pair(1)?);
    stage.add_key("old", &old, Some("active")).await?;
    stage.add_key("new", &new, Some("active")).await?;
    let controller = stage.start().await?;
    stage.serves(&controller, new.public_key()).await?;
    stage.cluster.delete(&stage.secret("new")).await?;
    stage.serves(&controller, old.public_key()).await
}

#[tokio::test]
async fn a_retired_key_opens_and_does_not_seal() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (old, retired) = (pair(2)?, pair(1)?);
    stage.add_key("old", &old, Some("active")).await?;
    stage.add_key("retired", &retired, Some("retired")).await?;
    let controller = stage.start().await?;
    stage.serves(&controller, old.public_key()).await?;
    stage
        .deliver(retired.public_key(), "held", &[("a", "1"), ("b", "2")])
        .await?;
    let fingerprint = retired.fingerprint().to_string();
    published(&stage, "the retired key with its items", |key| {
        key["fingerprint"] == fingerprint.as_str() && key["state"] == "retired" && key["items"] == 2
    })
    .await?;
    controller.logged("a retired key still holds items").await?;
    let metric =
        format!("signet_sealing_key_items{{fingerprint=\"{fingerprint}\",state=\"retired\"}} 2");
    assert!(controller.metrics().await?.contains(&metric));
    Ok(())
}

#[tokio::test]
async fn malformed_and_mismatched_key_secrets_are_reported_and_change_nothing()
-> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (good, other) = (pair(2)?, pair(1)?);
    stage.add_key("good", &good, Some("active")).await?;
    stage
        .add_key_pem("garbled", "no key", "no certificate", Some("active"))
        .await?;
    let private = String::from_utf8_lossy(other.private_key().to_pem().expose()).into_owned();
    let certificate = good.certificate().to_pem();
    stage
        .add_key_pem("mismatched", &private, &certificate, Some("active"))
        .await?;
    let controller = stage.start().await?;
    stage.serves(&controller, good.public_key()).await?;
    for (name, text) in [("garbled", "private key"), ("mismatched", "another key")] {
        let event = stage
            .cluster
            .event(&stage.secret(name), "KeyUnusable")
            .await?;
        let message = event["message"].as_str().unwrap_or_default();
        assert!(message.contains(text), "{message}");
    }
    stage
        .deliver(good.public_key(), "fine", &[("a", "1")])
        .await?;
    // And one that turns bad while the controller runs.
    let spoilt = json!({"stringData": {"tls.key": "spoilt"}});
    stage.add_key("later", &other, Some("active")).await?;
    stage.serves(&controller, other.public_key()).await?;
    stage.cluster.merge(&stage.secret("later"), &spoilt).await?;
    stage.serves(&controller, good.public_key()).await
}

#[tokio::test]
async fn the_oldest_key_secret_has_no_label() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let legacy = pair(1)?;
    stage.add_key("sealed-secrets-key", &legacy, None).await?;
    let controller = stage.start().await?;
    stage.serves(&controller, legacy.public_key()).await?;
    stage
        .deliver(legacy.public_key(), "old-times", &[("a", "1")])
        .await?;
    assert!(stage.keys().await?.is_empty(), "no other key was made");
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_brought_in_pkcs8_is_used() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    // Made by `openssl req -x509 -newkey rsa:2048 -nodes`, which writes PKCS#8, and used nowhere else.
    let vector = tests::cache::repository().join("tests/vectors/sealing-key");
    let private = std::fs::read_to_string(vector.join("tls.key"))?;
    let certificate = std::fs::read_to_string(vector.join("tls.crt"))?;
    stage
        .add_key_pem("brought", &private, &certificate, Some("active"))
        .await?;
    let controller = stage.start().await?;
    let (_, pem) = controller.get("/v1/cert.pem").await?;
    assert_eq!(pem.trim(), certificate.trim());
    stage
        .deliver(
            served(&controller).await?.public_key(),
            "fine",
            &[("a", "1")],
        )
        .await
}

#[tokio::test]
async fn a_name_that_is_taken_by_something_else_is_walked_past() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let mut controller = stage.start().await?;
    let first = stage.keys_are(1).await?.remove(0);
    let name = first["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    controller.terminate().await?;
    stage.cluster.delete(&stage.secret(&name)).await?;
    let squatting = tests::objects::secret(&stage.namespace, &name, &[("a", b"b")]);
    stage.cluster.create(&squatting).await?;
    let again = stage.start().await?;
    let made = stage.keys_are(1).await?.remove(0);
    assert_ne!(made["metadata"]["name"], name.as_str());
    stage
        .deliver(served(&again).await?.public_key(), "fine", &[("a", "1")])
        .await
}

#[tokio::test]
async fn the_published_certificates_are_put_right() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let fingerprint = served(&controller)
        .await?
        .public_key()
        .fingerprint()
        .to_string();
    let is_current = |key: &serde_json::Value| {
        key["fingerprint"] == fingerprint.as_str() && key["state"] == "current"
    };
    published(&stage, "the current key", is_current).await?;
    let at = Coordinates::config_map(&stage.namespace, PUBLISHED);
    stage
        .cluster
        .merge(&at, &json!({"data": {"keys.json": "{}", "x": "y"}}))
        .await?;
    published(&stage, "the current key again", is_current).await?;
    assert!(stage.cluster.must_get(&at).await?["data"]["x"].is_null());
    stage.cluster.delete(&at).await?;
    published(&stage, "the ConfigMap again", is_current).await
}

#[tokio::test]
async fn nothing_that_is_sealed_becomes_a_key() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let certificate = served(&controller).await?;
    let mut labelled = stage.sealed(certificate.public_key(), "trojan", &[("tls.key", "x")]);
    labelled["spec"]["template"] = json!({"metadata": {"labels": {KEY_LABEL: "active"}}});
    stage.cluster.create(&labelled).await?;
    assert!(stage.refused("trojan").await?.contains("sealing key"));
    let named = stage.sealed(
        certificate.public_key(),
        "sealed-secrets-key",
        &[("tls.key", "x")],
    );
    stage.cluster.create(&named).await?;
    assert!(
        stage
            .refused("sealed-secrets-key")
            .await?
            .contains("sealing key")
    );
    assert_eq!(stage.keys().await?.len(), 1);
    assert!(stage.cluster.get(&stage.secret("trojan")).await?.is_none());
    stage.serves(&controller, certificate.public_key()).await
}

#[tokio::test]
async fn a_sealed_secret_cannot_overwrite_a_key() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let certificate = served(&controller).await?;
    let key = stage.keys_are(1).await?.remove(0);
    let name = key["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let annotated = json!({"metadata": {"annotations": {
        "sealedsecrets.bitnami.com/managed": "true", "sealedsecrets.bitnami.com/patch": "true",
    }}});
    stage
        .cluster
        .merge(&stage.secret(&name), &annotated)
        .await?;
    let label = keys::Label::new(keys::Scope::Strict, &stage.namespace, &name);
    let mut overwriting = stage.sealed(certificate.public_key(), &name, &[]);
    overwriting["spec"]["encryptedData"]["tls.key"] =
        sealed(certificate.public_key(), &label, b"x").into();
    stage.cluster.create(&overwriting).await?;
    assert!(stage.refused(&name).await?.contains("never written to"));
    let after = stage.cluster.must_get(&stage.secret(&name)).await?;
    assert_eq!(after["data"], key["data"]);
    Ok(())
}

/// Waits until the published keys hold one of which this is true.
async fn published(
    stage: &Stage,
    what: &str,
    is_it: impl Fn(&serde_json::Value) -> bool,
) -> Result<(), Failure> {
    let at = Coordinates::config_map(&stage.namespace, PUBLISHED);
    eventually(&format!("{what} in {at}"), async || {
        let map = stage.cluster.get(&at).await?.unwrap_or_default();
        let text = map["data"]["keys.json"].as_str().unwrap_or("{}").to_owned();
        let index: serde_json::Value = serde_json::from_str(&text)?;
        let found = index["keys"].as_array().into_iter().flatten().any(&is_it);
        Ok(Observation::when(found, || text))
    })
    .await
}
