//! The sealing controller against the real one: new SealedSecrets, a restart, memory.

use std::time::{Duration, Instant};

use crds::sealed_secret::SealedSecret;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use keys::{KeyPair, KeySize, Keyring, Label, PublicKey, Scope, Validity, encode_base64, seal};
use kube::Api;
use kube::api::{ListParams, PartialObjectMeta, PostParams};
use serde_json::json;
use tests::rights::Identity;
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Failure, Observation, RealController,
    eventually_within, rights,
};

use crate::idle::ALLOCATOR;
use crate::process::{at_rest, cpu_time};
use crate::table::{Quantity, Table};

const OBJECTS: usize = 500;

/// So many that what is kept of each shows.
const MANY: usize = 5_000;

const NAMESPACE: &str = "bench";

/// What each SealedSecret holds.
const ITEMS: [&str; 3] = ["a", "b", "c"];

/// The incumbent at its defaults needs more than six minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// Looks cost the API server what the controller could have of it.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Objects made side by side.
const AT_ONCE: usize = 16;

/// A way to run the incumbent: what it is called, and its flags.
pub(crate) type Setting = (&'static str, &'static [&'static str]);

/// What makes the incumbent as fast as it gets.
const TUNED: Setting = (
    "tuned",
    &["--kubeclient-qps=1000", "--kubeclient-burst=2000"],
);

/// The incumbent as it is installed, and as fast as it gets.
pub(crate) const BOTH: &[Setting] = &[("at its defaults", &[]), TUNED];

/// Only as fast as it gets.
pub(crate) const TUNED_ONLY: &[Setting] = &[TUNED];

/// New SealedSecrets with three values each, created before the controller starts; a restart with
/// them; memory with them, and with ten times as many.
pub(crate) async fn controllers(table: &mut Table, settings: &[Setting]) -> Result<(), Failure> {
    let alone = rsa_alone(OBJECTS * ITEMS.len())?;
    table.add("the RSA of those alone, on all cores", None, alone, "4.2 s");
    let measured = ours(OBJECTS).await?;
    if settings.is_empty() {
        lines(table, "", None, &measured);
    }
    for (name, flags) in settings {
        let theirs = theirs(flags).await?;
        lines(table, &format!(" ({name})"), Some(&theirs), &measured);
    }
    let operations = measured.operations;
    table.add("RSA operations of that restart", None, operations, "0");
    let many = ours(MANY).await?;
    table.add("memory with 5,000", None, many.memory, "<= 60 MB");
    table.add("restart with those 5,000", None, many.again, "");
    table.add("RSA operations of that", None, many.operations, "0");
    Ok(())
}

/// How long so many openings take when nothing else is done: what says how fast the machine is while the
/// rest is measured. The budgets were set where it is what stands in the table.
fn rsa_alone(operations: usize) -> Result<Quantity, Failure> {
    let now = std::time::SystemTime::now();
    let validity = Validity::starting(now, Duration::from_secs(86_400));
    let pair = KeyPair::generate(KeySize::Bits4096, validity, "").map_err(failed)?;
    let label = Label::new(Scope::ClusterWide, "", "");
    let item = seal(pair.public_key(), &label, b"value")?;
    let mut keyring = Keyring::new();
    keyring.insert(pair, now);
    let cores = std::thread::available_parallelism()?.get();
    let share = operations.div_ceil(cores);
    let started = Instant::now();
    let opened = std::thread::scope(|scope| {
        let work = || (0..share).all(|_| keyring.open(&item, &label, None).is_ok());
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .all(|worker| worker.join().unwrap_or(false))
    });
    if !opened {
        return Err(Failure::new("what was sealed does not open"));
    }
    Ok(Quantity::seconds(started.elapsed().as_secs_f64()))
}

fn failed(error: keys::KeyError) -> Failure {
    Failure::new(error.to_string())
}

fn lines(table: &mut Table, name: &str, theirs: Option<&Measured>, ours: &Measured) {
    let mut add = |what: &str, of: fn(&Measured) -> Quantity, budget: &str| {
        table.add(&format!("{what}{name}"), theirs.map(of), of(ours), budget);
    };
    add("500 new SealedSecrets x 3 values", |m| m.first, "<= 10 s");
    add("restart with those 500", |m| m.again, "<= 2 s");
    add("CPU of that restart", |m| m.cpu, "");
    add("memory with those 500", |m| m.memory, "<= 25 MB");
}

struct Measured {
    first: Quantity,
    again: Quantity,
    cpu: Quantity,
    memory: Quantity,
    operations: Quantity,
}

/// A control plane with everything in it but the controller.
struct Stage {
    plane: ControlPlane,
    cluster: Cluster,
    identity: Identity,
    objects: usize,
}

impl Stage {
    async fn set(objects: usize) -> Result<Self, Failure> {
        let plane = ControlPlane::start().await?;
        let cluster = plane.cluster().await?;
        let identity = rights::sealed_secrets(&plane).await?;
        let name = json!({"name": NAMESPACE});
        cluster
            .create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": name}))
            .await?;
        let stage = Self {
            plane,
            cluster,
            identity,
            objects,
        };
        stage.fill().await?;
        Ok(stage)
    }

    async fn fill(&self) -> Result<(), Failure> {
        let now = std::time::SystemTime::now();
        let validity = Validity::starting(now, Duration::from_secs(86_400));
        let pair = KeyPair::generate(KeySize::Bits4096, validity, "").map_err(failed)?;
        let private = String::from_utf8_lossy(pair.private_key().to_pem().expose()).into_owned();
        let label = json!({"sealedsecrets.bitnami.com/sealed-secrets-key": "active"});
        let metadata =
            json!({"name": "key", "namespace": self.identity.namespace, "labels": label});
        self.cluster
            .create(&json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": metadata,
                "stringData": {"tls.key": private, "tls.crt": pair.certificate().to_pem()},
            }))
            .await?;
        let api: Api<SealedSecret> = Api::namespaced(self.plane.admin().client().await?, NAMESPACE);
        let objects = (0..self.objects).map(|number| sealed(pair.public_key(), number));
        stream::iter(objects)
            .map(async |object| {
                api.create(&PostParams::default(), &object?).await?;
                Ok::<_, Failure>(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
    }

    /// Waits until all Secrets are there, asking for their number only.
    async fn delivered(&self) -> Result<(), Failure> {
        let client = self.plane.admin().client().await?;
        let api: Api<PartialObjectMeta<k8s_openapi::api::core::v1::Secret>> =
            Api::namespaced(client, NAMESPACE);
        let one = ListParams::default().limit(1);
        eventually_within(LIMIT, "all Secrets", async || {
            tokio::time::sleep(LOOK_EVERY).await;
            let list = api.list(&one).await?;
            let more = list.metadata.remaining_item_count.unwrap_or(0);
            let count = list.items.len() + usize::try_from(more)?;
            Ok(Observation::when(count == self.objects, || {
                count.to_string()
            }))
        })
        .await
    }
}

fn sealed(key: &PublicKey, number: usize) -> Result<SealedSecret, Failure> {
    let name = format!("x{number}");
    let label = Label::new(Scope::Strict, NAMESPACE, &name);
    let mut items = serde_json::Map::new();
    for item in ITEMS {
        let sealed = seal(key, &label, item.as_bytes())?;
        items.insert(item.to_owned(), encode_base64(&sealed).into());
    }
    Ok(serde_json::from_value(json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"encryptedData": items},
    }))?)
}

async fn ours(objects: usize) -> Result<Measured, Failure> {
    let stage = Stage::set(objects).await?;
    let builder = ControllerBuilder::new(&stage.identity.kubeconfig, stage.identity.namespace)?
        .parts("sealed")
        .env(ALLOCATOR.0, ALLOCATOR.1);
    let started = Instant::now();
    let mut controller = builder.start().await?;
    stage.delivered().await?;
    let first = Quantity::seconds(started.elapsed().as_secs_f64());
    looked(&controller, objects).await?;
    controller.terminate().await?;
    let started = Instant::now();
    let mut controller = builder.start().await?;
    looked(&controller, objects).await?;
    let again = Quantity::seconds(started.elapsed().as_secs_f64());
    let cpu = cpu_time(controller.process().id())?;
    let memory = at_rest(controller.process()).await?;
    let metrics = controller.metrics().await?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("signet_rsa_operations_total "));
    let value = line
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN);
    let operations = Quantity { value, unit: "" };
    Ok(Measured {
        first,
        again,
        cpu,
        memory,
        operations,
    })
}

/// Waits until our controller knows of every SealedSecret that it is in order.
async fn looked(controller: &Controller, objects: usize) -> Result<(), Failure> {
    eventually_within(LIMIT, "our look at everything", async || {
        let count = controller.in_order().await?;
        Ok(Observation::when(count == objects, || count.to_string()))
    })
    .await
}

async fn theirs(flags: &[&str]) -> Result<Measured, Failure> {
    let stage = Stage::set(OBJECTS).await?;
    let started = Instant::now();
    let mut controller = RealController::start(&stage.identity, flags)?;
    stage.delivered().await?;
    let first = Quantity::seconds(started.elapsed().as_secs_f64());
    gone_through(&mut controller).await?;
    controller.terminate().await?;
    let started = Instant::now();
    let mut controller = RealController::start(&stage.identity, flags)?;
    gone_through(&mut controller).await?;
    let again = Quantity::seconds(started.elapsed().as_secs_f64());
    let cpu = cpu_time(controller.process().id())?;
    let memory = at_rest(controller.process()).await?;
    let operations = Quantity {
        value: f64::NAN,
        unit: "",
    };
    Ok(Measured {
        first,
        again,
        cpu,
        memory,
        operations,
    })
}

/// Waits until theirs has begun with the last SealedSecret.
async fn gone_through(controller: &mut RealController) -> Result<(), Failure> {
    eventually_within(LIMIT, "their look at everything", async || {
        controller.process().must_run()?;
        let metrics = controller.metrics().await.unwrap_or_default();
        let name = "sealed_secrets_controller_unseal_requests_total ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        let count: usize = line.and_then(|number| number.parse().ok()).unwrap_or(0);
        Ok(Observation::when(count >= OBJECTS, || count.to_string()))
    })
    .await
}
