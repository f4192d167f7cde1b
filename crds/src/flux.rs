//! What the kinds of Flux have in common: names, conditions, references.
//!
//! From fluxcd/pkg `apis/meta` where nothing else is said; `gotk` below is Flux's own prefix for its
//! controllers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{self, DurationError};

/// Annotation whose new value asks for a reconcile now (`ReconcileRequestAnnotation`). The value handled
/// last goes to `status.lastHandledReconcileAt`, also after a failure: `flux reconcile` waits for it.
pub const REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
/// Label of a ConfigMap or Secret whose change asks for a reconcile of what refers to it
/// (`runtime/controller/watch.go`, `LabelWatch`).
pub const WATCH: &str = "reconcile.fluxcd.io/watch";
/// The value of [`WATCH`] that counts.
pub const WATCH_ENABLED: &str = "Enabled";
/// The finalizer of every kind (`SourceFinalizer`, `KustomizationFinalizer`).
pub const FINALIZER: &str = "finalizers.fluxcd.io";
/// Annotation of Flux's CRDs: their text contains `${...}`, which no substitution may touch.
pub const SUBSTITUTE: &str = "kustomize.toolkit.fluxcd.io/substitute";
/// The value that turns something off, in annotations and labels.
pub const DISABLED: &str = "disabled";
/// The value that turns something on, in annotations and labels.
pub const ENABLED: &str = "enabled";

/// Condition type: the object is as its spec says (`ReadyCondition`).
pub const READY: &str = "Ready";
/// Condition type, only while true: work is under way (`ReconcilingCondition`).
pub const RECONCILING: &str = "Reconciling";
/// Condition type, only while true: no retry can help, the spec must change (`StalledCondition`).
pub const STALLED: &str = "Stalled";
/// Condition type: what was applied is healthy (`HealthyCondition`).
pub const HEALTHY: &str = "Healthy";

/// Reason: it worked (`SucceededReason`).
pub const REASON_SUCCEEDED: &str = "Succeeded";
/// Reason: it did not (`FailedReason`).
pub const REASON_FAILED: &str = "Failed";
/// Reason: a first attempt is under way (`ProgressingReason`).
pub const REASON_PROGRESSING: &str = "Progressing";
/// Reason: an attempt is under way after a failed one (`ProgressingWithRetryReason`).
pub const REASON_PROGRESSING_WITH_RETRY: &str = "ProgressingWithRetry";
/// Reason: reading across namespaces is not allowed (`AccessDeniedReason`).
pub const REASON_ACCESS_DENIED: &str = "AccessDenied";
/// Reason: a feature asked for is switched off (`FeatureGateDisabledReason`). Ours for what we do not
/// serve.
pub const REASON_FEATURE_GATE_DISABLED: &str = "FeatureGateDisabled";
/// Reason: suspended (`SuspendedReason`).
pub const REASON_SUSPENDED: &str = "Suspended";

/// Names an object of the same namespace.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct LocalReference {
    /// Its name.
    pub name: String,
}

/// Reads an interval that work is repeated at, raised to at least one second.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, DurationError> {
    Ok(duration::parse(text)?.max(duration::SHORTEST_INTERVAL))
}
