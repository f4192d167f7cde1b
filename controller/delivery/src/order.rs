//! The order in which objects are applied.
//!
//! The plain order is Flux's (fluxcd/pkg ssa sort.go, `ReconcileOrder`). What a workload must wait for (Secrets first)
//! will be decided here too.

/// Where a kind stands: smaller is applied earlier and deleted later.
#[must_use]
pub fn rank(kind: &str) -> i8 {
    let index = |list: &[&str]| {
        let found = list.iter().position(|known| *known == kind)?;
        i8::try_from(found).ok()
    };
    if let Some(index) = index(FIRST) {
        index - 100
    } else if let Some(index) = index(LAST) {
        index + 1
    } else {
        0
    }
}

/// Whether other objects can only be applied once this one is established: definitions of kinds, namespaces, and the
/// roles that aggregated rights come from (fluxcd/pkg ssa utils/is.go, `IsClusterDefinition`).
#[must_use]
pub fn is_definition(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        ("apiextensions.k8s.io", "CustomResourceDefinition")
            | ("", "Namespace")
            | ("rbac.authorization.k8s.io", "ClusterRole")
    )
}

const FIRST: &[&str] = &[
    "CustomResourceDefinition",
    "Namespace",
    "ClusterRole",
    "ClusterClass",
    "RuntimeClass",
    "PriorityClass",
    "StorageClass",
    "VolumeSnapshotClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRoleBinding",
    "ResourceQuota",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: &[&str] = &[
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_come_first_and_webhooks_last() {
        let mut kinds = [
            "ValidatingWebhookConfiguration",
            "SealedSecret",
            "Deployment",
            "Secret",
            "Namespace",
            "Ingress",
            "CustomResourceDefinition",
            "ServiceAccount",
        ];
        kinds.sort_by_key(|kind| rank(kind));
        assert_eq!(
            kinds,
            [
                "CustomResourceDefinition",
                "Namespace",
                "ServiceAccount",
                "Secret",
                "Deployment",
                "SealedSecret",
                "Ingress",
                "ValidatingWebhookConfiguration",
            ]
        );
    }

    #[test]
    fn a_kind_of_the_same_name_in_another_group_is_no_definition() {
        assert!(is_definition("", "Namespace"));
        assert!(!is_definition("example.org", "Namespace"));
    }
}
