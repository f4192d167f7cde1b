//! The two metrics of every reconciler: how often it ended how, and how long it took.

use std::{sync::OnceLock, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
};

use crate::Metrics;

/// Upper bounds in seconds: from a no-op in memory to a clone of a large repository.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, EncodeLabelSet, Debug)]
struct Ending {
    kind: &'static str,
    result: &'static str,
}

/// Shared by all kinds of one process, because a metric may be registered only once.
#[derive(Clone)]
struct Families {
    reconciles: Family<Ending, Counter>,
    seconds: Family<Kind, Histogram, fn() -> Histogram>,
}

/// The metrics of one kind.
pub(super) struct Measured {
    kind: &'static str,
    families: Families,
}

impl Measured {
    pub(super) fn of(metrics: &Metrics, kind: &'static str) -> Self {
        static FAMILIES: OnceLock<Families> = OnceLock::new();
        let families = FAMILIES.get_or_init(|| {
            let families = Families {
                reconciles: Family::default(),
                seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            };
            metrics.register(|registry| {
                registry.register(
                    "signet_reconciles",
                    "Reconciles by kind and how they ended: success, or the reason of the failure",
                    families.reconciles.clone(),
                );
                registry.register(
                    "signet_reconcile_seconds",
                    "How long a reconcile took, by kind",
                    families.seconds.clone(),
                );
            });
            families
        });
        Self {
            kind,
            families: families.clone(),
        }
    }

    pub(super) fn took(&self, time: Duration) {
        let kind = Kind { kind: self.kind };
        self.families
            .seconds
            .get_or_create(&kind)
            .observe(time.as_secs_f64());
    }

    pub(super) fn ended(&self, result: &'static str) {
        self.families
            .reconciles
            .get_or_create(&Ending {
                kind: self.kind,
                result,
            })
            .inc();
    }
}
