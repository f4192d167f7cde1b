//! The controller killed while it works: the next one ends in the same state as if there had been
//! no crash.

mod world;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tests::{
    Cluster, Controller, Coordinates, Failure, Observation, Write, eventually, eventually_within,
};
use world::{APPLICATION, Outside, SOURCES, Values, World};

/// How many writes the API server answers before the next kill, in turn: small and coprime enough
/// that a kill meets every kind of write.
const WRITES_BETWEEN_KILLS: [usize; 10] = [1, 2, 1, 3, 2, 1, 4, 1, 2, 3];

#[tokio::test]
async fn ten_kills_during_the_demos_work_change_nothing_of_its_end() -> Result<(), Failure> {
    let outside = Outside::set(Values::default()).await?;
    let (undisturbed, writes) = undisturbed(&outside).await?;
    let world = World::set(&outside).await?;
    let mut killer = Killer::new(&world);
    let over = Cell::new(false);
    // The work is done by whoever runs next, so working and killing go on at the same time.
    let work = async {
        world.deliver(&outside).await?;
        world.change(&outside).await?;
        while !over.get() {
            world.disturb(&outside).await?;
        }
        Ok::<_, Failure>(())
    };
    let kill = async {
        let killed = killer.after(&WRITES_BETWEEN_KILLS).await;
        over.set(true);
        killed
    };
    let ended = tokio::try_join!(work, kill);
    let told: Vec<String> = killer.kills.iter().map(ToString::to_string).collect();
    let told = format!(
        "{} writes undisturbed; kills:\n{}",
        writes.len(),
        told.join("\n")
    );
    let ((), controller) = ended.map_err(|failure| {
        let pending = world.proxy.pending().join(", ");
        Failure::new(format!("{failure}\npending: {pending}\n{told}"))
    })?;
    assert_eq!(killer.kills.len(), WRITES_BETWEEN_KILLS.len(), "{told}");
    let outstanding = killer
        .kills
        .iter()
        .filter(|kill| kill.outstanding > 0)
        .count();
    assert!(outstanding >= 8, "{told}");
    same_in_the_end(&world.cluster, &undisturbed)
        .await
        .map_err(|failure| {
            let log = controller.log().unwrap_or_default();
            Failure::new(format!(
                "{failure}\n{told}\nthe log of the last controller:\n{log}"
            ))
        })
}

/// The state in the end of a run that nobody disturbs, and the writes that it needed.
async fn undisturbed(outside: &Outside) -> Result<(State, Vec<Write>), Failure> {
    let world = World::set(outside).await?;
    let _controller = world.builder.start().await?;
    world.deliver(outside).await?;
    world.change(outside).await?;
    Ok((snapshot(&world.cluster).await?, world.proxy.changes()))
}

/// Kills the controller again and again, and starts it anew.
struct Killer<'a> {
    world: &'a World,
    kills: Vec<Kill>,
}

/// One kill.
struct Kill {
    /// The write whose answer was held back.
    last: String,
    /// How many writes the controller had asked for and had no answer to.
    outstanding: usize,
}

impl std::fmt::Display for Kill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "  {} outstanding, after {}", self.outstanding, self.last)
    }
}

impl<'a> Killer<'a> {
    fn new(world: &'a World) -> Self {
        Self {
            world,
            kills: Vec::new(),
        }
    }

    /// Runs controllers and kills each after a number of its writes; gives the last one, which lives.
    async fn after(&mut self, writes: &[usize]) -> Result<Controller, Failure> {
        let mut controller = self.world.builder.start().await?;
        for writes in writes {
            let proxy = &self.world.proxy;
            proxy.hold_after(*writes);
            proxy.held().await?;
            let outstanding = proxy.outstanding();
            let last = proxy
                .changes()
                .last()
                .map(ToString::to_string)
                .unwrap_or_default();
            controller.kill()?;
            self.kills.push(Kill { last, outstanding });
            proxy.release();
            self.expire_lease().await?;
            controller = self.world.builder.start().await?;
        }
        Ok(controller)
    }

    /// A killed leader is followed after ten seconds. How fast is the matter of another test; here
    /// they pass at once.
    async fn expire_lease(&self) -> Result<(), Failure> {
        let group = "coordination.k8s.io/v1";
        let lease = Coordinates::new(group, "Lease", "sealed-secrets", "signet-controller");
        if self.world.cluster.get(&lease).await?.is_some() {
            self.world.cluster.delete(&lease).await?;
        }
        Ok(())
    }
}

/// The same for one kill after each of the writes that an undisturbed run needs, one run each.
#[cfg(feature = "soak")]
#[tokio::test]
async fn a_kill_after_any_write_changes_nothing_of_the_end() -> Result<(), Failure> {
    let outside = Outside::set(Values::default()).await?;
    let (undisturbed, writes) = undisturbed(&outside).await?;
    for k in 1..=writes.len() {
        let world = World::set(&outside).await?;
        let mut killer = Killer::new(&world);
        let work = async {
            world.deliver(&outside).await?;
            world.change(&outside).await
        };
        // The last writes may need more of a push than the work itself.
        let after = [k];
        let push = async {
            let mut killing = std::pin::pin!(killer.after(&after));
            loop {
                tokio::select! {
                    killed = &mut killing => return killed,
                    () = tokio::time::sleep(Duration::from_secs(5)) => world.nudge().await?,
                }
            }
        };
        let ((), controller) = tokio::try_join!(work, push)?;
        let told: Vec<String> = killer.kills.iter().map(ToString::to_string).collect();
        eprintln!("kill {k} of {}:\n{}", writes.len(), told.join("\n"));
        same_in_the_end(&world.cluster, &undisturbed).await?;
        drop(controller);
    }
    Ok(())
}

async fn same_in_the_end(cluster: &Cluster, wanted: &State) -> Result<(), Failure> {
    let limit = Duration::from_secs(120);
    eventually_within(limit, "the state without crashes", async || {
        let state = snapshot(cluster).await?;
        Ok(Observation::when(state == *wanted, || {
            difference(&state, wanted)
        }))
    })
    .await
}

/// Everything that the demo is about, by kind and name, without what differs between any two runs.
type State = BTreeMap<String, Value>;

async fn snapshot(cluster: &Cluster) -> Result<State, Failure> {
    let mut state = State::new();
    for (api_version, kind) in [
        ("v1", "Namespace"),
        ("v1", "Secret"),
        ("v1", "ConfigMap"),
        ("v1", "Service"),
        ("apps/v1", "Deployment"),
        ("bitnami.com/v1alpha1", "SealedSecret"),
        ("external-secrets.io/v1", "ExternalSecret"),
        ("external-secrets.io/v1", "ClusterSecretStore"),
        ("source.toolkit.fluxcd.io/v1", "GitRepository"),
        ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ] {
        for mut object in cluster.list(api_version, kind, "").await? {
            let metadata = &object["metadata"];
            let namespace = metadata["namespace"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let ours = ["", APPLICATION, SOURCES, "sealed-secrets"].contains(&namespace.as_str());
            let name = metadata["name"].as_str().unwrap_or_default().to_owned();
            if ours && name != "kube-root-ca.crt" {
                forget_the_run(&mut object);
                state.insert(format!("{kind} {namespace}/{name}"), object);
            }
        }
    }
    Ok(state)
}

/// Removes identities and moments.
fn forget_the_run(value: &mut Value) {
    const OF_THE_RUN: [&str; 16] = [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "lastTransitionTime",
        "lastUpdateTime",
        "lastHandledReconcileAt",
        "refreshTime",
        "time",
        "clusterIP",
        "clusterIPs",
        // One more write of the same spec makes another one.
        "generation",
        "observedGeneration",
        "syncedResourceVersion",
        "history",
        "written",
        "managedFields",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _value| !OF_THE_RUN.contains(&name.as_str()));
            fields.values_mut().for_each(forget_the_run);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_the_run),
        _ => {}
    }
}

fn difference(state: &State, wanted: &State) -> String {
    let names: std::collections::BTreeSet<&String> = state.keys().chain(wanted.keys()).collect();
    let mut told = Vec::new();
    for name in names {
        match (state.get(name), wanted.get(name)) {
            (Some(is), Some(should)) if is != should => {
                told.push(format!("{name}:\n    is     {is}\n    should {should}"));
            }
            (None, Some(_)) => told.push(format!("{name} is missing")),
            (Some(_), None) => told.push(format!("{name} is too much")),
            _ => {}
        }
    }
    told.join("\n")
}

#[tokio::test]
async fn a_killed_leader_is_followed_within_fifteen_seconds() -> Result<(), Failure> {
    let outside = Outside::set(Values::default()).await?;
    let world = World::set(&outside).await?;
    let first = world.builder.start().await?;
    world.deliver(&outside).await?;
    let _log = first.kill()?;
    world
        .cluster
        .delete(&Coordinates::secret(APPLICATION, "db-creds"))
        .await?;
    let killed = std::time::Instant::now();
    let _second = world.builder.start().await?;
    let secret = Coordinates::secret(APPLICATION, "db-creds");
    eventually("the Secret that was deleted while nobody led", async || {
        let found = world.cluster.get(&secret).await?;
        Ok(Observation::when(found.is_some(), || String::from("none")))
    })
    .await?;
    let took = killed.elapsed().as_secs();
    assert!(took < 15, "it took {took} s");
    Ok(())
}
