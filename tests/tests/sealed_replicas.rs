//! Two replicas of the sealing part: one writes and the other stands by, takes over at once when the
//! first ends and within fifteen seconds when it is killed, and writes nothing twice.

mod sealing;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keys::Certificate;
use tests::{
    ApiProxy, ControlPlane, Controller, ControllerBuilder, Failure, Observation, eventually, rights,
};

use sealing::{Stage, in_order, pair, served};

const OBJECTS: usize = 12;

/// The Lease is held for ten seconds.
const AFTER_A_KILL: Duration = Duration::from_secs(15);

/// Nothing has to run out.
const AFTER_AN_END: Duration = Duration::from_secs(5);

/// A leader and a standby, each with a proxy of its own that sees what it writes.
struct Pair {
    stage: Stage,
    leader: Controller,
    standby: Controller,
    proxies: [ApiProxy; 2],
    key: Certificate,
}

impl Pair {
    async fn set() -> Result<Self, Failure> {
        let stage = Stage::set().await?;
        stage.add_key("key", &pair(1)?, Some("active")).await?;
        let (first, leading) = stage.behind_a_proxy().await?;
        let leader = leading.start().await?;
        let key = served(&leader).await?;
        stage
            .deliver(key.public_key(), "first", &[("a", "1")])
            .await?;
        let (second, standing_by) = stage.behind_a_proxy().await?;
        let standby = standing_by.start().await?;
        // It serves from the first moment, and does nothing else.
        stage.serves(&standby, key.public_key()).await?;
        assert!(second.changes().is_empty(), "{:?}", second.changes());
        Ok(Self {
            stage,
            leader,
            standby,
            proxies: [first, second],
            key,
        })
    }

    async fn create(&self) -> Result<(), Failure> {
        for number in 0..OBJECTS {
            let values = [("a", "1"), ("b", "2")];
            let key = self.key.public_key();
            let sealed = self.stage.sealed(key, &name(number), &values);
            self.stage.cluster.create(&sealed).await?;
        }
        Ok(())
    }

    /// The resourceVersions of the Secrets that are there.
    async fn secrets(&self) -> Result<BTreeMap<String, String>, Failure> {
        let stage = &self.stage;
        let secrets = stage.cluster.list("v1", "Secret", &stage.namespace).await?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let versions = secrets.iter().map(|secret| {
            let metadata = &secret["metadata"];
            (text(&metadata["name"]), text(&metadata["resourceVersion"]))
        });
        Ok(versions.collect())
    }

    /// How long it takes from `since` until every Secret is there.
    async fn finished(&self, since: Instant) -> Result<Duration, Failure> {
        eventually("every Secret", async || {
            let secrets = self.secrets().await?;
            let made = (0..OBJECTS).filter(|number| secrets.contains_key(&name(*number)));
            let made = made.count();
            Ok(Observation::when(made == OBJECTS, || made.to_string()))
        })
        .await?;
        Ok(since.elapsed())
    }
}

/// How often a Secret was made or replaced through these.
fn written(proxies: &[ApiProxy]) -> usize {
    let changes = proxies.iter().flat_map(ApiProxy::changes);
    let secrets = changes.filter(|write| write.resource == "secrets" && write.status < 300);
    secrets.count()
}

fn name(number: usize) -> String {
    format!("x{number}")
}

#[tokio::test]
async fn a_standby_follows_a_killed_leader_and_writes_nothing_twice() -> Result<(), Failure> {
    let mut pair = Pair::set().await?;
    // In the middle of the work: a Secret or a status is written, and who wrote it does not know yet.
    pair.proxies[0].hold_after(OBJECTS);
    pair.create().await?;
    pair.proxies[0].held().await?;
    pair.leader.process().kill()?;
    let killed = Instant::now();
    // Nobody leads for seconds now: these are the leader's, with the key and the very first one.
    let before = pair.secrets().await?;
    let left = (OBJECTS + 2).checked_sub(before.len());
    assert!(left.is_some_and(|left| left > 0), "nothing is left to do");
    let took = pair.finished(killed).await?;
    assert!(took < AFTER_A_KILL, "{took:?}");
    // Long enough to see what the second would do of its own.
    in_order(&pair.standby, OBJECTS + 1).await?;
    let after = pair.secrets().await?;
    for (name, version) in &before {
        assert_eq!(after.get(name), Some(version), "{name} was written again");
    }
    assert_eq!(Some(written(&pair.proxies[1..])), left);
    Ok(())
}

#[tokio::test]
async fn a_standby_follows_at_once_when_the_leader_ends() -> Result<(), Failure> {
    let mut pair = Pair::set().await?;
    pair.leader.terminate().await?;
    let ended = Instant::now();
    pair.create().await?;
    let took = pair.finished(ended).await?;
    assert!(took < AFTER_AN_END, "{took:?}");
    assert_eq!(written(&pair.proxies), OBJECTS + 1);
    Ok(())
}

#[tokio::test]
async fn two_that_both_write_make_one_key() -> Result<(), Failure> {
    // Under the incumbent's rights there is no Lease between them.
    let plane = ControlPlane::start().await?;
    let identity = rights::sealed_secrets(&plane).await?;
    let builder = || -> Result<ControllerBuilder, Failure> {
        Ok(
            ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
                .parts("sealed")
                .flag("key-size", "2048"),
        )
    };
    let (first, second) = (builder()?, builder()?);
    let (first, second) = tokio::try_join!(first.start(), second.start())?;
    let (one, other) = tokio::try_join!(served(&first), served(&second))?;
    let fingerprints = [one, other].map(|certificate| certificate.public_key().fingerprint());
    assert_eq!(fingerprints[0], fingerprints[1]);
    for controller in [&first, &second] {
        controller
            .logged("the right to use Leases is missing")
            .await?;
    }
    let cluster = plane.cluster().await?;
    let mut keys = cluster.list("v1", "Secret", identity.namespace).await?;
    keys.retain(|secret| !secret["metadata"]["labels"][sealing::KEY_LABEL].is_null());
    assert_eq!(keys.len(), 1, "{keys:#?}");
    Ok(())
}
