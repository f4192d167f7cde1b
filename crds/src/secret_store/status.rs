//! What was last seen of a store, and the words for it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lenient;

/// Condition type: the store can be used (`SecretStoreReady`).
pub const READY: &str = "Ready";
/// Reason of `Ready`: it can (`ReasonStoreValid`).
pub const REASON_VALID: &str = "Valid";
/// Reason of `Ready`: it cannot (`ReasonInvalidProviderConfig`).
pub const REASON_INVALID_PROVIDER_CONFIG: &str = "InvalidProviderConfig";
/// Reason of `Ready`: the manifest contradicts itself (`ReasonInvalidStore`).
pub const REASON_INVALID_STORE: &str = "InvalidStoreConfiguration";
/// Reason of `Ready`: validation failed (`ReasonValidationFailed`).
pub const REASON_VALIDATION_FAILED: &str = "ValidationFailed";
/// Reason of `Ready`: not known; the status is `True` all the same (`ReasonValidationUnknown`).
pub const REASON_VALIDATION_UNKNOWN: &str = "ValidationUnknown";
/// `status.capabilities` of AWS (`SecretStoreReadWrite`).
pub const CAPABILITIES_READ_WRITE: &str = "ReadWrite";

/// What the controller last saw.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretStoreStatus {
    /// `Ready`.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<SecretStoreCondition>,
    /// `ReadOnly`, `WriteOnly` or `ReadWrite`.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub capabilities: String,
}

/// One condition, in the incumbent's form.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretStoreCondition {
    /// `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One CamelCase word.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// For a reader.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When `status` last changed.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub last_transition_time: Option<Time>,
}
