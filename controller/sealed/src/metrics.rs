//! What is counted: the incumbent's metrics by name (`pkg/controller/metrics.go`), and ours.

use std::sync::atomic::{AtomicI64, AtomicU64};

use kit::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

use crate::{place::Place, problem::Counted, watch::Watched};

/// Prometheus' own default buckets, which the incumbent uses.
const SECONDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    reason: &'static str,
    namespace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConditionLabels {
    namespace: String,
    name: String,
    condition: &'static str,
    ss_app_kubernetes_io_instance: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: &'static str,
    code: u16,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    path: &'static str,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Revision {
    revision: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyLabels {
    fingerprint: String,
    state: &'static str,
}

/// The metrics of this part. Clones share them.
#[derive(Clone)]
pub(crate) struct Measures {
    requests: Counter<u64, AtomicU64>,
    errors: Family<ErrorLabels, Counter>,
    conditions: Family<ConditionLabels, Gauge<i64, AtomicI64>>,
    http_requests: Family<Request, Counter>,
    http_seconds: Family<Timed, Histogram, fn() -> Histogram>,
    key_items: Family<KeyLabels, Gauge<i64, AtomicI64>>,
    /// RSA private key operations.
    pub(crate) rsa_operations: Counter<u64, AtomicU64>,
    omit_secret_labels: bool,
}

impl Measures {
    pub(crate) fn register(metrics: &Metrics, version: &str, omit_secret_labels: bool) -> Self {
        let measures = Self {
            requests: Counter::default(),
            errors: Family::default(),
            conditions: Family::default(),
            http_requests: Family::default(),
            http_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            key_items: Family::default(),
            rsa_operations: Counter::default(),
            omit_secret_labels,
        };
        measures.put_into(metrics, version);
        // An alert on a rate needs the zero before the first error.
        for counted in Counted::ALL {
            drop(measures.errors.get_or_create(&error_labels(counted, "")));
        }
        measures
    }

    fn put_into(&self, metrics: &Metrics, version: &str) {
        let build = Family::<Revision, Gauge>::default();
        build
            .get_or_create(&Revision {
                revision: version.to_owned(),
            })
            .set(1);
        metrics.register(|registry| {
            let theirs = registry.sub_registry_with_prefix("sealed_secrets_controller");
            theirs.register("build_info", "Build information", build);
            theirs.register(
                "unseal_requests",
                "Total number of sealed secret unseal requests",
                self.requests.clone(),
            );
            theirs.register(
                "unseal_errors",
                "Total number of sealed secret unseal errors by reason",
                self.errors.clone(),
            );
            theirs.register(
                "condition_info",
                "Current SealedSecret condition status. Values are -1 (false), 0 (unknown or absent), 1 (true)",
                self.conditions.clone(),
            );
            theirs.register(
                "http_requests",
                "A counter for requests to the wrapped handler",
                self.http_requests.clone(),
            );
            theirs.register(
                "http_request_duration_seconds",
                "A histogram of latencies for requests",
                self.http_seconds.clone(),
            );
            registry.register(
                "signet_sealing_key_items",
                "How many sealed items in the cluster each key holds, as far as is known",
                self.key_items.clone(),
            );
            registry.register(
                "signet_rsa_operations",
                "RSA private key operations",
                self.rsa_operations.clone(),
            );
        });
    }

    pub(crate) fn attempted(&self) {
        self.requests.inc();
    }

    pub(crate) fn failed(&self, counted: Counted, namespace: &str) {
        self.errors
            .get_or_create(&error_labels(counted, namespace))
            .inc();
    }

    /// Shows how a SealedSecret is.
    pub(crate) fn observe(&self, watched: &Watched, is_synced: bool) {
        if !self.omit_secret_labels {
            let value = if is_synced { 1 } else { -1 };
            self.conditions
                .get_or_create(&condition_labels(watched))
                .set(value);
        }
    }

    /// Forgets a SealedSecret that is gone.
    pub(crate) fn forget(&self, watched: &Watched) {
        self.conditions.remove(&condition_labels(watched));
    }

    pub(crate) fn answered(&self, path: &'static str, method: &str, code: u16, seconds: f64) {
        // Any method is served, as with the incumbent, so only those that have a name are labels.
        let method = match method {
            "GET" | "POST" | "PUT" | "HEAD" | "DELETE" | "PATCH" | "OPTIONS" => {
                method.to_lowercase()
            }
            _ => "unknown".to_owned(),
        };
        let timed = Timed {
            path,
            method: method.clone(),
        };
        self.http_seconds.get_or_create(&timed).observe(seconds);
        self.http_requests
            .get_or_create(&Request { path, code, method })
            .inc();
    }

    /// Shows how many items each key holds.
    pub(crate) fn census(&self, keys: impl Iterator<Item = (String, &'static str, u64)>) {
        self.key_items.clear();
        for (fingerprint, state, items) in keys {
            let labels = KeyLabels { fingerprint, state };
            let items = i64::try_from(items).unwrap_or(i64::MAX);
            self.key_items.get_or_create(&labels).set(items);
        }
    }
}

fn error_labels(counted: Counted, namespace: &str) -> ErrorLabels {
    ErrorLabels {
        reason: counted.as_str(),
        namespace: namespace.to_owned(),
    }
}

fn condition_labels(watched: &Watched) -> ConditionLabels {
    let Place { namespace, name } = Place::of(watched);
    let labels = watched.metadata.labels.as_ref();
    ConditionLabels {
        namespace,
        name,
        condition: crds::sealed_secret::SYNCED,
        ss_app_kubernetes_io_instance: labels
            .and_then(|labels| labels.get(Watched::INSTANCE))
            .cloned()
            .unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_of_the_incumbent() {
        let metrics = Metrics::new();
        let measures = Measures::register(&metrics, "v1", false);
        let mut watched = Watched::default();
        watched.metadata.namespace = Some("a".into());
        watched.metadata.name = Some("x".into());
        measures.attempted();
        measures.failed(Counted::Unmanaged, "a");
        measures.observe(&watched, false);
        measures.answered("/v1/verify", "POST", 409, 0.2);
        let text = metrics.render();
        for line in [
            "sealed_secrets_controller_build_info{revision=\"v1\"} 1",
            "sealed_secrets_controller_unseal_requests_total 1",
            "sealed_secrets_controller_unseal_errors_total{reason=\"unmanaged\",namespace=\"a\"} 1",
            "sealed_secrets_controller_unseal_errors_total{reason=\"unseal\",namespace=\"\"} 0",
            "sealed_secrets_controller_condition_info{namespace=\"a\",name=\"x\",condition=\"Synced\",ss_app_kubernetes_io_instance=\"\"} -1",
            "sealed_secrets_controller_http_requests_total{path=\"/v1/verify\",code=\"409\",method=\"post\"} 1",
            "sealed_secrets_controller_http_request_duration_seconds_count{path=\"/v1/verify\",method=\"post\"} 1",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
        measures.forget(&watched);
        assert!(!metrics.render().contains("condition_info{"));
    }
}
