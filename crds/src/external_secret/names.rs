//! Names of the API, from `externalsecret_types.go` where nothing else is said.

/// Annotation on a Secret: SHA3-224 of its data as Go prints it (`AnnotationDataHash`).
pub const DATA_HASH: &str = "reconcile.external-secrets.io/data-hash";
/// Label on a Secret that an ExternalSecret writes (`LabelManaged`).
pub const MANAGED: &str = "reconcile.external-secrets.io/managed";
/// The one value of [`MANAGED`] (`LabelManagedValue`).
pub const MANAGED_VALUE: &str = "true";
/// Label on a Secret that an ExternalSecret owns: SHA3-224 of `namespace/name` (`LabelOwner`).
pub const CREATED_BY: &str = "reconcile.external-secrets.io/created-by";
/// Annotation that users touch to ask for a refresh. It has no meaning of its own: any change of
/// labels or annotations asks for one (`AnnotationForceSync`).
pub const FORCE_SYNC: &str = "external-secrets.io/force-sync";
/// Finalizer that the incumbent puts on an ExternalSecret
/// (`pkg/controllers/externalsecret/externalsecret_controller.go`).
pub const FINALIZER: &str = "externalsecrets.external-secrets.io/externalsecret-cleanup";
/// What field manager names on Secrets begin with; the name of the ExternalSecret follows
/// (`pkg/controllers/externalsecret/util.go`, `fqdnFor`).
pub const FIELD_MANAGER_PREFIX: &str = "externalsecrets.external-secrets.io/";

/// Condition type: the Secret is in step (`ExternalSecretReady`).
pub const READY: &str = "Ready";
/// Condition type: the Secret is gone (`ExternalSecretDeleted`).
pub const DELETED: &str = "Deleted";

/// Reason of `Ready`: in step (`ConditionReasonSecretSynced`).
pub const REASON_SECRET_SYNCED: &str = "SecretSynced";
/// Reason of `Ready`: not in step (`ConditionReasonSecretSyncedError`).
pub const REASON_SECRET_SYNCED_ERROR: &str = "SecretSyncedError";
/// Reason of `Ready`: deleted by policy (`ConditionReasonSecretDeleted`).
pub const REASON_SECRET_DELETED: &str = "SecretDeleted";
/// Reason of `Ready`: not there, and not ours to create (`ConditionReasonSecretMissing`).
pub const REASON_SECRET_MISSING: &str = "SecretMissing";

/// Event, Warning: the error itself (`ReasonUpdateFailed`).
pub const REASON_UPDATE_FAILED: &str = "UpdateFailed";
/// Event, Warning: a parameter is deprecated (`ReasonDeprecated`).
pub const REASON_PARAMETER_DEPRECATED: &str = "ParameterDeprecated";
/// Event, Normal: the Secret was created (`ReasonCreated`).
pub const REASON_CREATED: &str = "Created";
/// Event, Normal: the Secret was changed (`ReasonUpdated`).
pub const REASON_UPDATED: &str = "Updated";
/// Event, Normal: the Secret was deleted (`ReasonDeleted`).
pub const REASON_DELETED: &str = "Deleted";
/// Event, Normal: the store does not have the secret (`ReasonMissingProviderSecret`).
pub const REASON_MISSING_PROVIDER_SECRET: &str = "MissingProviderSecret";
