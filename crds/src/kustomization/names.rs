//! Names of the API, from kustomize-controller `api/v1` where nothing else is said.

/// Label on every applied object: the Kustomization's name (`manager.go`, `SetOwnerLabels`).
pub const OWNER_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
/// Label on every applied object: the Kustomization's namespace.
pub const OWNER_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
/// On an object, as label or annotation, with `disabled`: it is not applied.
pub const RECONCILE: &str = "kustomize.toolkit.fluxcd.io/reconcile";
/// On an object, as label or annotation, with `disabled`: it is not pruned.
pub const PRUNE: &str = "kustomize.toolkit.fluxcd.io/prune";
/// On an object, as label or annotation, with `enabled`: it may be deleted and made anew where it cannot
/// be changed.
pub const FORCE: &str = "kustomize.toolkit.fluxcd.io/force";
/// On an object, as label or annotation: how it is applied, see the `SSA_` values.
pub const SSA: &str = "kustomize.toolkit.fluxcd.io/ssa";
/// On an object, as label or annotation, with `disabled`: no variable is put in.
pub const SUBSTITUTE: &str = crate::flux::SUBSTITUTE;
/// On an object, as label or annotation, with `disabled`: it is not decrypted.
pub const DECRYPT: &str = "kustomize.toolkit.fluxcd.io/decrypt";

/// Value of [`SSA`]: our fields win (the default).
pub const SSA_OVERRIDE: &str = "Override";
/// Value of [`SSA`]: fields of others stay (`MergeValue`).
pub const SSA_MERGE: &str = "Merge";
/// Value of [`SSA`]: only if it is absent (`IfNotPresentValue`).
pub const SSA_IF_NOT_PRESENT: &str = "IfNotPresent";
/// Value of [`SSA`]: not at all (`IgnoreValue`).
pub const SSA_IGNORE: &str = "Ignore";

/// Field manager of applied objects (`main.go`, `controllerName`).
pub const FIELD_MANAGER: &str = "kustomize-controller";
/// Field manager of the status (`main.go`, `gotk-` before `controllerName`).
pub const STATUS_FIELD_MANAGER: &str = "gotk-kustomize-controller";

/// Reason of `Ready`: applied (`ReconciliationSucceededReason`).
pub const REASON_RECONCILIATION_SUCCEEDED: &str = "ReconciliationSucceeded";
/// Reason of `Ready`: an object was refused (`ReconciliationFailedReason`).
pub const REASON_RECONCILIATION_FAILED: &str = "ReconciliationFailed";
/// Reason of `Ready`: the source has nothing to apply (`ArtifactFailedReason`).
pub const REASON_ARTIFACT_FAILED: &str = "ArtifactFailed";
/// Reason of `Ready`: it does not render (`BuildFailedReason`).
pub const REASON_BUILD_FAILED: &str = "BuildFailed";
/// Reason of `Ready`: something could not be pruned (`PruneFailedReason`).
pub const REASON_PRUNE_FAILED: &str = "PruneFailed";
/// Reason of `Ready`: something is not healthy (`HealthCheckFailedReason`).
pub const REASON_HEALTH_CHECK_FAILED: &str = "HealthCheckFailed";
/// Reason of `Ready`: waiting for health was given up for something newer
/// (`HealthCheckCanceledReason`).
pub const REASON_HEALTH_CHECK_CANCELED: &str = "HealthCheckCanceled";
/// Reason of `Ready`: waiting for another Kustomization (`DependencyNotReadyReason`).
pub const REASON_DEPENDENCY_NOT_READY: &str = "DependencyNotReady";
/// Reason of `Stalled`: an expression does not compile (`InvalidCELExpressionReason`).
pub const REASON_INVALID_CEL_EXPRESSION: &str = "InvalidCELExpression";

/// Event annotation: the revision (`kustomization_controller.go`, `event`).
pub const EVENT_REVISION: &str = "kustomize.toolkit.fluxcd.io/revision";
/// Event annotation: the revision that the source itself came from.
pub const EVENT_ORIGIN_REVISION: &str = "kustomize.toolkit.fluxcd.io/originRevision";
