//! Whether an object is as it should be: kstatus' rules (fluxcd/cli-utils pkg/kstatus/status), and rules of our own for the
//! kinds that this process serves.

mod cluster;
mod fields;

use serde_json::Value;

use self::{
    cluster::{
        daemon_set, definition, deployment, job, pod, replica_set, service, stateful_set,
        volume_claim,
    },
    fields::{condition, current_if, observed},
};

/// How an object is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// As it should be.
    Current,
    /// It went wrong; only a change can help.
    Failed,
    /// On its way.
    InProgress,
    /// Being deleted.
    Terminating,
}

impl Health {
    /// As in Flux's messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::Failed => "Failed",
            Self::InProgress => "InProgress",
            Self::Terminating => "Terminating",
        }
    }
}

/// How an object is doing.
#[must_use]
pub fn health(object: &Value) -> Health {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Health::Terminating;
    }
    let kind = object["kind"].as_str().unwrap_or_default();
    let group = object["apiVersion"]
        .as_str()
        .and_then(|version| version.split_once('/'));
    let group = group.map_or("", |(group, _)| group);
    if let Some(early) = generic_trouble(object) {
        return early;
    }
    let rule = match (group, kind) {
        ("apps" | "extensions", "Deployment") => deployment,
        ("apps", "StatefulSet") => stateful_set,
        ("apps" | "extensions", "DaemonSet") => daemon_set,
        ("apps" | "extensions", "ReplicaSet") => replica_set,
        ("", "Pod") => pod,
        ("", "PersistentVolumeClaim") => volume_claim,
        ("", "Service") => service,
        ("batch", "Job") => job,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition,
        ("policy", "PodDisruptionBudget") | ("", "ConfigMap" | "Secret") | ("batch", "CronJob") => {
            always
        }
        ("bitnami.com", "SealedSecret") => sealed_secret,
        ("external-secrets.io", "ExternalSecret") => external_secret,
        _ => by_ready,
    };
    rule(object)
}

/// What holds for every kind, before its own rule: an outdated status, and the conditions of the kstatus convention.
fn generic_trouble(object: &Value) -> Option<Health> {
    let observed = &object["status"]["observedGeneration"];
    let generation = &object["metadata"]["generation"];
    if observed.is_number() && generation.is_number() && observed != generation {
        return Some(Health::InProgress);
    }
    if condition(object, "Reconciling").is_some_and(|status| status == "True") {
        return Some(Health::InProgress);
    }
    let stalled = condition(object, "Stalled").is_some_and(|status| status == "True");
    stalled.then_some(Health::Failed)
}

/// No conditions: nothing to wait for. `Ready` false is not yet a failure.
fn by_ready(object: &Value) -> Health {
    match condition(object, "Ready") {
        None | Some("True") => Health::Current,
        Some(_) => Health::InProgress,
    }
}

fn always(_: &Value) -> Health {
    Health::Current
}

/// kstatus takes a SealedSecret for current as soon as it was looked at, even if it could not be opened.
fn sealed_secret(object: &Value) -> Health {
    current_if(
        observed(object) && condition(object, "Synced").is_some_and(|status| status == "True"),
    )
}

/// kstatus takes a fresh ExternalSecret for current, and one that changed too; the version that was synced tells more:
/// `<generation>-<hash>`.
fn external_secret(object: &Value) -> Health {
    let synced = object["status"]["syncedResourceVersion"]
        .as_str()
        .and_then(|version| version.split_once('-'));
    let generation = object["metadata"]["generation"].to_string();
    let is_newest = synced.is_some_and(|(of, _)| of == generation);
    current_if(is_newest && condition(object, "Ready").is_some_and(|status| status == "True"))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(super) fn of(api_version: &str, kind: &str, rest: &Value) -> Health {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2}});
        for (key, value) in rest.as_object().unwrap() {
            object[key] = value.clone();
        }
        health(&object)
    }

    pub(super) fn with(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason})
    }

    #[test]
    fn any_other_kind_follows_the_convention() {
        let case = |status: Value| of("example.org/v1", "Thing", &json!({"status": status}));
        assert_eq!(case(json!({})), Health::Current);
        assert_eq!(case(json!({"observedGeneration": 1})), Health::InProgress);
        assert_eq!(
            case(json!({"conditions": [with("Ready", "False", "")]})),
            Health::InProgress
        );
        assert_eq!(
            case(json!({"conditions": [with("Ready", "True", "")]})),
            Health::Current
        );
        assert_eq!(
            case(json!({"conditions": [with("Stalled", "True", "")]})),
            Health::Failed
        );
        assert_eq!(
            case(
                json!({"conditions": [with("Reconciling", "True", ""), with("Ready", "True", "")]})
            ),
            Health::InProgress
        );
        let gone = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
        assert_eq!(health(&gone), Health::Terminating);
    }

    #[test]
    fn secrets_are_current_when_they_are_there_and_not_before() {
        let sealed = |status: Value| {
            of(
                "bitnami.com/v1alpha1",
                "SealedSecret",
                &json!({"status": status}),
            )
        };
        assert_eq!(sealed(json!({})), Health::InProgress);
        assert_eq!(
            sealed(json!({"observedGeneration": 2, "conditions": [with("Synced", "False", "")]})),
            Health::InProgress
        );
        assert_eq!(
            sealed(json!({"observedGeneration": 2, "conditions": [with("Synced", "True", "")]})),
            Health::Current
        );
        let external = |status: Value| {
            of(
                "external-secrets.io/v1",
                "ExternalSecret",
                &json!({"status": status}),
            )
        };
        assert_eq!(external(json!({})), Health::InProgress);
        assert_eq!(
            external(
                json!({"syncedResourceVersion": "1-abc", "conditions": [with("Ready", "True", "")]})
            ),
            Health::InProgress
        );
        assert_eq!(
            external(
                json!({"syncedResourceVersion": "2-abc", "conditions": [with("Ready", "True", "")]})
            ),
            Health::Current
        );
    }
}
