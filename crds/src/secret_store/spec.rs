//! A store of one namespace, and one of the cluster.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{AwsProvider, SecretStoreStatus};
use crate::duration::{self, DurationError};
use crate::lenient::{self, optional_spec};

/// A secret store for the ExternalSecrets of one namespace.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "SecretStore",
    plural = "secretstores",
    shortname = "ss",
    category = "external-secrets",
    namespaced,
    status = "SecretStoreStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A secret store for the ExternalSecrets of one namespace.",
    printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Capabilities","type":"string","jsonPath":".status.capabilities"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct SecretStoreSpec {
    /// Class of the controller that serves the store; empty means any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub controller: String,
    /// The store; exactly one provider.
    pub provider: Provider,
    /// How failed calls are repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_settings: Option<RetrySettings>,
    /// How often the store is validated: seconds, or a Go duration.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "number_or_text"
    )]
    pub refresh_interval: Option<String>,
    /// Namespaces that may use a ClusterSecretStore; one match is enough, none given means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<StoreCondition>,
}

optional_spec!(SecretStoreSpec);

impl SecretStoreSpec {
    /// The time from one validation of the store to the next. `None`: the controller's own setting,
    /// where nothing or zero is said (`secretstore_types.go`, `RefreshInterval`).
    ///
    /// # Errors
    /// When `refreshInterval` is neither a number of seconds nor a Go duration, is negative, or is longer
    /// than ten years.
    pub fn parse_refresh_interval(&self) -> Result<Option<Duration>, DurationError> {
        let interval = match self.refresh_interval.as_deref() {
            None | Some("") => return Ok(None),
            Some(text) if is_integer(text) => duration::parse(&format!("{text}s"))?,
            Some(text) => duration::parse(text)?,
        };
        Ok((!interval.is_zero()).then_some(interval.max(duration::SHORTEST_INTERVAL)))
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Seconds as a number and a duration as a text, both as text. `i32`, which the usual type for "integer or
/// string" holds, is less than what the schema lets through.
fn number_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

mod cluster {
    //! The derive makes one kind for each spec type, so the cluster's kind has a spec type of its own
    //! that is nothing but [`SecretStoreSpec`].

    use super::{
        CustomResource, Deserialize, JsonSchema, SecretStoreSpec, SecretStoreStatus, Serialize,
        optional_spec,
    };

    /// A secret store for the ExternalSecrets of every namespace, or of those that its conditions name.
    #[derive(
        CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize,
    )]
    #[kube(
        group = "external-secrets.io",
        version = "v1",
        kind = "ClusterSecretStore",
        plural = "clustersecretstores",
        shortname = "css",
        category = "external-secrets",
        status = "SecretStoreStatus",
        derive = "PartialEq",
        derive = "Default",
        doc = "A secret store for the ExternalSecrets of every namespace.",
        printcolumn = r#"{"name":"AGE","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
        printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
        printcolumn = r#"{"name":"Capabilities","type":"string","jsonPath":".status.capabilities"}"#,
        printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#
    )]
    #[serde(transparent, remote = "Self")]
    pub struct ClusterSecretStoreSpec(pub SecretStoreSpec);

    optional_spec!(ClusterSecretStoreSpec);

    impl std::ops::Deref for ClusterSecretStoreSpec {
        type Target = SecretStoreSpec;

        fn deref(&self) -> &SecretStoreSpec {
            &self.0
        }
    }
}

pub use cluster::{ClusterSecretStore, ClusterSecretStoreSpec};

/// The store itself. Exactly one provider is set, which the schema sees to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Provider {
    /// AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsProvider>,
    /// Any other provider, kept as it came.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Provider {
    /// The names of the providers that are set, as in the manifest.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aws = self.aws.is_some().then_some("aws");
        aws.into_iter().chain(self.other.keys().map(String::as_str))
    }
}

/// How failed calls are repeated.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetrySettings {
    /// For AWS the number of attempts: 1 is no retry, 0 no end.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub max_retries: Option<i32>,
    /// The wait between two attempts, a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<String>,
}

/// Namespaces that may use a ClusterSecretStore; one match is enough.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StoreCondition {
    /// By label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// By name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// By a Go regular expression, unanchored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespace_regexes: Vec<String>,
}
