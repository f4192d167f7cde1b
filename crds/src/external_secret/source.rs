//! Where the values come from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretStoreRef;
use crate::open_enum::open_enum;

/// One key of the Secret and the remote value it takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalSecretData {
    /// Key in the Secret.
    pub secret_key: String,
    /// The remote value.
    pub remote_ref: RemoteRef,
    /// A store for this entry alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// A remote secret, or a part of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RemoteRef {
    /// Name or ARN of the remote secret.
    pub key: String,
    /// Whether the value or its tags are read.
    #[serde(skip_serializing_if = "MetadataPolicy::is_default")]
    pub metadata_policy: MetadataPolicy,
    /// gjson path into a JSON value; empty takes the whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub property: String,
    /// Stage, or `uuid/` and a version id; empty means `AWSCURRENT`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// How extracted names become keys of a Secret.
    #[serde(skip_serializing_if = "ConversionStrategy::is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How the value is decoded.
    #[serde(skip_serializing_if = "DecodingStrategy::is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Whether a value may contain a NUL byte.
    #[serde(skip_serializing_if = "NullBytePolicy::is_default")]
    pub null_byte_policy: NullBytePolicy,
}

open_enum! {
    /// Whether the value or its tags are read.
    MetadataPolicy {
        /// The value.
        None = "None",
        /// The tags, as a JSON object.
        Fetch = "Fetch",
    }
}

open_enum! {
    /// How a name becomes a key of a Secret.
    ConversionStrategy {
        /// Each character that is not allowed becomes `_`.
        Default = "Default",
        /// Each character that is not allowed becomes `_U` and its code point in hex, `_`.
        Unicode = "Unicode",
    }
}

open_enum! {
    /// How a value is decoded.
    DecodingStrategy {
        /// Taken as it is.
        None = "None",
        /// Base64 with padding.
        Base64 = "Base64",
        /// Base64 of the URL alphabet with padding.
        Base64Url = "Base64URL",
        /// Either Base64 if it decodes, else as it is.
        Auto = "Auto",
    }
}

open_enum! {
    /// Whether a value may contain a NUL byte.
    NullBytePolicy {
        /// It may.
        Ignore = "Ignore",
        /// It is an error.
        Fail = "Fail",
    }
}

/// A set of keys and values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExternalSecretDataFrom {
    /// All properties of one remote secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extract: Option<RemoteRef>,
    /// Several remote secrets, a key each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    /// Changes to the keys, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rewrite: Vec<Rewrite>,
    /// A store for this entry alone, or a generator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_ref: Option<SourceRef>,
}

/// Several remote secrets.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Find {
    /// What the names begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What the names match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<FindName>,
    /// Tags that all of them have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// How names become keys of a Secret.
    #[serde(skip_serializing_if = "ConversionStrategy::is_default")]
    pub conversion_strategy: ConversionStrategy,
    /// How the values are decoded.
    #[serde(skip_serializing_if = "DecodingStrategy::is_default")]
    pub decoding_strategy: DecodingStrategy,
    /// Whether a value may contain a NUL byte.
    #[serde(skip_serializing_if = "NullBytePolicy::is_default")]
    pub null_byte_policy: NullBytePolicy,
}

/// What names match.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct FindName {
    /// A Go regular expression, unanchored.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub regexp: String,
}

/// One change to the keys; exactly one of the fields is set.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Rewrite {
    /// Merges JSON objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<RewriteMerge>,
    /// Replaces by a regular expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regexp: Option<RewriteRegexp>,
    /// Renders a template.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<RewriteTransform>,
}

/// Merges the JSON objects that the values are.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RewriteMerge {
    /// The key that gets the JSON; for strategy `JSON` only.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub into: String,
    /// Keys in order of precedence, the last one wins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority: Vec<String>,
    /// Whether a missing key of `priority` is an error.
    #[serde(skip_serializing_if = "MergePriorityPolicy::is_default")]
    pub priority_policy: MergePriorityPolicy,
    /// Whether two values for one key are an error.
    #[serde(skip_serializing_if = "MergeConflictPolicy::is_default")]
    pub conflict_policy: MergeConflictPolicy,
    /// What comes out.
    #[serde(skip_serializing_if = "MergeStrategy::is_default")]
    pub strategy: MergeStrategy,
}

open_enum! {
    /// Whether a missing key of `priority` is an error.
    MergePriorityPolicy {
        /// It is.
        Strict = "Strict",
        /// It is not.
        IgnoreNotFound = "IgnoreNotFound",
    }
}

open_enum! {
    /// Whether two values for one key are an error.
    MergeConflictPolicy {
        /// They are.
        Error = "Error",
        /// The one of higher precedence wins.
        Ignore = "Ignore",
    }
}

open_enum! {
    /// What comes out of a merge.
    MergeStrategy {
        /// The merged keys alone.
        Extract = "Extract",
        /// The keys that went in, and one with the merged JSON.
        Json = "JSON",
    }
}

/// Replaces in each key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct RewriteRegexp {
    /// A Go regular expression.
    pub source: String,
    /// What each match becomes, with `$1` and `${name}`.
    pub target: String,
}

/// Renders each key.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct RewriteTransform {
    /// A template over `.value`, the key.
    pub template: String,
}

/// A store or a generator; exactly one of the two.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceRef {
    /// The store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_ref: Option<SecretStoreRef>,
    /// The generator; only in `dataFrom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator_ref: Option<GeneratorRef>,
}

/// Names an object that makes values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GeneratorRef {
    /// API version; empty means `generators.external-secrets.io/v1alpha1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}
