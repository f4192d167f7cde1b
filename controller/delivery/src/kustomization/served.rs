//! What of a Kustomization's spec is served. What is not is said, and nothing of it is done: half of a manifest is worse
//! than none.

use std::time::Duration;

use crds::{
    duration::DurationError,
    kustomization::{DeletionPolicy, KustomizationSpec},
};

use super::failure::ApplyFailure;
use crate::sources::SourceName;

/// A spec that we can do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Demand {
    pub(super) interval: Duration,
    /// How long health may take.
    pub(super) timeout: Duration,
    pub(super) source: SourceName,
}

/// Reads the spec of a Kustomization in this namespace.
pub(super) fn demand(
    namespace: &str,
    spec: &KustomizationSpec,
    across_namespaces: bool,
) -> Result<Demand, ApplyFailure> {
    let asked = [
        (
            "spec.sourceRef.kind other than GitRepository",
            spec.source_ref.kind != "GitRepository",
        ),
        ("spec.decryption", spec.decryption.is_some()),
        ("spec.kubeConfig", spec.kube_config.is_some()),
        ("spec.healthCheckExprs", !spec.health_check_exprs.is_empty()),
        ("spec.ignore", !spec.ignore.is_empty()),
        (
            "spec.dependsOn[].readyExpr",
            spec.depends_on
                .iter()
                .any(|dependency| !dependency.ready_expr.is_empty()),
        ),
        (
            "this value of spec.deletionPolicy",
            matches!(spec.deletion_policy, DeletionPolicy::Other(_)),
        ),
    ];
    if let Some((field, _)) = asked.into_iter().find(|(_, asked)| *asked) {
        return Err(ApplyFailure::NotServed(field));
    }
    let duration = |field, parsed: Result<Duration, DurationError>| {
        parsed.map_err(|error| ApplyFailure::Duration {
            field,
            message: error.to_string(),
        })
    };
    let reference = &spec.source_ref;
    let source_namespace = if reference.namespace.is_empty() {
        namespace
    } else {
        &reference.namespace
    };
    let source = SourceName {
        namespace: source_namespace.to_owned(),
        name: reference.name.clone(),
    };
    if source.namespace != namespace && !across_namespaces {
        return Err(ApplyFailure::AccessDenied(format!(
            "GitRepository/{source}"
        )));
    }
    let interval = duration("interval", spec.parse_interval())?;
    duration("retryInterval", spec.parse_retry_interval())?;
    Ok(Demand {
        interval,
        timeout: duration("timeout", spec.parse_timeout())?,
        source,
    })
}

#[cfg(test)]
mod tests {
    use crds::kustomization::SourceReference;

    use super::*;

    fn spec(change: impl FnOnce(&mut KustomizationSpec)) -> KustomizationSpec {
        let source_ref = SourceReference {
            kind: "GitRepository".into(),
            name: "apps".into(),
            ..Default::default()
        };
        let mut spec = KustomizationSpec {
            interval: "10m".into(),
            source_ref,
            ..Default::default()
        };
        change(&mut spec);
        spec
    }

    #[test]
    fn what_is_not_served_is_said_and_never_left_out_in_silence() {
        for (spec, text) in [
            (
                spec(|s| s.source_ref.kind = "Bucket".into()),
                "spec.sourceRef.kind other than GitRepository is not served",
            ),
            (
                spec(|s| s.decryption = Some(Default::default())),
                "spec.decryption is not served",
            ),
            (
                spec(|s| s.kube_config = Some(Default::default())),
                "spec.kubeConfig is not served",
            ),
            (
                spec(|s| s.interval = "1d".into()),
                "spec.interval: not a duration such as \"1h\", \"5m30s\" or \"500ms\"",
            ),
            (
                spec(|s| s.retry_interval = Some("-1s".into())),
                "spec.retryInterval: a duration must not be negative",
            ),
        ] {
            let failure = demand("ns", &spec, true).unwrap_err();
            assert!(failure.is_stalled());
            assert_eq!(failure.to_string(), text);
        }
    }

    #[test]
    fn a_source_in_another_namespace_can_be_refused() {
        let elsewhere = spec(|s| s.source_ref.namespace = "flux-system".into());
        let source = SourceName {
            namespace: "flux-system".into(),
            name: "apps".into(),
        };
        assert_eq!(demand("ns", &elsewhere, true).unwrap().source, source);
        let failure = demand("ns", &elsewhere, false).unwrap_err();
        assert_eq!(
            (failure.reason(), failure.is_stalled()),
            ("AccessDenied", true)
        );
        assert!(demand("ns", &spec(|_| ()), false).is_ok());
        let same = spec(|s| s.source_ref.namespace = "ns".into());
        assert!(demand("ns", &same, false).is_ok());
    }
}
