//! What was written is remembered: a restart opens and writes nothing that is unchanged, and a change
//! opens only what changed.

mod sealing;

use keys::PublicKey;
use serde_json::{Value, json};
use tests::{
    ApiProxy, ControlPlane, Controller, ControllerBuilder, Failure, Observation, eventually,
};

use sealing::{Stage, counter, pair, served};

/// RSA private key operations, by the controller's own count.
const OPERATIONS: &str = "signet_rsa_operations_total";

/// SealedSecrets of one test, three items each.
const OBJECTS: usize = 20;

/// A stage whose controller is watched on its way to the API server.
struct Watched {
    stage: Stage,
    proxy: ApiProxy,
    builder: ControllerBuilder,
}

impl Watched {
    async fn set(plane: &'static ControlPlane) -> Result<Self, Failure> {
        let stage = Stage::on(plane).await?;
        let (proxy, builder) = stage.behind_a_proxy().await?;
        Ok(Self {
            stage,
            proxy,
            builder,
        })
    }

    /// Many Secrets, delivered.
    async fn deliver(&self, key: &PublicKey) -> Result<(), Failure> {
        for number in 0..OBJECTS {
            let values = [("a", "1"), ("b", "2"), ("c", "3")];
            let sealed = self.stage.sealed(key, &format!("x{number}"), &values);
            self.stage.cluster.create(&sealed).await?;
        }
        for number in 0..OBJECTS {
            let at = self.stage.at(&format!("x{number}"));
            self.stage.cluster.condition(&at, "Synced", "True").await?;
        }
        Ok(())
    }

    /// What the controller wrote to Secrets and SealedSecrets since the proxy forgot.
    fn written(&self) -> Vec<String> {
        let mut writes = self.proxy.changes();
        writes.retain(|write| {
            write.resource == "secrets" || write.resource.starts_with("sealedsecrets")
        });
        writes.iter().map(ToString::to_string).collect()
    }

    /// Waits until a started controller has looked at everything: its census knows all items.
    async fn counted(&self, controller: &Controller, items: usize) -> Result<(), Failure> {
        eventually("the census of all items", async || {
            let metrics = controller.metrics().await?;
            let gauges = metrics
                .lines()
                .filter(|line| line.starts_with("signet_sealing_key_items{"));
            let counted: usize = gauges
                .filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok())
                .sum();
            Ok(Observation::when(counted == items, || counted.to_string()))
        })
        .await
    }

    async fn versions(&self) -> Result<Vec<Value>, Failure> {
        let mut secrets = self
            .stage
            .cluster
            .list("v1", "Secret", &self.stage.namespace)
            .await?;
        secrets.sort_by_key(|secret| secret["metadata"]["name"].to_string());
        Ok(secrets
            .into_iter()
            .map(|secret| secret["metadata"]["resourceVersion"].clone())
            .collect())
    }
}

#[tokio::test]
async fn a_restart_does_no_rsa_operation_and_no_write() -> Result<(), Failure> {
    let world = Watched::set(ControlPlane::shared().await?).await?;
    let mut controller = world.builder.start().await?;
    let key = served(&controller).await?;
    world.deliver(key.public_key()).await?;
    assert_eq!(counter(&controller, OPERATIONS).await?, 3 * OBJECTS as u64);
    controller.terminate().await?;
    let versions = world.versions().await?;
    world.proxy.forget();
    let controller = world.builder.start().await?;
    world.counted(&controller, 3 * OBJECTS).await?;
    assert_eq!(counter(&controller, OPERATIONS).await?, 0);
    assert_eq!(world.written(), Vec::<String>::new());
    assert_eq!(world.proxy.reads().get("get sealedsecrets"), None);
    assert_eq!(world.versions().await?, versions);
    Ok(())
}

#[tokio::test]
async fn what_changed_while_nobody_looked_is_put_right_and_the_rest_left_alone()
-> Result<(), Failure> {
    let world = Watched::set(ControlPlane::shared().await?).await?;
    let mut controller = world.builder.start().await?;
    let key = served(&controller).await?;
    world.deliver(key.public_key()).await?;
    controller.terminate().await?;
    let stage = &world.stage;
    let edited = json!({"data": {"a": "ZWRpdGVk"}});
    stage.cluster.merge(&stage.secret("x0"), &edited).await?;
    stage.cluster.delete(&stage.secret("x1")).await?;
    let annotated = json!({"metadata": {"annotations": {"theirs": "kept"}}});
    stage.cluster.merge(&stage.secret("x2"), &annotated).await?;
    let sealed = stage.sealed(key.public_key(), "x3", &[("a", "new")]);
    let items = json!({"spec": {"encryptedData": {"a": sealed["spec"]["encryptedData"]["a"]}}});
    stage.cluster.merge(&stage.at("x3"), &items).await?;
    world.proxy.forget();
    let controller = world.builder.start().await?;
    stage.holds("x0", &[("a", "1")]).await?;
    stage.holds("x1", &[("a", "1"), ("b", "2")]).await?;
    stage.holds("x3", &[("a", "new"), ("b", "2")]).await?;
    world.counted(&controller, 3 * OBJECTS).await?;
    // All of x0, x1 and x2, for their Secrets are not as we wrote them; one item of x3.
    assert_eq!(counter(&controller, OPERATIONS).await?, 10);
    let secrets: Vec<String> = world
        .written()
        .into_iter()
        .filter(|write| !write.contains("sealedsecrets"))
        .collect();
    assert_eq!(secrets.len(), 3, "{secrets:#?}");
    let kept = stage.cluster.must_get(&stage.secret("x2")).await?;
    assert_eq!(kept["metadata"]["annotations"]["theirs"], "kept");
    Ok(())
}

#[tokio::test]
async fn a_change_of_one_item_opens_one_item() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    let values: Vec<(String, String)> = (0..10).map(|n| (format!("k{n}"), n.to_string())).collect();
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    stage.deliver(key.public_key(), "ten", &values).await?;
    stage
        .cluster
        .condition(&stage.at("ten"), "Synced", "True")
        .await?;
    assert_eq!(counter(&controller, OPERATIONS).await?, 10);
    let sealed = stage.sealed(key.public_key(), "ten", &[("k3", "changed")]);
    let items = json!({"spec": {"encryptedData": sealed["spec"]["encryptedData"]}});
    stage.cluster.merge(&stage.at("ten"), &items).await?;
    stage
        .holds("ten", &[("k3", "changed"), ("k4", "4")])
        .await?;
    assert_eq!(counter(&controller, OPERATIONS).await?, 11);
    Ok(())
}

#[tokio::test]
async fn an_edit_of_somebody_else_costs_no_rsa_operation() -> Result<(), Failure> {
    let stage = Stage::set().await?;
    let controller = stage.start().await?;
    let key = served(&controller).await?;
    stage
        .deliver(key.public_key(), "x", &[("a", "1"), ("b", "2")])
        .await?;
    stage
        .cluster
        .condition(&stage.at("x"), "Synced", "True")
        .await?;
    let theirs = json!({"metadata": {"annotations": {"theirs": "1"}, "labels": {"theirs": "1"}}});
    stage.cluster.merge(&stage.secret("x"), &theirs).await?;
    // An edit of ours comes after theirs, so once it is put right theirs was looked at too.
    stage
        .cluster
        .merge(&stage.secret("x"), &json!({"data": {"a": "ZWRpdGVk"}}))
        .await?;
    stage.holds("x", &[("a", "1")]).await?;
    let secret = stage.cluster.must_get(&stage.secret("x")).await?;
    assert_eq!(secret["metadata"]["annotations"]["theirs"], "1");
    assert_eq!(secret["metadata"]["labels"]["theirs"], "1");
    assert_eq!(
        counter(&controller, OPERATIONS).await?,
        3,
        "only the edited item is opened again"
    );
    Ok(())
}

#[tokio::test]
async fn a_wrong_hint_costs_one_operation_for_each_key_and_a_right_one_costs_one()
-> Result<(), Failure> {
    let stage = Stage::set().await?;
    let pairs = [pair(4)?, pair(3)?, pair(2)?, pair(1)?];
    for (number, pair) in pairs.iter().enumerate() {
        stage
            .add_key(&format!("key{number}"), pair, Some("active"))
            .await?;
    }
    let controller = stage.start().await?;
    stage.serves(&controller, pairs[3].public_key()).await?;
    stage
        .deliver(pairs[0].public_key(), "first", &[("a", "1")])
        .await?;
    let first = counter(&controller, OPERATIONS).await?;
    assert!((1..=4).contains(&first), "{first}");
    // From now on the key that opened last is tried first.
    stage
        .deliver(pairs[0].public_key(), "second", &[("a", "1")])
        .await?;
    assert_eq!(counter(&controller, OPERATIONS).await?, first + 1);
    Ok(())
}

#[tokio::test]
async fn with_the_incumbents_definition_everything_works_and_one_line_says_what_is_lost()
-> Result<(), Failure> {
    // A control plane of its own: theirs prunes the status fields that we remember by.
    let definition = sealing::incumbents_definition().await?;
    let plane: &'static ControlPlane =
        Box::leak(Box::new(ControlPlane::start_with(&[definition]).await?));
    let world = Watched::set(plane).await?;
    let mut controller = world.builder.start().await?;
    let key = served(&controller).await?;
    world.deliver(key.public_key()).await?;
    let object = world.stage.cluster.must_get(&world.stage.at("x0")).await?;
    assert!(object["status"]["written"].is_null());
    let log = controller.log()?;
    assert_eq!(log.matches("status.written").count(), 1, "{log}");
    eventually("one event for each Secret", async || {
        let told = unsealed(&world).await?;
        Ok(Observation::when(told == OBJECTS, || told.to_string()))
    })
    .await?;
    let versions = world.versions().await?;
    controller.terminate().await?;
    let controller = world.builder.start().await?;
    world.counted(&controller, 3 * OBJECTS).await?;
    assert_eq!(world.versions().await?, versions);
    assert_eq!(unsealed(&world).await?, OBJECTS, "none for the restart");
    Ok(())
}

/// How many Events tell of an opened SealedSecret.
async fn unsealed(world: &Watched) -> Result<usize, Failure> {
    let events = world
        .stage
        .cluster
        .list("v1", "Event", &world.stage.namespace)
        .await?;
    Ok(events
        .iter()
        .filter(|event| event["reason"] == "Unsealed")
        .count())
}
