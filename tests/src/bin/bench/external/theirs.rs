//! The incumbent's controller, where its program is named.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tests::{Failure, Moto, Process, ProcessBuilder, REGION, Scratch};

use super::{
    DISTINCT, NEW,
    ours::New,
    stage::{Stage, calls, calls_a_minute},
};
use crate::process::{at_rest, peak};
use crate::table::Quantity;

/// What makes it as fast as it gets.
pub(super) const TUNED: [&str; 3] = ["--concurrent=20", "--client-qps=500", "--client-burst=1000"];

const NAMESPACE: &str = "bench";

/// Its program, where `SIGNET_ESO` names one.
pub(super) fn named() -> Option<PathBuf> {
    std::env::var_os("SIGNET_ESO").map(PathBuf::from)
}

/// The same as ours, on a control plane of its own.
pub(super) async fn fresh(program: &Path, aws: &Moto, flags: &[&str]) -> Result<New, Failure> {
    let stage = filled("1h", |number| number).await?;
    let logs = Scratch::new("theirs")?;
    let before = calls(aws);
    let started = Instant::now();
    let process = start(program, &stage, aws, flags, &logs)?;
    delivered(&stage, &process).await?;
    let took = Quantity::seconds(started.elapsed().as_secs_f64());
    Ok(New {
        took,
        calls: calls(aws) - before,
        memory: at_rest(&process).await?,
        peak: peak(process.id())?,
    })
}

/// Its calls of AWS in a minute, tuned: at its defaults it does not come round in that time.
pub(super) async fn steady(program: &Path, aws: &Moto) -> Result<Quantity, Failure> {
    let stage = filled("1m", |number| number % DISTINCT).await?;
    let logs = Scratch::new("theirs")?;
    let process = start(program, &stage, aws, &TUNED, &logs)?;
    delivered(&stage, &process).await?;
    calls_a_minute(aws, 2).await
}

async fn filled(interval: &str, of: impl Fn(usize) -> usize) -> Result<Stage, Failure> {
    let stage = Stage::set().await?;
    stage.namespace(NAMESPACE).await?;
    stage.fill(NAMESPACE, 0..NEW, interval, of).await?;
    Ok(stage)
}

async fn delivered(stage: &Stage, process: &Process) -> Result<(), Failure> {
    let delivered = stage.delivered(NAMESPACE, NEW).await;
    delivered.map_err(|failure| {
        let tail = process.tail();
        Failure::new(format!("{failure}; the end of its log:\n{tail}"))
    })
}

/// It takes a cluster's address from `KUBECONFIG`, and serves what our definitions have.
fn start(
    program: &Path,
    stage: &Stage,
    aws: &Moto,
    flags: &[&str],
    logs: &Scratch,
) -> Result<Process, Failure> {
    ProcessBuilder::new("theirs", program)
        .args([
            "--enable-push-secret-reconciler=false",
            "--enable-cluster-push-secret-reconciler=false",
            "--enable-generator-state=false",
            "--metrics-addr=127.0.0.1:0",
            "--live-addr=127.0.0.1:0",
        ])
        .args(flags)
        .env("KUBECONFIG", stage.plane.admin().path())
        .env("AWS_SECRETSMANAGER_ENDPOINT", aws.url())
        .env("AWS_STS_ENDPOINT", aws.url())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env(
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        )
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .start(logs.path())
}
