//! The sealing controller against the real one: new SealedSecrets, a restart, memory.

use std::time::{Duration, Instant};

use keys::{KeyPair, KeySize, Label, Scope, Validity, encode_base64, seal};
use kube::Api;
use kube::api::{ListParams, PartialObjectMeta, PostParams};
use serde_json::json;
use tests::rights::Identity;
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Failure, Observation, RealController,
    eventually_within, rights,
};

use crate::table::{Quantity, Table};

const OBJECTS: usize = 500;
const NAMESPACE: &str = "bench";

/// The incumbent at its defaults needs more than six minutes.
const LIMIT: Duration = Duration::from_secs(900);

/// What makes the incumbent as fast as it gets.
const TUNED: [&str; 2] = ["--kubeclient-qps=1000", "--kubeclient-burst=2000"];

/// New SealedSecrets with three values each, created before the controller starts; a restart with
/// them; memory with them.
pub(crate) async fn controllers(table: &mut Table) -> Result<(), Failure> {
    let ours = ours().await?;
    for (name, flags) in [("at its defaults", &[][..]), ("tuned", &TUNED[..])] {
        let theirs = theirs(flags).await?;
        let line = |what: &str| format!("{what} ({name})");
        let new = line("500 new SealedSecrets x 3 values");
        table.add(&new, Some(theirs.first), ours.first, "<= 10 s");
        table.add(
            &line("restart with those 500"),
            Some(theirs.again),
            ours.again,
            "<= 2 s",
        );
        table.add(&line("CPU of that restart"), Some(theirs.cpu), ours.cpu, "");
        table.add(
            &line("memory with those 500"),
            Some(theirs.memory),
            ours.memory,
            "<= 25 MB",
        );
    }
    table.add("RSA operations of that restart", None, ours.operations, "0");
    Ok(())
}

struct Measured {
    first: Quantity,
    again: Quantity,
    cpu: Quantity,
    memory: Quantity,
    operations: Quantity,
}

fn seconds(value: f64) -> Quantity {
    Quantity { value, unit: "s" }
}

fn mebibytes(kibibytes: u64) -> Quantity {
    let value = u32::try_from(kibibytes).map_or(0.0, f64::from) / 1_024.0;
    Quantity { value, unit: "MiB" }
}

/// A control plane with everything in it but the controller.
struct Stage {
    plane: ControlPlane,
    cluster: Cluster,
    identity: Identity,
}

impl Stage {
    async fn set() -> Result<Self, Failure> {
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
        };
        stage.fill().await?;
        Ok(stage)
    }

    async fn fill(&self) -> Result<(), Failure> {
        let failed = |error: keys::KeyError| Failure::new(error.to_string());
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
        let api: Api<crds::sealed_secret::SealedSecret> =
            Api::namespaced(self.plane.admin().client().await?, NAMESPACE);
        for number in 0..OBJECTS {
            let name = format!("x{number}");
            let label = Label::new(Scope::Strict, NAMESPACE, &name);
            let mut items = serde_json::Map::new();
            for item in ["a", "b", "c"] {
                let sealed = seal(pair.public_key(), &label, item.as_bytes());
                let sealed = sealed.map_err(|error| Failure::new(error.to_string()))?;
                items.insert(item.to_owned(), encode_base64(&sealed).into());
            }
            let object = serde_json::from_value(json!({
                "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"encryptedData": items},
            }))?;
            api.create(&PostParams::default(), &object).await?;
        }
        Ok(())
    }

    /// Waits until all Secrets are there, asking for their number only.
    async fn delivered(&self) -> Result<(), Failure> {
        let client = self.plane.admin().client().await?;
        let api: Api<PartialObjectMeta<k8s_openapi::api::core::v1::Secret>> =
            Api::namespaced(client, NAMESPACE);
        let one = ListParams::default().limit(1);
        eventually_within(LIMIT, "all Secrets", async || {
            let list = api.list(&one).await?;
            let more = list.metadata.remaining_item_count.unwrap_or(0);
            let count = list.items.len() + usize::try_from(more)?;
            Ok(Observation::when(count == OBJECTS, || count.to_string()))
        })
        .await
    }
}

async fn ours() -> Result<Measured, Failure> {
    let stage = Stage::set().await?;
    let builder = ControllerBuilder::new(&stage.identity.kubeconfig, stage.identity.namespace)?
        .parts("sealed")
        .env(
            "_RJEM_MALLOC_CONF",
            "narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0",
        );
    let started = Instant::now();
    let mut controller = builder.start().await?;
    stage.delivered().await?;
    let first = seconds(started.elapsed().as_secs_f64());
    looked(&controller).await?;
    controller.terminate().await?;
    let started = Instant::now();
    let mut controller = builder.start().await?;
    looked(&controller).await?;
    let again = seconds(started.elapsed().as_secs_f64());
    let cpu = seconds(cpu_seconds(controller.process().id())?);
    let memory = mebibytes(at_rest(controller.process()).await?);
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
async fn looked(controller: &Controller) -> Result<(), Failure> {
    eventually_within(LIMIT, "our look at everything", async || {
        let metrics = controller.metrics().await?;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("sealed_secrets_controller_condition_info{"));
        let count = lines.filter(|line| line.ends_with("} 1")).count();
        Ok(Observation::when(count == OBJECTS, || count.to_string()))
    })
    .await
}

async fn theirs(flags: &[&str]) -> Result<Measured, Failure> {
    let stage = Stage::set().await?;
    let started = Instant::now();
    let mut controller = RealController::start(&stage.identity, flags)?;
    stage.delivered().await?;
    let first = seconds(started.elapsed().as_secs_f64());
    gone_through(&mut controller).await?;
    controller.terminate().await?;
    let started = Instant::now();
    let mut controller = RealController::start(&stage.identity, flags)?;
    gone_through(&mut controller).await?;
    let again = seconds(started.elapsed().as_secs_f64());
    let cpu = seconds(cpu_seconds(controller.process().id())?);
    let memory = mebibytes(at_rest(controller.process()).await?);
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

/// What the start needed is given back after a while; the least of many looks is what stays.
async fn at_rest(process: &tests::Process) -> Result<u64, Failure> {
    let mut least = u64::MAX;
    for _look in 0..20 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        least = least.min(process.resident_kib()?);
    }
    Ok(least)
}

/// User and system time of a process until now; `proc(5)`.
fn cpu_seconds(process: u32) -> Result<f64, Failure> {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let fields = after_name.split(' ').skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS)
}
