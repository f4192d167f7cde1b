//! What becomes of the objects when their Kustomization is deleted (kustomize-controller, `finalize`).

use std::time::Duration;

use crds::{
    flux::FINALIZER,
    kustomization::{DeletionPolicy, Kustomization, REASON_PRUNE_FAILED},
};
use jiff::Timestamp;
use kit::{reconcile::Next, redact};
use kube::ResourceExt as _;

use super::{failure::ApplyFailure, watch::Applying, work::inventory_of};
use crate::{
    cluster::{Deleted, delete},
    finalizer,
    inventory::Inventory,
    owner::Owner,
};

impl Applying {
    /// Lets a Kustomization go, after its objects.
    pub(super) async fn finalize(&self, object: &Kustomization) -> Result<Next, ApplyFailure> {
        let owner = Owner::of(object);
        if !object.finalizers().iter().any(|name| name == FINALIZER) {
            return Ok(Next::WaitForChange);
        }
        let status = self
            .statuses
            .newest(&object.metadata, object.status.as_ref());
        let inventory = inventory_of(&status);
        self.claims.forget(&owner);
        let farewell = farewell(object);
        if farewell != Farewell::Leave && !inventory.is_empty() {
            if object.spec.kube_config.is_some() {
                return Err(ApplyFailure::NotServed("spec.kubeConfig"));
            }
            let left = self.delete_all(object, &owner, &inventory).await?;
            if farewell == Farewell::DeleteAndWait && left > 0 {
                if !has_waited_enough(object, Timestamp::now()) {
                    return Ok(Next::After(Duration::from_secs(1)));
                }
                self.events.warning(
                    object,
                    REASON_PRUNE_FAILED,
                    "objects were deleted and are still there; they are not waited for any longer",
                );
            }
        }
        for id in inventory.ids() {
            self.watched.forget(id, &owner);
        }
        let removed = finalizer::remove(&self.client, object, FINALIZER).await;
        removed.map_err(|error| ApplyFailure::Api {
            doing: "remove the finalizer",
            said: redact::api_error(&error),
        })?;
        self.statuses.forget(&object.metadata);
        self.backoff.forget(&owner);
        self.waiting.forget(&owner);
        self.watched.wait_for(&owner, Vec::new());
        Ok(Next::WaitForChange)
    }

    /// Deletes everything in the inventory. Returns how many objects are still there.
    async fn delete_all(
        &self,
        object: &Kustomization,
        owner: &Owner,
        inventory: &Inventory,
    ) -> Result<usize, ApplyFailure> {
        let client = self.acting_for(object, owner)?;
        let mut errors = Vec::new();
        let mut left = 0;
        for id in inventory.ids().rev() {
            self.watched.forget(id, owner);
            let is_our_home =
                id.kind == "Namespace" && id.group.is_empty() && id.name == self.own_namespace;
            if is_our_home || self.claims.rival(owner, id).is_some() {
                continue;
            }
            let version = inventory.version(id).unwrap_or_default();
            match delete(&client, &self.kinds, owner, id, version).await {
                Ok(Deleted::Now) => left += 1,
                Ok(Deleted::Before | Deleted::Left) => {}
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            Ok(left)
        } else {
            Err(ApplyFailure::Prune(errors))
        }
    }
}

/// What to do before the Kustomization may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Farewell {
    /// Leave everything as it is.
    Leave,
    /// Delete its objects.
    Delete,
    /// Delete its objects, and wait until they are gone.
    DeleteAndWait,
}

/// Decides it. A suspended Kustomization leaves its objects, as in Flux.
fn farewell(object: &Kustomization) -> Farewell {
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
fn has_waited_enough(object: &Kustomization, now: Timestamp) -> bool {
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
