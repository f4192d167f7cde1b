//! AWS that refuses, throttles, fails, or is not there, and AWS that is slow (`fresh`). One test at a
//! time: they share one AWS.

#[path = "external/denied.rs"]
mod denied;
#[path = "external/fresh.rs"]
mod fresh;
#[path = "external/stage.rs"]
mod stage;

use tests::{Failure, Fault, Observation, eventually};
use tokio::sync::{Mutex, MutexGuard};

use crate::stage::{Shared, Stage};

/// The AWS and the controller, while no other test disturbs them.
async fn alone() -> Result<MutexGuard<'static, Shared>, Failure> {
    static SHARED: tests::Shared<Mutex<Shared>> = tests::Shared::const_new();
    let start = async || Ok::<_, Failure>(Mutex::new(Shared::start().await?));
    Ok(tests::share(&SHARED, start).await?.lock().await)
}

/// A synced ExternalSecret `db` with the value `first`.
async fn synced(shared: &Shared) -> Result<Stage, Failure> {
    shared.aws.faults().clear();
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
    Ok(stage)
}

/// The fault is told of, what was written stays, and all is well when it is over.
async fn survives(shared: &Shared, stage: &Stage, fault: Fault, text: &str) -> Result<(), Failure> {
    for operation in ["GetSecretValue", "BatchGetSecretValue"] {
        shared.aws.faults().always(operation, fault.clone());
    }
    stage.refused(&shared.controller, "db", &[text]).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"first")
        .await?;
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    shared.aws.faults().clear();
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"second")
        .await?;
    stage
        .cluster
        .condition(&stage.at("db"), "Ready", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn refused_credentials_are_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let kind = "UnrecognizedClientException";
    let fault = Fault::aws(
        400,
        kind,
        "The security token included in the request is invalid.",
    );
    survives(&shared, &stage, fault, kind).await
}

#[tokio::test]
async fn a_missing_right_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let kind = "AccessDeniedException";
    let fault = Fault::aws(
        400,
        kind,
        "is not authorized to perform: secretsmanager:GetSecretValue",
    );
    survives(&shared, &stage, fault, kind).await
}

#[tokio::test]
async fn throttling_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let kind = "ThrottlingException";
    survives(
        &shared,
        &stage,
        Fault::aws(400, kind, "Rate exceeded"),
        kind,
    )
    .await
}

#[tokio::test]
async fn a_failure_inside_aws_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let kind = "InternalServiceError";
    survives(&shared, &stage, Fault::aws(500, kind, "try again"), kind).await
}

#[tokio::test]
async fn aws_that_cannot_be_reached_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let mut shared = alone().await?;
    let stage = synced(&shared).await?;
    shared.aws.stop();
    stage.refused(&shared.controller, "db", &[]).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"first")
        .await?;
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    shared.aws.resume().await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"second")
        .await
}

#[tokio::test]
async fn one_throttled_call_is_tried_again_without_anybody_noticing() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    for operation in ["GetSecretValue", "BatchGetSecretValue"] {
        shared
            .aws
            .faults()
            .next(operation, 1, Fault::aws(400, "ThrottlingException", "slow"));
    }
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "db", "value", b"second")
        .await?;
    let at = stage.at("db");
    eventually("a condition that is true", async || {
        let events = stage.cluster.events(&at).await?;
        let failed = events.iter().any(|event| event["reason"] == "UpdateFailed");
        assert!(!failed, "a single throttled call was told as a failure");
        let object = stage.cluster.must_get(&at).await?;
        let ready = object["status"]["conditions"][0]["status"] == "True";
        Ok(Observation::when(ready, || object["status"].to_string()))
    })
    .await
}
