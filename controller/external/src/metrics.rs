//! The incumbent's metrics, and ours beside them. Everything is taken from what is there anyway at
//! the moment of a scrape, so an object that is gone leaves no series behind.

use std::{
    fmt,
    sync::{Arc, PoisonError, Weak},
};

use crds::external_secret::{ExternalSecret, READY};
use kube::runtime::reflector::Store;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::{key::Key, part::Part, store::AnyStore};

/// What the incumbent calls the provider in its metrics.
const PROVIDER: &str = "AWS/SecretsManager";

/// Registers the metrics of a part.
pub(crate) fn register(part: &Arc<Part>) {
    let collector = Collected(Arc::downgrade(part));
    part.context
        .metrics
        .register(|registry| registry.register_collector(Box::new(collector)));
}

/// The part whose state is told.
struct Collected(Weak<Part>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(part) = self.0.upgrade() else {
            return Ok(());
        };
        objects(&mut encoder, &part)?;
        conditions(&mut encoder, &part)?;
        requests(&mut encoder, &part)
    }
}

/// esmetrics.go, but for the conditions.
fn objects(encoder: &mut DescriptorEncoder<'_>, part: &Part) -> fmt::Result {
    let mut all = Vec::new();
    part.memory.each(|key, remembered| {
        all.push((
            key.clone(),
            remembered.calls,
            remembered.errors,
            remembered.took,
        ));
    });
    let mut calls = encoder.encode_descriptor(
        "externalsecret_sync_calls",
        "How often an ExternalSecret was looked at",
        None,
        MetricType::Counter,
    )?;
    for (key, count, ..) in &all {
        calls
            .encode_family(&labels(key))?
            .encode_counter::<NoLabels, _, u64>(count, None)?;
    }
    let mut errors = encoder.encode_descriptor(
        "externalsecret_sync_calls_error",
        "How often looking at an ExternalSecret failed",
        None,
        MetricType::Unknown,
    )?;
    for (key, _, count, _) in &all {
        errors
            .encode_family(&labels(key))?
            .encode_gauge(&gauge(*count))?;
    }
    let mut took = encoder.encode_descriptor(
        "externalsecret_reconcile_duration",
        "How long looking at an ExternalSecret took last, in nanoseconds",
        None,
        MetricType::Gauge,
    )?;
    for (key, .., duration) in &all {
        let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        took.encode_family(&labels(key))?
            .encode_gauge(&nanoseconds)?;
    }
    Ok(())
}

fn conditions(encoder: &mut DescriptorEncoder<'_>, part: &Part) -> fmt::Result {
    let objects: Vec<Arc<ExternalSecret>> = {
        let stores = part.objects.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().flat_map(Store::state).collect()
    };
    let of_objects = objects.iter().map(|object| {
        let mut conditions = object.status.iter().flat_map(|status| &status.conditions);
        let ready = conditions.rfind(|condition| condition.type_ == READY);
        (
            Key::of(object.as_ref()),
            ready.map(|condition| condition.status.clone()),
        )
    });
    status_condition(
        encoder,
        "externalsecret_status_condition",
        of_objects.collect(),
    )?;
    let (cluster, namespaced): (Vec<AnyStore>, Vec<AnyStore>) = part
        .stores
        .all()
        .into_iter()
        .partition(|store| store.namespace().is_none());
    for (name, stores) in [
        ("secretstore_status_condition", namespaced),
        ("clustersecretstore_status_condition", cluster),
    ] {
        let of_stores = stores.iter().map(|store| {
            let mut conditions = store
                .status()
                .into_iter()
                .flat_map(|status| &status.conditions);
            let ready = conditions.rfind(|condition| condition.type_ == READY);
            (store.key(), ready.map(|condition| condition.status.clone()))
        });
        status_condition(encoder, name, of_stores.collect())?;
    }
    Ok(())
}

fn status_condition(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    of: Vec<(Key, Option<String>)>,
) -> fmt::Result {
    let help = "The status of a condition of an object";
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (key, status) in of {
        let Some(status) = status else { continue };
        for word in ["True", "False"] {
            let value = i64::from(status == word);
            let labels = [
                ("condition", READY),
                ("name", key.name.as_str()),
                ("namespace", key.namespace.as_str()),
                ("status", word),
            ];
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn requests(encoder: &mut DescriptorEncoder<'_>, part: &Part) -> fmt::Result {
    let mut made = encoder.encode_descriptor(
        "externalsecret_provider_api_calls_count",
        "Requests to the provider",
        None,
        MetricType::Unknown,
    )?;
    for ((call, succeeded), count) in part.quotas.made() {
        let status = if succeeded { "success" } else { "error" };
        let labels = [
            ("provider", PROVIDER),
            ("call", call.name()),
            ("status", status),
        ];
        made.encode_family(&labels)?.encode_gauge(&gauge(count))?;
    }
    let mut asked = encoder.encode_descriptor(
        "signet_external_values_wanted",
        "Values that ExternalSecrets wanted: as many requests as there would be without sharing",
        None,
        MetricType::Counter,
    )?;
    asked.encode_counter::<NoLabels, _, u64>(&part.fetcher.asked(), None)?;
    let mut seen = encoder.encode_descriptor(
        "signet_external_secrets_remembered",
        "Secrets whose version is remembered",
        None,
        MetricType::Gauge,
    )?;
    seen.encode_gauge(&gauge(part.sightings.len() as u64))?;
    let seats = part.timetable(|table| table.len());
    let mut seated = encoder.encode_descriptor(
        "signet_external_scheduled",
        "ExternalSecrets that have a time for their next refresh",
        None,
        MetricType::Gauge,
    )?;
    seated.encode_gauge(&gauge(seats as u64))
}

type NoLabels = [(&'static str, &'static str); 0];

fn labels(key: &Key) -> [(&'static str, &str); 2] {
    [
        ("name", key.name.as_str()),
        ("namespace", key.namespace.as_str()),
    ]
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
