//! Our controller.

use std::time::{Duration, Instant};

use tests::{
    ApiProxy, Controller, ControllerBuilder, Failure, Kubeconfig, Moto, Observation,
    eventually_within,
};

use super::{
    DISTINCT, FOREIGN, MANY, NEW,
    stage::{LATER, Stage, calls, calls_a_minute},
};
use crate::idle::ALLOCATOR;
use crate::process::{at_rest, peak};
use crate::table::Quantity;

const NAMESPACE: &str = "bench";
const LIMIT: Duration = Duration::from_secs(300);
/// How many new ExternalSecrets are timed among many.
const SAMPLES: usize = 20;

/// What many new ExternalSecrets cost.
pub(super) struct New {
    pub(super) took: Quantity,
    pub(super) calls: usize,
    pub(super) memory: Quantity,
    pub(super) peak: Quantity,
}

/// What a restart costs.
pub(super) struct Restart {
    pub(super) took: Quantity,
    pub(super) calls: usize,
    pub(super) writes: usize,
}

/// Everything that is measured at a long interval.
pub(super) struct Fresh {
    pub(super) new: New,
    pub(super) restart: Restart,
    pub(super) bytes_of_one: Quantity,
    pub(super) bytes_of_foreign: Quantity,
}

/// Everything that is measured at a short interval.
pub(super) struct Steady {
    pub(super) calls_a_minute: Quantity,
    pub(super) slowest: Quantity,
    pub(super) median: Quantity,
    pub(super) many_calls_a_minute: Quantity,
    pub(super) memory: Quantity,
}

fn builder(
    kubeconfig: &Kubeconfig,
    stage: &Stage,
    aws: &Moto,
) -> Result<ControllerBuilder, Failure> {
    let builder = ControllerBuilder::new(kubeconfig, stage.identity.namespace)?;
    Ok(builder
        .parts("external")
        .env(ALLOCATOR.0, ALLOCATOR.1)
        .aws(aws))
}

/// New ones at once, a restart with them, and how much more memory each needs.
pub(super) async fn fresh(aws: &Moto) -> Result<Fresh, Failure> {
    let stage = Stage::set().await?;
    stage.namespace(NAMESPACE).await?;
    stage.fill(NAMESPACE, 0..NEW, "1h", |number| number).await?;
    let proxy = ApiProxy::start(stage.plane.admin()).await?;
    let through = proxy.kubeconfig(&stage.identity.kubeconfig, stage.plane.file("proxied"))?;
    let new = all_new(&stage, aws).await?;
    let builder = builder(&through, &stage, aws)?;
    let (restart, first) = again(&builder, aws, &proxy, NEW).await?;
    stage.fill_with_foreign(FOREIGN).await?;
    let (_, with_foreign) = again(&builder, aws, &proxy, NEW).await?;
    stage
        .fill(NAMESPACE, NEW..2 * NEW, "1h", |number| number)
        .await?;
    let controller = builder.start().await?;
    stage.delivered(NAMESPACE, 2 * NEW).await?;
    looked(&controller, 2 * NEW).await?;
    ended(controller).await?;
    let (_, twice) = again(&builder, aws, &proxy, 2 * NEW).await?;
    Ok(Fresh {
        new,
        restart,
        bytes_of_one: growth(with_foreign, twice, NEW)?,
        bytes_of_foreign: growth(first, with_foreign, FOREIGN)?,
    })
}

async fn all_new(stage: &Stage, aws: &Moto) -> Result<New, Failure> {
    let before = calls(aws);
    let started = Instant::now();
    let builder = builder(&stage.identity.kubeconfig, stage, aws)?;
    let mut controller = builder.start().await?;
    stage.delivered(NAMESPACE, NEW).await?;
    let took = Quantity::seconds(started.elapsed().as_secs_f64());
    looked(&controller, NEW).await?;
    let new = New {
        took,
        calls: calls(aws) - before,
        memory: at_rest(controller.process()).await?,
        peak: peak(controller.process().id())?,
    };
    ended(controller).await?;
    Ok(new)
}

/// Starts the controller with ExternalSecrets that are all in step. Also returns its memory.
async fn again(
    builder: &ControllerBuilder,
    aws: &Moto,
    proxy: &ApiProxy,
    count: usize,
) -> Result<(Restart, Quantity), Failure> {
    proxy.forget();
    let before = calls(aws);
    let started = Instant::now();
    let mut controller = builder.start().await?;
    looked(&controller, count).await?;
    let took = Quantity::seconds(started.elapsed().as_secs_f64());
    let memory = at_rest(controller.process()).await?;
    let restart = Restart {
        took,
        calls: calls(aws) - before,
        writes: proxy.changes().len(),
    };
    ended(controller).await?;
    Ok((restart, memory))
}

async fn ended(mut controller: Controller) -> Result<(), Failure> {
    controller.terminate().await.map(drop)
}

/// Waits until every ExternalSecret had its turn.
async fn looked(controller: &Controller, count: usize) -> Result<(), Failure> {
    eventually_within(LIMIT, "our look at everything", async || {
        let metrics = controller.metrics().await?;
        let lines = metrics
            .lines()
            .filter(|line| line.starts_with("externalsecret_sync_calls_total{"));
        let found = lines.count();
        Ok(Observation::when(found == count, || found.to_string()))
    })
    .await
}

fn growth(before: Quantity, after: Quantity, count: usize) -> Result<Quantity, Failure> {
    let bytes = (after.value - before.value).max(0.0) * 1_024.0 * 1_024.0;
    let value = bytes / f64::from(u32::try_from(count)?);
    Ok(Quantity { value, unit: "B" })
}

/// A steady state, then many more, and a new one among them now and then.
pub(super) async fn steady(aws: &Moto) -> Result<Steady, Failure> {
    let stage = Stage::set().await?;
    stage.namespace(NAMESPACE).await?;
    stage
        .fill(NAMESPACE, 0..NEW, "1m", |number| number % DISTINCT)
        .await?;
    let builder = builder(&stage.identity.kubeconfig, &stage, aws)?;
    let mut controller = builder.start().await?;
    stage.delivered(NAMESPACE, NEW).await?;
    settled().await;
    let few = calls_a_minute(aws, 2).await?;
    stage
        .fill(NAMESPACE, NEW..MANY, "1m", |number| number)
        .await?;
    stage.delivered(NAMESPACE, MANY).await?;
    settled().await;
    let (many, latencies) = tokio::join!(calls_a_minute(aws, 1), latencies(&stage));
    let latencies = latencies?;
    Ok(Steady {
        calls_a_minute: few,
        slowest: Quantity::seconds(latencies.last().copied().unwrap_or(f64::NAN)),
        median: Quantity::seconds(latencies.get(SAMPLES / 2).copied().unwrap_or(f64::NAN)),
        many_calls_a_minute: many?,
        memory: at_rest(controller.process()).await?,
    })
}

/// One interval, after which everybody has its place in the timetable.
async fn settled() {
    tokio::time::sleep(Duration::from_secs(65)).await;
}

/// In order, from the quickest.
async fn latencies(stage: &Stage) -> Result<Vec<f64>, Failure> {
    const { assert!(SAMPLES <= LATER, "each needs a secret of its own") };
    let mut found = Vec::new();
    for number in MANY..MANY + SAMPLES {
        found.push(stage.latency_of(NAMESPACE, number).await?);
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    found.sort_by(f64::total_cmp);
    Ok(found)
}
