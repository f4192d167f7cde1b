//! The API server killed and started again, and clocks that jumped. In the end every Secret equals its
//! source, and no key is lost or doubled.

mod sealing;

use std::time::{Duration, SystemTime};

use k8s_openapi::jiff::Timestamp;
use keys::{KeyPair, KeySize, Label, PublicKey, Scope, Validity};
use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Observation,
    eventually, eventually_within,
};

use sealing::{KEY_LABEL, Stage, pair, sealed, served};

const OBJECTS: usize = if cfg!(feature = "soak") { 200 } else { 20 };
const RESTARTS: usize = if cfg!(feature = "soak") { 4 } else { 2 };

/// A leader that cannot renew its Lease ends and is started again, as a kubelet does.
const LIMIT: Duration = Duration::from_secs(180);

#[tokio::test]
async fn an_api_server_that_is_killed_and_comes_back_loses_nothing() -> Result<(), Failure> {
    let mut plane = ControlPlane::start().await?;
    let cluster = plane.cluster().await?;
    let namespace = cluster.namespace("outage").await?;
    let builder = ControllerBuilder::new(plane.admin(), &namespace)?
        .parts("sealed")
        .flag("all-namespaces", "false")
        .flag("key-size", "2048");
    let mut controller = builder.start().await?;
    let key = served(&controller).await?;
    for number in 0..OBJECTS {
        let object = object(key.public_key(), &namespace, number, "0");
        cluster.create(&object).await?;
    }
    for round in 1..=RESTARTS {
        // The controller is in the middle of what the round before has changed.
        plane.restart_api_server().await?;
        for number in 0..OBJECTS {
            let object = object(key.public_key(), &namespace, number, &round.to_string());
            let items = json!({"spec": {"encryptedData": object["spec"]["encryptedData"]}});
            cluster.merge(&at(&namespace, number), &items).await?;
        }
    }
    plane.restart_api_server().await?;
    let expected = RESTARTS.to_string();
    eventually_within(LIMIT, "every Secret as its source", async || {
        if controller.process().ended()?.is_some() {
            controller = builder.start().await?;
        }
        let wrong = differing(&cluster, &namespace, &expected).await?;
        Ok(Observation::when(wrong.is_empty(), || wrong.join(", ")))
    })
    .await?;
    let labelled = |secret: &Value| !secret["metadata"]["labels"][KEY_LABEL].is_null();
    let mut secrets = cluster.list("v1", "Secret", &namespace).await?;
    secrets.retain(labelled);
    assert_eq!(secrets.len(), 1);
    Ok(())
}

fn name(number: usize) -> String {
    format!("x{number}")
}

fn at(namespace: &str, number: usize) -> Coordinates {
    Coordinates::new(
        "bitnami.com/v1alpha1",
        "SealedSecret",
        namespace,
        &name(number),
    )
}

fn object(key: &PublicKey, namespace: &str, number: usize, value: &str) -> Value {
    let name = name(number);
    let label = Label::new(Scope::Strict, namespace, &name);
    json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"encryptedData": {"a": sealed(key, &label, value.as_bytes())}},
    })
}

/// The names of those whose Secret is not there, or holds something else, or is not said to be synced.
async fn differing(
    cluster: &Cluster,
    namespace: &str,
    expected: &str,
) -> Result<Vec<String>, Failure> {
    let expected = keys::encode_base64(expected.as_bytes());
    let mut wrong = Vec::new();
    for number in 0..OBJECTS {
        let name = name(number);
        let secret = cluster.get(&Coordinates::secret(namespace, &name)).await?;
        let sealed = cluster.must_get(&at(namespace, number)).await?;
        let generation = &sealed["metadata"]["generation"];
        let holds = secret.is_some_and(|secret| secret["data"]["a"] == expected.as_str());
        if !holds || sealed["status"]["observedGeneration"] != *generation {
            wrong.push(name);
        }
    }
    Ok(wrong)
}

const DAY: u64 = 86_400;

/// A key pair whose certificate begins in so many days, as one made before the clock went back.
fn pair_of_the_future(days: u64) -> Result<KeyPair, Failure> {
    let start = SystemTime::now() + Duration::from_secs(DAY * days);
    let validity = Validity::starting(start, Duration::from_secs(DAY * 365));
    Ok(KeyPair::generate(KeySize::Bits2048, validity, "")?)
}

#[tokio::test]
async fn a_clock_that_went_back_neither_makes_a_key_nor_loses_one() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let (past, future) = (pair(24)?, pair_of_the_future(400)?);
    stage.add_key("past", &past, Some("active")).await?;
    stage.add_key("future", &future, Some("active")).await?;
    let mut controller = stage.start().await?;
    stage.serves(&controller, future.public_key()).await?;
    stage.deliver(past.public_key(), "x", &[("a", "1")]).await?;
    stage
        .deliver(future.public_key(), "y", &[("a", "2")])
        .await?;
    // What the status says of the time is of no consequence.
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    controller.terminate().await?;
    let controller = stage.start().await?;
    stage.serves(&controller, future.public_key()).await?;
    stage.deliver(past.public_key(), "z", &[("a", "3")]).await?;
    assert_eq!(stage.keys().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_went_forward_makes_one_key_and_loses_none() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    // For who looks at the certificate, 400 days have passed at once, and it has expired.
    let old = pair(24 * 400)?;
    stage.add_key("old", &old, Some("active")).await?;
    let mut controller = stage.start().await?;
    stage.keys_are(2).await?;
    stage.deliver(old.public_key(), "x", &[("a", "1")]).await?;
    let certificate = served(&controller).await?;
    controller.terminate().await?;
    let controller = stage.start().await?;
    stage.serves(&controller, certificate.public_key()).await?;
    stage
        .deliver(certificate.public_key(), "y", &[("a", "2")])
        .await?;
    assert_eq!(stage.keys().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_lease_from_another_clock_is_judged_by_our_own() -> Result<(), Failure> {
    for days in [-1, 1] {
        let stage = Stage::set().await?;
        let renewed = Timestamp::now() + hours(24 * days);
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "signet-controller", "namespace": stage.namespace},
            "spec": {
                "holderIdentity": "killed", "leaseDurationSeconds": 10, "leaseTransitions": 0,
                "acquireTime": micro(renewed), "renewTime": micro(renewed),
            },
        });
        stage.cluster.create(&lease).await?;
        stage.add_key("key", &pair(1)?, Some("active")).await?;
        let controller = stage.start().await?;
        follows(&controller, &stage).await?;
    }
    Ok(())
}

/// Waits until the controller has taken over.
async fn follows(controller: &Controller, stage: &Stage) -> Result<(), Failure> {
    let key = served(controller).await?;
    let at = Coordinates::new(
        "coordination.k8s.io/v1",
        "Lease",
        &stage.namespace,
        "signet-controller",
    );
    eventually("another holder of the Lease", async || {
        let lease = stage.cluster.must_get(&at).await?;
        let holder = lease["spec"]["holderIdentity"].clone();
        Ok(Observation::when(holder != "killed", || holder.to_string()))
    })
    .await?;
    stage.deliver(key.public_key(), "x", &[("a", "1")]).await
}

fn hours(hours: i64) -> k8s_openapi::jiff::SignedDuration {
    k8s_openapi::jiff::SignedDuration::from_hours(hours)
}

/// As the API server wants the time of a Lease.
fn micro(moment: Timestamp) -> String {
    format!("{moment:.6}")
}
