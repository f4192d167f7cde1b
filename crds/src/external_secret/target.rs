//! The Secret to be made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DecodingStrategy;
use crate::open_enum::open_enum;

/// The Secret to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalSecretTarget {
    /// The Secret's name; empty means that of the ExternalSecret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Who makes and owns the Secret.
    #[serde(skip_serializing_if = "CreationPolicy::is_default")]
    pub creation_policy: CreationPolicy,
    /// What happens when the store no longer has the values.
    #[serde(skip_serializing_if = "DeletionPolicy::is_default")]
    pub deletion_policy: DeletionPolicy,
    /// What the Secret looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,
    /// Another kind than Secret to be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestRef>,
    /// Whether the Secret is immutable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
}

open_enum! {
    /// Who makes and owns the Secret.
    CreationPolicy {
        /// We make it, own it, and it goes with the ExternalSecret.
        Owner = "Owner",
        /// We make it; it stays when the ExternalSecret goes.
        Orphan = "Orphan",
        /// Somebody else makes it; we add our keys.
        Merge = "Merge",
        /// We make it if it is absent and add our keys; nobody owns it.
        CreateOrMerge = "CreateOrMerge",
        /// Nothing is written.
        None = "None",
    }
}

open_enum! {
    /// What happens when the store no longer has any of the values.
    DeletionPolicy {
        /// The Secret stays as it is.
        Retain = "Retain",
        /// The Secret is deleted.
        Delete = "Delete",
        /// Our keys are taken out of the Secret.
        Merge = "Merge",
    }
}

/// Another kind than Secret to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestRef {
    /// API version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
}

/// What the Secret looks like.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Template {
    /// The Secret's type; empty means `Opaque`.
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub type_: String,
    /// Version of the template language.
    #[serde(skip_serializing_if = "EngineVersion::is_default")]
    pub engine_version: EngineVersion,
    /// Labels, annotations and finalizers.
    pub metadata: TemplateMetadata,
    /// Whether fetched values stay beside the rendered ones.
    #[serde(skip_serializing_if = "MergePolicy::is_default")]
    pub merge_policy: MergePolicy,
    /// Key to template.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
    /// Templates from elsewhere; `data` wins over these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub template_from: Vec<TemplateFrom>,
}

open_enum! {
    /// Version of the template language.
    EngineVersion {
        /// The only one.
        V2 = "v2",
    }
}

open_enum! {
    /// Whether fetched values stay beside the rendered ones.
    MergePolicy {
        /// Only rendered values go into the Secret.
        Replace = "Replace",
        /// Both do.
        Merge = "Merge",
    }
}

/// Metadata of the Secret; values of labels and annotations are templates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct TemplateMetadata {
    /// Annotations.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Finalizers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
}

/// Templates from a ConfigMap, a Secret, or the manifest itself; one entry may have all three.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateFrom {
    /// A ConfigMap in the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map: Option<TemplateRef>,
    /// A Secret in the namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<TemplateRef>,
    /// `Data`, `Annotations` or `Labels`, in any case; empty means `Data`. Anything else must be
    /// refused for a Secret: it would be a path into its other fields.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// A template whose output is a YAML map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub literal: Option<String>,
    /// How rendered values are decoded.
    #[serde(skip_serializing_if = "DecodingStrategy::is_default")]
    pub values_decoding_strategy: DecodingStrategy,
}

/// Keys of a ConfigMap or Secret that are templates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct TemplateRef {
    /// Name of the object.
    pub name: String,
    /// Its keys.
    pub items: Vec<TemplateRefItem>,
}

/// One key that is a template.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TemplateRefItem {
    /// The key.
    pub key: String,
    /// What its output is.
    #[serde(skip_serializing_if = "TemplateScope::is_default")]
    pub template_as: TemplateScope,
}

open_enum! {
    /// What a template's output is.
    TemplateScope {
        /// The value of the key.
        Values = "Values",
        /// A YAML map of keys and values.
        KeysAndValues = "KeysAndValues",
    }
}
