//! How soon an ExternalSecret follows what it depends on, whatever else goes on.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{
    ControlPlane, Coordinates, Failure, Fault, Observation, eventually, eventually_within, objects,
};
use tokio::sync::{Mutex, MutexGuard};

use crate::stage::{Shared, Stage, store};

/// Regions whose requests hang.
const SLOW: &str = "eu-central-1";
const BRIEFLY_SLOW: &str = "eu-north-1";
/// Long before a hanging request is given up, and before an object that failed some times is tried
/// again by itself.
const SOON: Duration = Duration::from_secs(4);
/// After so many failures the next attempt is eight seconds or more away.
const FAILURES: u64 = 4;

/// A controller that works on one ExternalSecret at a time, while no other test presses it, and a
/// namespace.
struct Alone {
    shared: MutexGuard<'static, Shared>,
    stage: Stage,
}

impl Alone {
    async fn start() -> Result<Self, Failure> {
        static PLANE: tests::Shared<ControlPlane> = tests::Shared::const_new();
        static SHARED: tests::Shared<Mutex<Shared>> = tests::Shared::const_new();
        let start = async || {
            let plane = tests::share(&PLANE, ControlPlane::start).await?;
            let shared = Shared::on(plane, |builder| builder.flag("concurrent", "1")).await?;
            Ok::<_, Failure>(Mutex::new(shared))
        };
        let shared = tests::share(&SHARED, start).await?.lock().await;
        let stage = shared.stage().await?;
        Ok(Self { shared, stage })
    }

    /// A secret `db` in AWS.
    async fn with_db(&self, value: &str) -> Result<(), Failure> {
        let name = self.stage.remote("db");
        self.shared.aws.create_secret(&name, value).await
    }

    /// Waits until an object has failed so often that it is not tried again soon by itself.
    async fn fails_again_and_again(&self, name: &str) -> Result<(), Failure> {
        let labels = format!(
            "externalsecret_sync_calls_error{{name=\"{name}\",namespace=\"{}\"}} ",
            self.stage.namespace
        );
        eventually("failures", async || {
            let metrics = self.shared.controller.metrics().await?;
            let line = metrics.lines().find_map(|line| line.strip_prefix(&labels));
            let count: u64 = line.and_then(|count| count.parse().ok()).unwrap_or(0);
            Ok(Observation::when(count >= FAILURES, || count.to_string()))
        })
        .await
    }

    /// Waits until somebody has asked for something in a region.
    async fn has_asked(&self, region: &str) -> Result<(), Failure> {
        eventually("a request that hangs", async || {
            let calls = self.shared.aws.calls();
            let asked = calls.iter().any(|call| call.region == region);
            Ok(Observation::when(asked, || String::from("none")))
        })
        .await
    }

    /// How many ExternalSecrets were gone through until now, and the metrics that say so.
    async fn reconciles(&self) -> Result<(u64, String), Failure> {
        let metrics = self.shared.controller.metrics().await?;
        let name = "signet_reconcile_seconds_count{kind=\"externalsecret\"} ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let count = line.ok_or_else(|| Failure::new("the reconciles are not counted"))?;
        Ok((count.parse()?, metrics))
    }

    /// Waits until an object is in step, and no longer than [`SOON`].
    async fn is_synced_soon(&self, name: &str) -> Result<(), Failure> {
        let at = self.stage.at(name);
        eventually_within(SOON, "the end of its failures", async || {
            let object = self.stage.cluster.must_get(&at).await?;
            let ready = object["status"]["conditions"][0]["status"] == "True";
            Ok(Observation::when(ready, || object["status"].to_string()))
        })
        .await
    }

    async fn holds_soon(&self, name: &str, value: &[u8]) -> Result<(), Failure> {
        let (cluster, namespace) = (&self.stage.cluster, &self.stage.namespace);
        eventually_within(SOON, "the value", async || {
            let data = cluster.secret_data(namespace, name).await?;
            let found = data.and_then(|mut data| data.remove("value"));
            Ok(Observation::when(found.as_deref() == Some(value), || {
                String::from("another")
            }))
        })
        .await
    }
}

fn of_store(mut object: Value, kind: &str, name: &str) -> Value {
    object["spec"]["secretStoreRef"] = json!({"name": name, "kind": kind});
    object["spec"]["refreshInterval"] = json!("1h");
    object
}

#[tokio::test]
async fn who_waits_for_a_slow_store_keeps_nobody_else_waiting() -> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    let mut slow = store("SecretStore", "slow", &stage.namespace);
    slow["spec"]["provider"]["aws"]["region"] = json!(SLOW);
    stage.cluster.create(&slow).await?;
    alone.with_db("value").await?;
    let hanging = format!("GetSecretValue@{SLOW}");
    let faults = alone.shared.aws.faults();
    faults.always(&hanging, Fault::Delay(Duration::from_secs(60)));
    let waiting = of_store(
        stage.one_value("waiting", "db", None),
        "SecretStore",
        "slow",
    );
    stage.cluster.create(&waiting).await?;
    alone.has_asked(SLOW).await?;
    let quick = of_store(stage.one_value("quick", "db", None), "SecretStore", "aws");
    stage.cluster.create(&quick).await?;
    alone.holds_soon("quick", b"value").await?;
    stage.cluster.delete(&stage.at("waiting")).await
}

#[tokio::test]
async fn a_store_that_turns_ready_wakes_those_who_wait_for_it() -> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    alone.with_db("value").await?;
    let mut later = store("SecretStore", "later", &stage.namespace);
    let auth = &mut later["spec"]["provider"]["aws"]["auth"]["secretRef"];
    auth["accessKeyIDSecretRef"]["name"] = json!("later-key");
    auth["secretAccessKeySecretRef"]["name"] = json!("later-key");
    stage.cluster.create(&later).await?;
    let object = of_store(stage.one_value("app", "db", None), "SecretStore", "later");
    stage.cluster.create(&object).await?;
    alone.fails_again_and_again("app").await?;
    let pairs: [(&str, &[u8]); 2] = [("id", b"AKIALATER"), ("secret", b"x")];
    let key = objects::secret(&stage.namespace, "later-key", &pairs);
    stage.cluster.create(&key).await?;
    alone.is_synced_soon("app").await
}

#[tokio::test]
async fn a_namespace_that_gets_its_label_wakes_those_in_it() -> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    alone.with_db("value").await?;
    let mut guarded = store("ClusterSecretStore", "guarded", &stage.namespace);
    guarded["spec"]["conditions"] =
        json!([{"namespaceSelector": {"matchLabels": {"secrets": "allowed"}}}]);
    stage.cluster.create(&guarded).await?;
    let object = stage.one_value("app", "db", None);
    let object = of_store(object, "ClusterSecretStore", "guarded");
    stage.cluster.create(&object).await?;
    let denied = ["denied by spec.condition"];
    stage
        .refused(&alone.shared.controller, "app", &denied)
        .await?;
    alone.fails_again_and_again("app").await?;
    let namespace = Coordinates::new("v1", "Namespace", "", &stage.namespace);
    let label = json!({"metadata": {"labels": {"secrets": "allowed"}}});
    stage.cluster.merge(&namespace, &label).await?;
    alone.is_synced_soon("app").await
}

#[tokio::test]
async fn a_secret_that_a_template_comes_from_wakes_those_rendered_from_it() -> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    alone.with_db("x").await?;
    let source =
        |text: &str| objects::secret(&stage.namespace, "source", &[("value", text.as_bytes())]);
    stage.cluster.create(&source("one {{ .key }}")).await?;
    let from = json!([{"secret": {"name": "source", "items": [{"key": "value"}]}}]);
    let spec = json!({
        "refreshInterval": "1h",
        "target": {"template": {"templateFrom": from}},
        "data": [{"secretKey": "key", "remoteRef": {"key": stage.remote("db")}}],
    });
    stage
        .cluster
        .create(&stage.external_secret("app", spec))
        .await?;
    alone.holds_soon("app", b"one x").await?;
    stage.cluster.apply_value(&source("two {{ .key }}")).await?;
    alone.holds_soon("app", b"two x").await
}

/// Work that is due has places of its own: what is new does not queue behind it, even where both
/// have but one and the provider answers the one that is due late.
#[tokio::test]
async fn what_is_new_is_served_ahead_of_what_is_due() -> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    alone.with_db("value").await?;
    for index in 0..40 {
        // Each second, so that some of them are always due.
        let name = format!("due-{index}");
        stage
            .cluster
            .create(&stage.one_value(&name, "db", None))
            .await?;
    }
    for index in 0..40 {
        let at = stage.at(&format!("due-{index}"));
        stage.cluster.condition(&at, "Ready", "True").await?;
    }
    for round in 0..5 {
        let name = format!("new-{round}");
        let object = of_store(stage.one_value(&name, "db", None), "SecretStore", "aws");
        stage.cluster.create(&object).await?;
        alone.holds_soon(&name, b"value").await?;
    }
    for index in 0..40 {
        let at = stage.at(&format!("due-{index}"));
        stage.cluster.delete(&at).await?;
    }
    Ok(())
}

/// The incumbent leaves series of objects that are gone (5223).
#[tokio::test]
async fn nothing_is_kept_of_an_object_that_goes_while_it_waits_for_the_provider()
-> Result<(), Failure> {
    let alone = Alone::start().await?;
    let stage = &alone.stage;
    let mut slow = store("SecretStore", "slow", &stage.namespace);
    slow["spec"]["provider"]["aws"]["region"] = json!(BRIEFLY_SLOW);
    stage.cluster.create(&slow).await?;
    let hanging = format!("GetSecretValue@{BRIEFLY_SLOW}");
    let delay = Fault::Delay(Duration::from_secs(2));
    alone.shared.aws.faults().always(&hanging, delay);
    let object = of_store(stage.one_value("going", "db", None), "SecretStore", "slow");
    stage.cluster.create(&object).await?;
    alone.has_asked(BRIEFLY_SLOW).await?;
    let before = alone.reconciles().await?.0;
    stage.cluster.delete(&stage.at("going")).await?;
    let (_, metrics) = eventually("the end of its reconcile", async || {
        let found = alone.reconciles().await?;
        let more = found.0 > before;
        Ok(Observation::of(more.then_some(found), || {
            before.to_string()
        }))
    })
    .await?;
    let left: Vec<&str> = metrics
        .lines()
        .filter(|line| line.contains("\"going\""))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}
