//! What ExternalSecrets cost: calls of AWS and writes to the API server.

#[path = "external/stage.rs"]
mod stage;

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    ControlPlane, ControllerBuilder, Coordinates, Failure, Fault, Moto, Observation,
    eventually_within, rights,
};
use tokio::sync::Mutex;

use crate::stage::{Shared, Stage};

/// One test at a time: they count the calls of one AWS.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn ready(stage: &Stage, names: &[String]) -> Result<(), Failure> {
    eventually_within(Duration::from_secs(120), "all to be synced", async || {
        let all = stage
            .cluster
            .list("external-secrets.io/v1", "ExternalSecret", &stage.namespace)
            .await?;
        let synced = all.iter().filter(|object| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            names.iter().any(|wanted| wanted == name)
                && object["status"]["conditions"][0]["status"] == "True"
        });
        let count = synced.count();
        Ok(Observation::when(count == names.len(), || {
            format!("{count} of {} are", names.len())
        }))
    })
    .await
}

fn values(counts: &std::collections::BTreeMap<String, usize>) -> usize {
    let of = |operation| counts.get(operation).copied().unwrap_or_default();
    of("GetSecretValue") + of("BatchGetSecretValue")
}

#[tokio::test]
async fn a_hundred_over_forty_secrets_are_a_few_requests() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let shared = Shared::start().await?;
    let stage = shared.stage().await?;
    for index in 0..40 {
        shared
            .aws
            .create_secret(&stage.remote(&format!("s{index}")), "value")
            .await?;
    }
    // The first makes the store known, so that the others are not held back by it.
    let mut first = stage.one_value("first", "s0", None);
    first["spec"]["refreshInterval"] = json!("1h");
    stage.cluster.create(&first).await?;
    ready(&stage, &["first".to_owned()]).await?;
    let before = values(&shared.aws.counts());
    let names: Vec<String> = (0..100).map(|index| format!("es{index}")).collect();
    for (index, name) in names.iter().enumerate() {
        let mut object = stage.one_value(name, &format!("s{}", index % 40), None);
        object["spec"]["refreshInterval"] = json!("1h");
        stage.cluster.create(&object).await?;
    }
    ready(&stage, &names).await?;
    let calls = values(&shared.aws.counts()) - before;
    assert!(
        calls < 50,
        "{calls} calls for 100 ExternalSecrets; the incumbent makes 100"
    );
    Ok(())
}

/// Versions of everything that a controller that has nothing to do leaves alone.
async fn versions(stage: &Stage) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for (api_version, kind) in [
        ("external-secrets.io/v1", "ExternalSecret"),
        ("v1", "Secret"),
    ] {
        for object in stage
            .cluster
            .list(api_version, kind, &stage.namespace)
            .await?
        {
            found.push(json!([
                kind,
                object["metadata"]["name"],
                object["metadata"]["resourceVersion"]
            ]));
        }
    }
    found.sort_by_key(ToString::to_string);
    Ok(found)
}

#[tokio::test]
async fn a_restart_asks_aws_for_nothing_and_writes_nothing() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let plane = ControlPlane::shared().await?;
    let identity = rights::ours(plane).await?;
    let aws = Moto::start().await?;
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
        .parts("external")
        .aws(&aws);
    let mut controller = builder.start().await?;
    let stage = Stage::on(plane).await?;
    aws.create_secret(&stage.remote("db"), "value").await?;
    let names: Vec<String> = (0..20).map(|index| format!("es{index}")).collect();
    for name in &names {
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["refreshInterval"] = json!("1h");
        stage.cluster.create(&object).await?;
    }
    ready(&stage, &names).await?;
    controller.terminate().await?;
    let (before, calls) = (versions(&stage).await?, aws.counts());
    let again = builder.start().await?;
    // An object that is made now and served shows that the others had their turn.
    aws.create_secret(&stage.remote("later"), "value").await?;
    stage
        .cluster
        .create(&stage.one_value("later", "later", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "later", "value", b"value")
        .await?;
    let mut after = versions(&stage).await?;
    after.retain(|version| version[1] != "later");
    assert_eq!(after, before);
    let db = aws.calls().into_iter().skip(calls.values().sum());
    let db = db
        .filter(|call| format!("{call:?}").contains(&stage.remote("db")))
        .count();
    assert_eq!(db, 0, "calls for what was not due");
    // What was edited while nobody looked is put right without waiting for the interval.
    drop(again);
    let at = Coordinates::secret(&stage.namespace, "es0");
    stage
        .cluster
        .merge(&at, &json!({"data": {"value": "eA=="}}))
        .await?;
    let _third = builder.start().await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "es0", "value", b"value")
        .await
}

#[tokio::test]
async fn where_batches_are_denied_secrets_are_read_one_by_one() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let shared = Shared::start().await?;
    let stage = shared.stage().await?;
    let denied = Fault::aws(
        400,
        "AccessDeniedException",
        "not authorized: BatchGetSecretValue",
    );
    shared.aws.faults().always("BatchGetSecretValue", denied);
    let names = ["one", "two", "three"].map(str::to_owned);
    let data = names
        .iter()
        .map(|name| json!({"secretKey": name, "remoteRef": {"key": stage.remote(name)}}));
    let spec = json!({"refreshInterval": "1h", "data": data.collect::<Vec<_>>()});
    for name in &names {
        shared.aws.create_secret(&stage.remote(name), name).await?;
    }
    stage
        .cluster
        .create(&stage.external_secret("all", spec))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "all", "three", b"three")
        .await?;
    // Other namespaces of the cluster may ask for theirs: only these count.
    let calls = shared.aws.calls();
    let single = calls.iter().filter(|call| {
        let id = call.body["SecretId"].as_str().unwrap_or_default();
        call.operation == "GetSecretValue" && id.starts_with(&stage.namespace)
    });
    assert_eq!(single.count(), 3);
    stage
        .cluster
        .create(&stage.one_value("missing", "nowhere", None))
        .await?;
    stage
        .refused(&shared.controller, "missing", &[&stage.remote("nowhere")])
        .await?;
    let batches = shared.aws.counts().get("BatchGetSecretValue").copied();
    assert_eq!(batches, Some(1), "a denial is remembered");
    Ok(())
}

#[tokio::test]
async fn who_waits_for_aws_does_not_hold_up_the_end() -> Result<(), Failure> {
    let _alone = ALONE.lock().await;
    let mut shared = Shared::start().await?;
    let stage = shared.stage().await?;
    // Longer than three attempts of ten seconds, and than a Pod is given to end.
    let hanging = Fault::Delay(Duration::from_secs(60));
    shared.aws.faults().always("GetSecretValue", hanging);
    stage
        .cluster
        .create(&stage.one_value("waiting", "db", None))
        .await?;
    eventually_within(
        Duration::from_secs(60),
        "a request that hangs",
        async || {
            let asked = shared.aws.counts().contains_key("GetSecretValue");
            Ok(Observation::when(asked, || String::from("none")))
        },
    )
    .await?;
    let asked_to_end = std::time::Instant::now();
    let status = shared.controller.terminate().await?;
    assert!(status.success(), "{status}");
    let took = asked_to_end.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    Ok(())
}
