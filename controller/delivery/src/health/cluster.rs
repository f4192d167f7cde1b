//! The rules for the kinds of Kubernetes itself.

use serde_json::Value;

use super::{
    Health,
    fields::{condition, count, current_if, observed, reason, replicas},
};

pub(super) fn deployment(object: &Value) -> Health {
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

pub(super) fn stateful_set(object: &Value) -> Health {
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

pub(super) fn daemon_set(object: &Value) -> Health {
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

pub(super) fn replica_set(object: &Value) -> Health {
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

pub(super) fn pod(object: &Value) -> Health {
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

pub(super) fn volume_claim(object: &Value) -> Health {
    current_if(object["status"]["phase"] == "Bound")
}

pub(super) fn service(object: &Value) -> Health {
    let is_balanced = object["spec"]["type"] == "LoadBalancer";
    current_if(
        !is_balanced
            || object["spec"]["clusterIP"]
                .as_str()
                .is_some_and(|address| !address.is_empty()),
    )
}

/// Flux's own rule (fluxcd/pkg runtime/statusreaders/job.go): a Job is current when it is done, not when it has started.
pub(super) fn job(object: &Value) -> Health {
    if object["spec"]["suspend"] == true {
        return Health::Current;
    }
    if condition(object, "Failed").is_some_and(|status| status == "True") {
        return Health::Failed;
    }
    current_if(condition(object, "Complete").is_some_and(|status| status == "True"))
}

pub(super) fn definition(object: &Value) -> Health {
    if condition(object, "NamesAccepted").is_some_and(|status| status == "False") {
        return Health::Failed;
    }
    current_if(condition(object, "Established").is_some_and(|status| status == "True"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::{of, with};

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
}
