//! The writes of a refresh, and the events that tell of them.

use crds::external_secret::{
    CreationPolicy, ExternalSecret, REASON_CREATED, REASON_DELETED, REASON_UPDATED, WrittenSecret,
};
use k8s_openapi::api::core::v1::Secret;
use kit::{
    redact,
    target::{self, WriteError, Written},
};
use kube::{Api, ResourceExt as _};
use tracing::info;

use super::{
    desired,
    failure::{Stage, SyncFailure},
    plan::{self, Outcome, Plan},
    questions, refresh,
};
use crate::{key::Key, names, part::Part};

/// What is said of a target that was not there when we looked.
pub(crate) const APPEARED: &str = "the target has appeared meanwhile";

/// What the writes left behind: what it comes to, and the target as it is now.
pub(crate) type Left = (Outcome, Option<WrittenSecret>);

/// Carries out a plan. `existing` is the version of the target that the plan is about.
///
/// # Errors
/// Why the target is not as it should be.
pub(crate) async fn carry_out(
    part: &Part,
    object: &ExternalSecret,
    existing: Option<&Secret>,
    plan: Plan,
) -> Result<Left, SyncFailure> {
    let client = &part.context.client;
    let manager = names::field_manager(&object.name_any());
    let _call = part.calls.acquire().await;
    match plan {
        Plan::Nothing(outcome) => {
            let ours =
                existing.filter(|secret| outcome == Outcome::Synced || refresh::is_intact(secret));
            Ok((outcome, ours.map(version)))
        }
        Plan::Create(secret) => {
            let written = target::create(client, &secret, &manager)
                .await
                .map_err(write_failure)?;
            tell(part, object, REASON_CREATED, "secret created");
            Ok((Outcome::Synced, Some(of(written))))
        }
        Plan::Replace(secret) => {
            let written = target::replace(client, &secret, &manager)
                .await
                .map_err(write_failure)?;
            tell(part, object, REASON_UPDATED, "secret updated");
            Ok((Outcome::Synced, Some(of(written))))
        }
        Plan::ReplaceMetadata(secret) => {
            target::replace(client, &secret, &manager)
                .await
                .map_err(write_failure)?;
            Err(plan::immutable())
        }
        Plan::Delete(secret) => {
            target::delete(client, &secret)
                .await
                .map_err(|error| match error {
                    WriteError::Conflict => write_failure(error),
                    other => SyncFailure::at(Stage::Delete, other.to_string()),
                })?;
            tell(
                part,
                object,
                REASON_DELETED,
                "secret deleted due to DeletionPolicy=Delete",
            );
            Ok((Outcome::Deleted, None))
        }
    }
}

/// Reads the target.
///
/// # Errors
/// When the API server refuses or does not answer.
pub(crate) async fn read(
    part: &Part,
    object: &ExternalSecret,
) -> Result<Option<Secret>, SyncFailure> {
    let namespace = object.namespace().unwrap_or_default();
    let _call = part.calls.acquire().await;
    let found = target::read(&part.context.client, &namespace, questions::target(object)).await;
    found.map_err(|error| SyncFailure::at(Stage::Update, error.to_string()))
}

/// Deletes what the ExternalSecret owned under an earlier target name
/// (externalsecret_controller.go, `deleteOrphanedSecrets`), once the new target is there.
///
/// # Errors
/// When one could not be deleted.
pub(crate) async fn delete_orphans(
    part: &Part,
    object: &ExternalSecret,
) -> Result<(), SyncFailure> {
    if object.spec.target.creation_policy != CreationPolicy::Owner {
        return Ok(());
    }
    let namespace = object.namespace().unwrap_or_default();
    let label = names::owner_label(&namespace, &object.name_any());
    let current = questions::target(object);
    for Key { name, .. } in part.sightings.created_by(&namespace, &label) {
        if name != current {
            delete_orphan(part, object, &namespace, &name).await?;
        }
    }
    Ok(())
}

/// The label says that it was ours; the owner reference has to say so, too.
async fn delete_orphan(
    part: &Part,
    object: &ExternalSecret,
    namespace: &str,
    name: &str,
) -> Result<(), SyncFailure> {
    let failed = |cause: String| SyncFailure::at(Stage::DeleteOrphaned, cause);
    let client = &part.context.client;
    let _call = part.calls.acquire().await;
    let found = Api::<Secret>::namespaced(client.clone(), namespace)
        .get_metadata_opt(name)
        .await;
    let found = found.map_err(|error| failed(redact::api_error(&error)))?;
    let Some(found) = found else { return Ok(()) };
    let secret = Secret {
        metadata: found.metadata,
        ..Secret::default()
    };
    if !desired::is_controlled_by(&secret, object) {
        return Ok(());
    }
    target::delete(client, &secret)
        .await
        .map_err(|error| failed(error.to_string()))?;
    tell(
        part,
        object,
        REASON_DELETED,
        "secret deleted because it was orphaned",
    );
    Ok(())
}

/// Deletes the target of an ExternalSecret that is being deleted, where its policy asks for it and
/// it is ours (`cleanupManagedSecrets`). Garbage collection would come to the same end.
///
/// # Errors
/// When it could not be deleted.
pub(crate) async fn clean_up(part: &Part, object: &ExternalSecret) -> Result<(), SyncFailure> {
    let Some(secret) = read(part, object).await? else {
        return Ok(());
    };
    if !desired::is_controlled_by(&secret, object) {
        return Ok(());
    }
    let _call = part.calls.acquire().await;
    target::delete(&part.context.client, &secret)
        .await
        .map_err(|error| match error {
            WriteError::Conflict => write_failure(error),
            other => SyncFailure::at(Stage::Delete, other.to_string()),
        })
}

fn write_failure(error: WriteError) -> SyncFailure {
    match error {
        WriteError::Conflict => {
            SyncFailure::Overtaken("the target was changed by somebody else meanwhile")
        }
        WriteError::AlreadyExists => SyncFailure::Overtaken(APPEARED),
        WriteError::Immutable => SyncFailure::at(Stage::Immutable, error.to_string()),
        other => SyncFailure::at(Stage::Update, other.to_string()),
    }
}

fn tell(part: &Part, object: &ExternalSecret, reason: &'static str, message: &str) {
    info!(secret = questions::target(object), reason, "{message}");
    part.events.normal(object, reason, message);
}

fn of(written: Written) -> WrittenSecret {
    WrittenSecret {
        uid: written.uid,
        resource_version: written.resource_version,
    }
}

/// The version of a Secret that was read.
pub(crate) fn version(secret: &Secret) -> WrittenSecret {
    WrittenSecret {
        uid: secret.uid().unwrap_or_default(),
        resource_version: secret.resource_version().unwrap_or_default(),
    }
}
