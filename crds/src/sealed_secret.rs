//! `SealedSecret` (`bitnami.com/v1alpha1`): a Secret that only the controller's key can open.
//!
//! Field for field the type of sealed-secrets `pkg/apis/sealedsecrets/v1alpha1/types.go` (v0.36.6,
//! with the nullable `template.data` values of v0.40.0), plus `status.written` of our own.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::lenient;
pub use crate::written::WrittenSecret;

/// On a SealedSecret or a Secret to be sealed: opens under any name in any namespace.
/// Only the value `"true"` counts (`types.go`, `SealedSecretClusterWideAnnotation`).
pub const CLUSTER_WIDE: &str = "sealedsecrets.bitnami.com/cluster-wide";
/// On a SealedSecret or a Secret to be sealed: opens under any name in its namespace.
/// Only the value `"true"` counts (`types.go`, `SealedSecretNamespaceWideAnnotation`).
pub const NAMESPACE_WIDE: &str = "sealedsecrets.bitnami.com/namespace-wide";
/// On an existing Secret: the controller may take it over whole
/// (`types.go`, `SealedSecretManagedAnnotation`).
pub const MANAGED: &str = "sealedsecrets.bitnami.com/managed";
/// On an existing Secret: the controller adds its items and leaves the others
/// (`types.go`, `SealedSecretPatchAnnotation`).
pub const PATCH: &str = "sealedsecrets.bitnami.com/patch";
/// In the template's annotations: the Secret gets no owner reference
/// (`types.go`, `SealedSecretSkipSetOwnerReferencesAnnotation`).
pub const SKIP_SET_OWNER_REFERENCES: &str = "sealedsecrets.bitnami.com/skip-set-owner-references";
/// Label of the Secrets that hold sealing keys (`pkg/controller/keys.go`, `SealedSecretsKeyLabel`).
pub const SEALING_KEY: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";
/// Value of [`SEALING_KEY`] on a key that opens (`pkg/controller/keys.go`).
pub const SEALING_KEY_ACTIVE: &str = "active";
/// Value of [`SEALING_KEY`] on a key that no longer opens (`pkg/controller/keys.go`).
pub const SEALING_KEY_COMPROMISED: &str = "compromised";
/// Our own annotation, the record: per item the key it is sealed for, a digest of the label, and a
/// digest of the ciphertext it speaks of. It orders keys and informs checks, it never decides.
pub const SEALED_WITH: &str = "signet.dev/sealed-with";

/// The one condition type: what is sealed has arrived in the Secret
/// (`types.go`, `SealedSecretSynced`).
pub const SYNCED: &str = "Synced";
/// Event reason, Normal: the Secret was written (`pkg/controller/controller.go`, `SuccessUnsealed`).
pub const REASON_UNSEALED: &str = "Unsealed";
/// Event reason, Warning: an item could not be opened
/// (`pkg/controller/controller.go`, `ErrUnsealFailed`).
pub const REASON_UNSEAL_FAILED: &str = "ErrUnsealFailed";
/// Event reason, Warning: the Secret could not be written
/// (`pkg/controller/controller.go`, `ErrUpdateFailed`).
pub const REASON_UPDATE_FAILED: &str = "ErrUpdateFailed";

/// A Secret sealed for one cluster's key.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "bitnami.com",
    version = "v1alpha1",
    kind = "SealedSecret",
    plural = "sealedsecrets",
    namespaced,
    status = "SealedSecretStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Secret sealed for one cluster's key; it may be stored in public.",
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[0].message"}"#,
    printcolumn = r#"{"name":"Synced","type":"string","jsonPath":".status.conditions[0].status"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct SealedSecretSpec {
    /// What the Secret looks like apart from the sealed items.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub template: SecretTemplate,
    /// Deprecated: the whole Secret sealed as one piece (format V1), base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Item name to ciphertext, base64. As in the incumbent (`types.go`, `UnmarshalJSON`) a value
    /// that is not a string reads as `""`, which then fails to open under its own name.
    #[serde(default, deserialize_with = "lenient::strings_or_empty")]
    pub encrypted_data: BTreeMap<String, String>,
}

lenient::optional_spec!(SealedSecretSpec);

/// The Secret to be made, without its sealed items.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretTemplate {
    /// Metadata for the Secret.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub metadata: TemplateMetadata,
    /// The Secret's type; `Opaque` when absent.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Whether the Secret's data may be changed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub immutable: Option<bool>,
    /// Items rendered as templates over the opened ones; `null` leaves the sealed item of that name
    /// out of the Secret.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::nullable_texts"
    )]
    pub data: BTreeMap<String, Option<String>>,
}

/// The part of a Secret's metadata that a template sets.
///
/// Not `ObjectMeta`: the incumbent's schema lets anything through here, and a bad
/// `creationTimestamp` would make the object undecodable.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateMetadata {
    /// Written by kubeseal, read by nobody: the Secret has the SealedSecret's name.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub name: Option<String>,
    /// Written by kubeseal, read by nobody: the Secret is in the SealedSecret's namespace.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub namespace: Option<String>,
    /// Labels of the Secret.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the Secret.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "lenient::texts"
    )]
    pub annotations: BTreeMap<String, String>,
    /// Finalizers of the Secret.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub finalizers: Vec<String>,
    /// Everything else, kept as it came (kubeseal writes `creationTimestamp: null`).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedSecretStatus {
    /// The generation that the conditions speak of.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_generation: Option<i64>,
    /// One condition, of type `Synced`.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<SealedSecretCondition>,
    /// What was written, so that a restart compares instead of opening again. Signet's own: where the
    /// incumbent's CRD is installed the API server prunes it, and it reads as absent.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub written: Option<Written>,
}

/// One condition, in the incumbent's form (older than `meta/v1` Condition).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedSecretCondition {
    /// `Synced`.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
    /// When this condition was last written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_update_time: Option<Time>,
    /// When `status` last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<Time>,
    /// One CamelCase word; the incumbent never sets it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What went wrong; empty when all is well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The generation this condition speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// Our memory of the last write.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The Secret as it was after the write. Another version of it is a foreign edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WrittenSecret>,
    /// Digest of what the Secret was made from besides the generation (the scope annotations, say:
    /// metadata does not count up the generation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Per sealed item the key that opened it; a census counts these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub items: BTreeMap<String, WrittenItem>,
}

/// The key that one item was opened with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WrittenItem {
    /// Fingerprint of the key, OpenSSH form (`SHA256:...`).
    pub key: String,
    /// Truncated SHA-256 of the ciphertext that this speaks of.
    pub digest: String,
}
