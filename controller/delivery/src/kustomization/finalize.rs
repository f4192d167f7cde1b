//! What becomes of the objects when their Kustomization is deleted (kustomize-controller, `finalize`).

use std::time::Duration;

use crds::kustomization::{DeletionPolicy, Kustomization};
use jiff::Timestamp;

/// What to do before the Kustomization may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Leave everything as it is.
    Leave,
    /// Delete its objects.
    Delete,
    /// Delete its objects, and wait until they are gone.
    DeleteAndWait,
}

/// Decides it. A suspended Kustomization leaves its objects, as in Flux.
pub(super) fn farewell(object: &Kustomization) -> Farewell {
    let spec = &object.spec;
    if spec.suspend {
        return Farewell::Leave;
    }
    match &spec.deletion_policy {
        DeletionPolicy::MirrorPrune if spec.prune => Farewell::Delete,
        DeletionPolicy::Delete => Farewell::Delete,
        DeletionPolicy::WaitForTermination => Farewell::DeleteAndWait,
        DeletionPolicy::MirrorPrune | DeletionPolicy::Orphan | DeletionPolicy::Other(_) => {
            Farewell::Leave
        }
    }
}

/// Whether waiting for objects to go has taken longer than `spec.timeout` says.
pub(super) fn has_waited_enough(object: &Kustomization, now: Timestamp) -> bool {
    let timeout = object
        .spec
        .parse_timeout()
        .unwrap_or(Duration::from_secs(30));
    let since = object
        .metadata
        .deletion_timestamp
        .as_ref()
        .map(|since| since.0);
    let waited =
        since.map(|since| Duration::try_from(now.duration_since(since)).unwrap_or_default());
    waited.is_none_or(|waited| waited > timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_decides_and_suspending_leaves_everything() {
        let case = |policy: &str, prune, suspend| {
            let mut object = Kustomization::default();
            object.spec.deletion_policy = DeletionPolicy::from(policy);
            object.spec.prune = prune;
            object.spec.suspend = suspend;
            farewell(&object)
        };
        for (policy, prune, suspend, expected) in [
            ("", true, false, Farewell::Delete),
            ("", false, false, Farewell::Leave),
            ("MirrorPrune", true, true, Farewell::Leave),
            ("Delete", false, false, Farewell::Delete),
            ("Delete", false, true, Farewell::Leave),
            ("WaitForTermination", false, false, Farewell::DeleteAndWait),
            ("Orphan", true, false, Farewell::Leave),
            ("Surprise", true, false, Farewell::Leave),
        ] {
            assert_eq!(
                case(policy, prune, suspend),
                expected,
                "{policy} {prune} {suspend}"
            );
        }
    }
}
