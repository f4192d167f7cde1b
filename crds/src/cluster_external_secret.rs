//! `ClusterExternalSecret` (`external-secrets.io/v1`): one ExternalSecret in many namespaces.
//!
//! Field for field the types of external-secrets
//! `apis/externalsecrets/v1/clusterexternalsecret_types.go` (v2.9.0).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::external_secret::ExternalSecretSpec;
use crate::lenient::{self, optional_spec};

/// Condition type: the ExternalSecrets are in place (`ClusterExternalSecretReady`).
pub const READY: &str = "Ready";

/// One ExternalSecret in many namespaces.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "ClusterExternalSecret",
    plural = "clusterexternalsecrets",
    shortname = "ces",
    category = "external-secrets",
    status = "ClusterExternalSecretStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "One ExternalSecret in many namespaces.",
    printcolumn = r#"{"name":"Store","type":"string","jsonPath":".spec.externalSecretSpec.secretStoreRef.name"}"#,
    printcolumn = r#"{"name":"Refresh Interval","type":"string","jsonPath":".spec.refreshTime"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct ClusterExternalSecretSpec {
    /// The spec of each ExternalSecret.
    pub external_secret_spec: ExternalSecretSpec,
    /// Their name; empty means that of the ClusterExternalSecret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub external_secret_name: String,
    /// Their labels and annotations.
    pub external_secret_metadata: ExternalSecretMetadata,
    /// Deprecated: which namespaces, by label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Which namespaces, by label; one match is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespace_selectors: Vec<LabelSelector>,
    /// Deprecated: namespaces by name, besides the selected ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// How often the namespaces are looked through, a Go duration.
    #[serde(rename = "refreshTime", skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<String>,
}

optional_spec!(ClusterExternalSecretSpec);

/// Labels and annotations of the ExternalSecrets.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct ExternalSecretMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterExternalSecretStatus {
    /// The name of the ExternalSecrets.
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub external_secret_name: String,
    /// Namespaces where it went wrong.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub failed_namespaces: Vec<FailedNamespace>,
    /// Namespaces that have their ExternalSecret, sorted.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub provisioned_namespaces: Vec<String>,
    /// `Ready`.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<ClusterExternalSecretCondition>,
}

/// One condition, in the incumbent's form: it has no time and no reason.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct ClusterExternalSecretCondition {
    /// `Ready`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For a reader.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A namespace where it went wrong.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct FailedNamespace {
    /// Its name.
    pub namespace: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
