//! The sealing part disturbed: killed between any two writes, its API server refusing, gone, or with a
//! watch cut short. In the end every Secret equals its source, and no key is lost or doubled.

mod sealing;

use std::collections::BTreeMap;
use std::time::Duration;

use keys::{KeyPair, PublicKey};
use tests::{ApiProxy, ControllerBuilder, Failure, Fault, Observation, eventually};

use sealing::{Stage, in_order, pair, served};

/// How many SealedSecrets are worked on at the same time.
const OBJECTS: usize = if cfg!(feature = "soak") { 25 } else { 4 };

/// SealedSecrets that are changed while everything goes wrong.
const CHURNED: usize = if cfg!(feature = "soak") { 1_000 } else { 40 };

struct World {
    stage: Stage,
    proxy: ApiProxy,
    builder: ControllerBuilder,
}

impl World {
    async fn set() -> Result<Self, Failure> {
        let stage = Stage::set().await?;
        let (proxy, builder) = stage.behind_a_proxy().await?;
        Ok(Self {
            stage,
            proxy,
            builder,
        })
    }

    async fn create(&self, key: &PublicKey, count: usize) -> Result<(), Failure> {
        for number in 0..count {
            let sealed = self
                .stage
                .sealed(key, &name(number), &[("a", "1"), ("b", "2")]);
            self.stage.cluster.create(&sealed).await?;
        }
        Ok(())
    }

    /// Waits until every SealedSecret is synced and its Secret holds what was sealed, and checks that
    /// there is nothing else.
    async fn equals_its_source(&self, count: usize, a: &str) -> Result<(), Failure> {
        for number in 0..count {
            let name = name(number);
            self.stage.holds(&name, &[("a", a), ("b", "2")]).await?;
            self.stage
                .cluster
                .condition(&self.stage.at(&name), "Synced", "True")
                .await?;
        }
        let secrets = self
            .stage
            .cluster
            .list("v1", "Secret", &self.stage.namespace)
            .await?;
        let mut owners = BTreeMap::<String, usize>::new();
        for secret in &secrets {
            let owner = &secret["metadata"]["ownerReferences"][0]["uid"];
            if let Some(owner) = owner.as_str() {
                *owners.entry(owner.to_owned()).or_default() += 1;
            }
        }
        assert_eq!(owners.len(), count);
        assert!(owners.values().all(|secrets| *secrets == 1), "{owners:#?}");
        Ok(())
    }

    /// A crash leaves the Lease to its holder, and nobody waits for that here.
    async fn expire_lease(&self) -> Result<(), Failure> {
        let at = tests::Coordinates::new(
            "coordination.k8s.io/v1",
            "Lease",
            &self.stage.namespace,
            "signet-controller",
        );
        if self.stage.cluster.get(&at).await?.is_some() {
            self.stage.cluster.delete(&at).await?;
        }
        Ok(())
    }
}

fn name(number: usize) -> String {
    format!("x{number}")
}

#[tokio::test]
async fn a_kill_after_any_write_changes_nothing_of_the_end() -> Result<(), Failure> {
    let undisturbed = World::set().await?;
    let key = pair(1)?;
    let writes = run(&undisturbed, &key).await?;
    // Two writes of each object, and those that publish the certificates and how many items they hold.
    let published = writes.checked_sub(2 * OBJECTS);
    assert!(matches!(published, Some(1..=3)), "{writes} writes");
    for k in 1..=writes {
        let world = World::set().await?;
        killed_after(&world, &key, k).await.map_err(|failure| {
            Failure::new(format!("killed after write {k} of {writes}: {failure}"))
        })?;
    }
    Ok(())
}

/// A run that nobody disturbs, and the number of its writes.
async fn run(world: &World, key: &KeyPair) -> Result<usize, Failure> {
    world.stage.add_key("key", key, Some("active")).await?;
    world.create(key.public_key(), OBJECTS).await?;
    let _controller = world.builder.start().await?;
    world.equals_its_source(OBJECTS, "1").await?;
    Ok(world.proxy.changes().len())
}

async fn killed_after(world: &World, key: &KeyPair, k: usize) -> Result<(), Failure> {
    world.stage.add_key("key", key, Some("active")).await?;
    world.create(key.public_key(), OBJECTS).await?;
    world.proxy.hold_after(k);
    let controller = world.builder.start().await?;
    world.proxy.held().await?;
    drop(controller.kill()?);
    world.proxy.release();
    world.expire_lease().await?;
    let _next = world.builder.start().await?;
    world.equals_its_source(OBJECTS, "1").await?;
    assert_eq!(world.stage.keys().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_kill_while_the_first_key_is_made_leaves_one_key() -> Result<(), Failure> {
    let world = World::set().await?;
    world.proxy.hold_after(1);
    let scratch = tests::Scratch::new("killed")?;
    let controller = world.builder.start_unready(scratch)?;
    world.proxy.held().await?;
    drop(controller.kill()?);
    world.proxy.release();
    world.expire_lease().await?;
    let next = world.builder.start().await?;
    let certificate = served(&next).await?;
    assert_eq!(world.stage.keys().await?.len(), 1);
    world
        .stage
        .deliver(certificate.public_key(), "fine", &[("a", "1")])
        .await
}

#[tokio::test]
async fn refused_writes_are_tried_until_they_are_taken() -> Result<(), Failure> {
    let world = World::set().await?;
    let controller = world.builder.start().await?;
    let key = served(&controller).await?;
    for (operation, fault) in [
        (
            "create secrets",
            Fault::kubernetes(500, "InternalError", "etcd is slow"),
        ),
        (
            "create secrets",
            Fault::kubernetes(429, "TooManyRequests", "slow down"),
        ),
        ("create secrets", Fault::CutAfter),
        (
            "update sealedsecrets/status",
            Fault::kubernetes(409, "Conflict", "it was changed"),
        ),
        (
            "update sealedsecrets/status",
            Fault::kubernetes(500, "InternalError", "etcd is slow"),
        ),
        ("update sealedsecrets/status", Fault::CutAfter),
        // After a conflict the SealedSecret is read again.
        (
            "get sealedsecrets",
            Fault::kubernetes(503, "ServiceUnavailable", "starting"),
        ),
    ] {
        world.proxy.faults().next(operation, 3, fault);
    }
    world.create(key.public_key(), OBJECTS).await?;
    world.equals_its_source(OBJECTS, "1").await?;
    assert_eq!(world.proxy.faults().unmet(), []);
    assert_eq!(world.stage.keys().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn watches_that_are_cut_or_too_old_lose_nothing() -> Result<(), Failure> {
    let world = World::set().await?;
    let controller = world.builder.start().await?;
    let key = served(&controller).await?;
    world.create(key.public_key(), OBJECTS).await?;
    world.equals_its_source(OBJECTS, "1").await?;
    for operation in ["watch sealedsecrets", "watch secrets"] {
        let expired = Fault::kubernetes(410, "Expired", "too old resource version");
        world.proxy.faults().next(operation, 2, expired);
        world
            .proxy
            .faults()
            .next(operation, 2, Fault::expired_in_the_stream());
        world.proxy.faults().next(operation, 2, Fault::Cut);
    }
    let mut proxy = world.proxy;
    proxy.stop();
    // What happens while nobody watches is noticed afterwards.
    world
        .stage
        .cluster
        .delete(&world.stage.secret("x0"))
        .await?;
    let sealed = world
        .stage
        .sealed(key.public_key(), "x1", &[("a", "1"), ("b", "2")]);
    world.stage.cluster.delete(&world.stage.at("x1")).await?;
    world.stage.cluster.create(&sealed).await?;
    proxy.resume().await?;
    let world = World { proxy, ..world };
    world.equals_its_source(OBJECTS, "1").await?;
    eventually("every fault to be met", async || {
        let unmet = world.proxy.faults().unmet();
        Ok(Observation::when(unmet.is_empty(), || format!("{unmet:?}")))
    })
    .await
}

#[tokio::test]
async fn no_key_is_made_because_the_api_server_does_not_answer() -> Result<(), Failure> {
    let world = World::set().await?;
    let key = pair(1)?;
    world.stage.add_key("key", &key, Some("active")).await?;
    for _ in 0..2 {
        let refused = Fault::kubernetes(500, "InternalError", "etcd is slow");
        world.proxy.faults().next("list secrets", 3, refused);
    }
    let controller = world.builder.start().await?;
    world.stage.serves(&controller, key.public_key()).await?;
    world.create(key.public_key(), OBJECTS).await?;
    world.equals_its_source(OBJECTS, "1").await?;
    assert_eq!(world.stage.keys().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn everything_at_once_ends_well() -> Result<(), Failure> {
    let mut world = World::set().await?;
    let mut controller = world.builder.start().await?;
    let key = served(&controller).await?;
    world.create(key.public_key(), CHURNED).await?;
    for round in 0..3 {
        for (operation, fault) in [
            (
                "create secrets",
                Fault::kubernetes(500, "InternalError", "etcd is slow"),
            ),
            (
                "update secrets",
                Fault::kubernetes(409, "Conflict", "it was changed"),
            ),
            ("update sealedsecrets/status", Fault::CutAfter),
            (
                "create secrets",
                Fault::kubernetes(429, "TooManyRequests", "slow down"),
            ),
            ("watch secrets", Fault::Cut),
            ("watch sealedsecrets", Fault::expired_in_the_stream()),
            (
                "list sealedsecrets",
                Fault::kubernetes(410, "Expired", "the continue token is too old"),
            ),
            ("get secrets", Fault::Delay(Duration::from_millis(200))),
        ] {
            world.proxy.faults().next(operation, 10, fault);
        }
        for number in (round..CHURNED).step_by(3) {
            change(&world, key.public_key(), number).await?;
            // In the middle of the changes it dies, and somebody starts the next one.
            if number / 3 == CHURNED / 6 {
                drop(controller.kill()?);
                world.expire_lease().await?;
                controller = world.builder.start().await?;
            }
        }
        world.proxy.stop();
        // The system may hold the port for a moment.
        eventually("the API server's return", async || {
            let back = world.proxy.resume().await;
            Ok(Observation::when(back.is_ok(), || {
                String::from("the port is taken")
            }))
        })
        .await?;
    }
    world.proxy.faults().clear();
    world.equals_its_source(CHURNED, "changed").await?;
    in_order(&controller, CHURNED).await?;
    assert_eq!(world.stage.keys().await?.len(), 1);
    Ok(())
}

/// Changes one item, and for some objects deletes the Secret as well.
async fn change(world: &World, key: &PublicKey, number: usize) -> Result<(), Failure> {
    let (stage, name) = (&world.stage, name(number));
    let sealed = stage.sealed(key, &name, &[("a", "changed")]);
    let items = serde_json::json!({"spec": {"encryptedData": sealed["spec"]["encryptedData"]}});
    stage.cluster.merge(&stage.at(&name), &items).await?;
    if number.is_multiple_of(7) && stage.cluster.get(&stage.secret(&name)).await?.is_some() {
        stage.cluster.delete(&stage.secret(&name)).await?;
    }
    Ok(())
}
