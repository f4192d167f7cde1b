//! What was last seen and done.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lenient;
pub use crate::written::WrittenSecret;

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalSecretStatus {
    /// When the reconcile that last read the values began.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub refresh_time: Option<Time>,
    /// The generation that the conditions speak of. Signet's own, as `written`.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_generation: Option<i64>,
    /// Generation and a hash of labels and annotations, as of then.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub synced_resource_version: String,
    /// `Ready`.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<ExternalSecretCondition>,
    /// The Secret, for servicebinding.io.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub binding: Option<Binding>,
    /// What was written, so that a restart compares instead of reading the store again. Signet's own:
    /// where the incumbent's CRD is installed the API server prunes it, and it reads as absent.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub written: Option<Written>,
}

/// One condition, in the incumbent's form.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalSecretCondition {
    /// `Ready` or `Deleted`.
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

/// Names the Secret.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Binding {
    /// The Secret's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// Our memory of the last write.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Written {
    /// The Secret as it was after the write. Another version of it is a foreign edit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<WrittenSecret>,
    /// Digest of what the Secret was made from besides the values and what `syncedResourceVersion`
    /// names (the store and its generation, say). Never of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
}
