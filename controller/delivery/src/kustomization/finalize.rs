//! What becomes of the objects when their Kustomization is deleted (kustomize-controller, `finalize`).

use std::time::Duration;

use crds::{
    flux::FINALIZER,
    kustomization::{DeletionPolicy, Kustomization, REASON_PRUNE_FAILED},
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ServiceAccount;
use kit::{reconcile::Next, redact};
use kube::{Api, ResourceExt as _};
use tracing::warn;

use super::{failure::ApplyFailure, watch::Applying, work::inventory_of};
use crate::{
    cluster::{Deleted, delete},
    finalizer,
    inventory::{Inventory, ObjectId},
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
        if farewell != Farewell::Leave
            && !inventory.is_empty()
            && !self
                .say_goodbye(object, &owner, &inventory, farewell)
                .await?
        {
            return Ok(Next::After(Duration::from_secs(1)));
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

    /// Deletes the objects, if there is somebody to do it as. Returns whether the Kustomization may go.
    async fn say_goodbye(
        &self,
        object: &Kustomization,
        owner: &Owner,
        inventory: &Inventory,
        farewell: Farewell,
    ) -> Result<bool, ApplyFailure> {
        if object.spec.kube_config.is_some() {
            return Err(ApplyFailure::NotServed("spec.kubeConfig"));
        }
        if let Some(account) = self.account_of(object)
            && self.is_gone(account, &owner.namespace).await?
        {
            let message = unable(&owner.namespace, account, inventory);
            warn!(kustomization = %owner, account, "its objects stay: the ServiceAccount to delete them as is gone");
            self.events.warning(object, REASON_PRUNE_FAILED, &message);
            return Ok(true);
        }
        let left = self.delete_all(object, owner, inventory).await?;
        if farewell == Farewell::DeleteAndWait && left > 0 {
            if !has_waited_enough(object, Timestamp::now()) {
                return Ok(false);
            }
            self.events.warning(
                object,
                REASON_PRUNE_FAILED,
                "objects were deleted and are still there; they are not waited for any longer",
            );
        }
        Ok(true)
    }

    /// Whether there is no such ServiceAccount. Flux takes every error for that (fluxcd/pkg runtime/client/impersonator.go,
    /// `CanImpersonate`) and orphans everything when the API server is slow; here only the server's own word counts.
    async fn is_gone(&self, account: &str, namespace: &str) -> Result<bool, ApplyFailure> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        match accounts.get_metadata_opt(account).await {
            Ok(found) => Ok(found.is_none()),
            // Without the right to look, trying to delete tells.
            Err(kube::Error::Api(status)) if status.code == 403 => Ok(false),
            Err(error) => Err(ApplyFailure::Api {
                doing: "look for the ServiceAccount to delete as",
                said: redact::api_error(&error),
            }),
        }
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

/// What stays, and why, for the people who have to remove it.
fn unable(namespace: &str, account: &str, inventory: &Inventory) -> String {
    let mut subjects: Vec<String> = inventory
        .ids()
        .take(MOST_NAMED)
        .map(ObjectId::subject)
        .collect();
    let more = inventory.ids().count().saturating_sub(MOST_NAMED);
    if more > 0 {
        subjects.push(format!("and {more} more"));
    }
    format!(
        "unable to prune objects: the ServiceAccount {namespace}/{account} to delete them as does not exist; they stay: {}",
        subjects.join(", ")
    )
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

/// An Event has room for about as many.
const MOST_NAMED: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_named_up_to_a_number_that_people_read() {
        let inventory: Inventory = (10..22)
            .map(|number| {
                (
                    format!("shop_m{number}__ConfigMap").parse().unwrap(),
                    "v1".to_owned(),
                )
            })
            .collect();
        let message = unable("shop", "deployer", &inventory);
        assert!(
            message.contains("ServiceAccount shop/deployer"),
            "{message}"
        );
        assert!(
            message.contains("ConfigMap/shop/m10, ") && message.ends_with(", and 2 more"),
            "{message}"
        );
    }

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
