//! Whether an object is as it should be: kstatus' rules (fluxcd/cli-utils pkg/kstatus/status), and rules of our own for the
//! kinds that this process serves.

use serde_json::Value;

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

fn deployment(object: &Value) -> Health {
    if reason(object, "Progressing").is_some_and(|reason| reason == "ProgressDeadlineExceeded") {
        return Health::Failed;
    }
    let wanted = replicas(object);
    let status = &object["status"];
    let is_there = count(status, "updatedReplicas") >= wanted
        && count(status, "replicas") <= count(status, "updatedReplicas")
        && count(status, "availableReplicas") >= count(status, "updatedReplicas")
        && count(status, "readyReplicas") >= wanted;
    let available = condition(object, "Available").is_some_and(|status| status == "True");
    let progressed =
        reason(object, "Progressing").is_none_or(|reason| reason == "NewReplicaSetAvailable");
    current_if(is_there && available && progressed && observed(object))
}

fn stateful_set(object: &Value) -> Health {
    if object["spec"]["updateStrategy"]["type"] == "OnDelete" {
        return Health::Current;
    }
    let wanted = replicas(object);
    let status = &object["status"];
    if count(status, "replicas") < wanted
        || count(status, "readyReplicas") < wanted
        || !observed(object)
    {
        return Health::InProgress;
    }
    if let Some(partition) = object["spec"]["updateStrategy"]["rollingUpdate"]["partition"]
        .as_i64()
        .filter(|at| *at > 0)
    {
        return current_if(count(status, "updatedReplicas") >= wanted - partition);
    }
    current_if(
        count(status, "currentReplicas") >= wanted
            && status["currentRevision"] == status["updateRevision"],
    )
}

fn daemon_set(object: &Value) -> Health {
    if !observed(object) {
        return Health::InProgress;
    }
    let status = &object["status"];
    let wanted = count(status, "desiredNumberScheduled");
    let enough = [
        "currentNumberScheduled",
        "updatedNumberScheduled",
        "numberAvailable",
        "numberReady",
    ];
    current_if(enough.iter().all(|field| count(status, field) >= wanted))
}

fn replica_set(object: &Value) -> Health {
    if condition(object, "ReplicaFailure").is_some_and(|status| status == "True") {
        return Health::InProgress;
    }
    let wanted = replicas(object);
    let status = &object["status"];
    let enough = ["fullyLabeledReplicas", "availableReplicas", "readyReplicas"];
    current_if(
        observed(object)
            && enough.iter().all(|field| count(status, field) >= wanted)
            && count(status, "replicas") <= wanted,
    )
}

fn pod(object: &Value) -> Health {
    let crashes = |list: &Value| {
        let waiting = list.as_array().into_iter().flatten();
        waiting
            .into_iter()
            .any(|container| container["state"]["waiting"]["reason"] == "CrashLoopBackOff")
    };
    match object["status"]["phase"].as_str() {
        Some("Succeeded") => Health::Current,
        Some("Failed") => Health::Failed,
        Some("Running") if condition(object, "Ready") == Some("True") => Health::Current,
        Some("Running") if crashes(&object["status"]["containerStatuses"]) => Health::Failed,
        Some("Pending") if crashes(&object["status"]["initContainerStatuses"]) => Health::Failed,
        _ => Health::InProgress,
    }
}

fn volume_claim(object: &Value) -> Health {
    current_if(object["status"]["phase"] == "Bound")
}

fn service(object: &Value) -> Health {
    let is_balanced = object["spec"]["type"] == "LoadBalancer";
    current_if(
        !is_balanced
            || object["spec"]["clusterIP"]
                .as_str()
                .is_some_and(|address| !address.is_empty()),
    )
}

/// Flux's own rule (fluxcd/pkg runtime/statusreaders/job.go): a Job is current when it is done, not when it has started.
fn job(object: &Value) -> Health {
    if object["spec"]["suspend"] == true {
        return Health::Current;
    }
    if condition(object, "Failed").is_some_and(|status| status == "True") {
        return Health::Failed;
    }
    current_if(condition(object, "Complete").is_some_and(|status| status == "True"))
}

fn definition(object: &Value) -> Health {
    if condition(object, "NamesAccepted").is_some_and(|status| status == "False") {
        return Health::Failed;
    }
    current_if(condition(object, "Established").is_some_and(|status| status == "True"))
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

fn current_if(is_current: bool) -> Health {
    if is_current {
        Health::Current
    } else {
        Health::InProgress
    }
}

/// The status is of the newest generation.
fn observed(object: &Value) -> bool {
    let observed = &object["status"]["observedGeneration"];
    observed.is_number() && *observed == object["metadata"]["generation"]
}

fn replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

fn count(status: &Value, field: &str) -> i64 {
    status[field].as_i64().unwrap_or_default()
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    entry(object, kind)?["status"].as_str()
}

fn reason<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    entry(object, kind)?["reason"].as_str()
}

fn entry<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(api_version: &str, kind: &str, rest: &Value) -> Health {
        let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "generation": 2}});
        for (key, value) in rest.as_object().unwrap() {
            object[key] = value.clone();
        }
        health(&object)
    }

    fn with(kind: &str, status: &str, reason: &str) -> Value {
        json!({"type": kind, "status": status, "reason": reason})
    }

    #[test]
    fn a_deployment_is_current_when_its_rollout_is_done() {
        let case = |status: Value| {
            of(
                "apps/v1",
                "Deployment",
                &json!({"spec": {"replicas": 2}, "status": status}),
            )
        };
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2,
            "conditions": [with("Available", "True", ""), with("Progressing", "True", "NewReplicaSetAvailable")]});
        assert_eq!(case(done.clone()), Health::Current);
        for (field, value) in [
            ("observedGeneration", json!(1)),
            ("updatedReplicas", json!(1)),
            ("replicas", json!(3)),
            ("availableReplicas", json!(1)),
            ("readyReplicas", json!(1)),
            ("conditions", json!([with("Available", "False", "")])),
            (
                "conditions",
                json!([
                    with("Available", "True", ""),
                    with("Progressing", "True", "ReplicaSetUpdated")
                ]),
            ),
        ] {
            let mut status = done.clone();
            status[field] = value;
            assert_eq!(case(status), Health::InProgress, "{field}");
        }
        assert_eq!(case(json!({})), Health::InProgress);
        let exceeded = json!({"observedGeneration": 2, "conditions": [with("Progressing", "False", "ProgressDeadlineExceeded")]});
        assert_eq!(case(exceeded), Health::Failed);
    }

    #[test]
    fn kinds_of_the_cluster_have_their_own_rules() {
        use Health::{Current, Failed, InProgress};
        for (version, kind, rest, expected) in [
            ("v1", "ConfigMap", json!({}), Current),
            (
                "v1",
                "Namespace",
                json!({"status": {"phase": "Active"}}),
                Current,
            ),
            (
                "v1",
                "Service",
                json!({"spec": {"type": "LoadBalancer"}}),
                InProgress,
            ),
            (
                "v1",
                "Service",
                json!({"spec": {"type": "LoadBalancer", "clusterIP": "1.2.3.4"}}),
                Current,
            ),
            (
                "v1",
                "Service",
                json!({"spec": {"type": "ClusterIP"}}),
                Current,
            ),
            (
                "v1",
                "PersistentVolumeClaim",
                json!({"status": {"phase": "Pending"}}),
                InProgress,
            ),
            (
                "v1",
                "PersistentVolumeClaim",
                json!({"status": {"phase": "Bound"}}),
                Current,
            ),
            (
                "v1",
                "Pod",
                json!({"status": {"phase": "Running"}}),
                InProgress,
            ),
            (
                "v1",
                "Pod",
                json!({"status": {"phase": "Running", "conditions": [with("Ready", "True", "")]}}),
                Current,
            ),
            ("v1", "Pod", json!({"status": {"phase": "Failed"}}), Failed),
            (
                "v1",
                "Pod",
                json!({"status": {"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}),
                Failed,
            ),
            (
                "batch/v1",
                "Job",
                json!({"status": {"active": 1}}),
                InProgress,
            ),
            (
                "batch/v1",
                "Job",
                json!({"status": {"conditions": [with("Complete", "True", "")]}}),
                Current,
            ),
            (
                "batch/v1",
                "Job",
                json!({"status": {"conditions": [with("Failed", "True", "")]}}),
                Failed,
            ),
            ("batch/v1", "CronJob", json!({}), Current),
        ] {
            assert_eq!(of(version, kind, &rest), expected, "{kind} {rest}");
        }
    }

    #[test]
    fn sets_of_pods_and_definitions_have_theirs() {
        use Health::{Current, Failed, InProgress};
        for (version, kind, rest, expected) in [
            (
                "apps/v1",
                "StatefulSet",
                json!({"spec": {"replicas": 1}, "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "a"}}),
                Current,
            ),
            (
                "apps/v1",
                "StatefulSet",
                json!({"spec": {"replicas": 1}, "status": {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "b"}}),
                InProgress,
            ),
            (
                "apps/v1",
                "StatefulSet",
                json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
                Current,
            ),
            (
                "apps/v1",
                "DaemonSet",
                json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 0}}),
                InProgress,
            ),
            (
                "apps/v1",
                "DaemonSet",
                json!({"status": {"observedGeneration": 2}}),
                Current,
            ),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                json!({"status": {"conditions": [with("Established", "True", "")]}}),
                Current,
            ),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                json!({"status": {"conditions": [with("NamesAccepted", "False", "")]}}),
                Failed,
            ),
        ] {
            assert_eq!(of(version, kind, &rest), expected, "{kind} {rest}");
        }
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
