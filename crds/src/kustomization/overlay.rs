//! The part of kustomize's own language that a Kustomization can say (fluxcd/pkg
//! `apis/kustomize/kustomize_types.go`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Labels and annotations of everything.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct CommonMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// Another name, tag or digest for an image.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// The image's name without tag.
    pub name: String,
    /// Its new name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_name: String,
    /// Its new tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub new_tag: String,
    /// Its new digest; wins over the tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// A strategic merge patch or a JSON patch, as YAML text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Patch {
    /// The text.
    pub patch: String,
    /// Of which objects; none means the one that the patch itself names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}

/// Which objects; what is empty matches all. Group, version, kind, name and namespace are anchored regular
/// expressions.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// API group.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// API version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Namespace.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Annotations, as a label selector.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub annotation_selector: String,
    /// Labels.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub label_selector: String,
}
