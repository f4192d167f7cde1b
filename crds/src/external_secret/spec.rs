//! What is asked for.

use std::time::Duration;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ExternalSecretData, ExternalSecretDataFrom, ExternalSecretStatus, ExternalSecretTarget,
};
use crate::duration::{self, DurationError};
use crate::lenient::optional_spec;
use crate::open_enum::open_enum;

/// How often a value is read again where the manifest says nothing (`RefreshInterval`'s default).
pub const DEFAULT_REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// A Secret kept in step with a secret store.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "external-secrets.io",
    version = "v1",
    kind = "ExternalSecret",
    plural = "externalsecrets",
    shortname = "es",
    category = "external-secrets",
    namespaced,
    status = "ExternalSecretStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Secret kept in step with a secret store.",
    selectable = ".spec.secretStoreRef.name",
    selectable = ".spec.secretStoreRef.kind",
    selectable = ".spec.target.name",
    selectable = ".spec.refreshInterval",
    printcolumn = r#"{"name":"StoreType","type":"string","jsonPath":".spec.secretStoreRef.kind"}"#,
    printcolumn = r#"{"name":"Store","type":"string","jsonPath":".spec.secretStoreRef.name"}"#,
    printcolumn = r#"{"name":"Refresh Interval","type":"string","jsonPath":".spec.refreshInterval"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].reason"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Last Sync","type":"date","jsonPath":".status.refreshTime"}"#
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct ExternalSecretSpec {
    /// The store that entries without a store of their own are read from.
    #[serde(skip_serializing_if = "SecretStoreRef::is_empty")]
    pub secret_store_ref: SecretStoreRef,
    /// The Secret to be made.
    pub target: ExternalSecretTarget,
    /// When the values are read again.
    #[serde(skip_serializing_if = "RefreshPolicy::is_default")]
    pub refresh_policy: RefreshPolicy,
    /// How often the values are read again, a Go duration; zero means once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_interval: Option<String>,
    /// When periodic refreshes may happen, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_windows: Option<SyncWindows>,
    /// Single values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<ExternalSecretData>,
    /// Whole sets of values; `data` wins over these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub data_from: Vec<ExternalSecretDataFrom>,
}

optional_spec!(ExternalSecretSpec);

impl ExternalSecretSpec {
    /// The time from one reading of the values to the next. `None`: they are read once
    /// (`refreshInterval` is zero). One hour where nothing is said.
    ///
    /// # Errors
    /// When `refreshInterval` is no Go duration, is negative, or is longer than ten years.
    pub fn parse_refresh_interval(&self) -> Result<Option<Duration>, DurationError> {
        let interval = match self.refresh_interval.as_deref() {
            None | Some("") => DEFAULT_REFRESH_INTERVAL,
            Some(text) => duration::parse(text)?,
        };
        Ok((!interval.is_zero()).then_some(interval.max(duration::SHORTEST_INTERVAL)))
    }
}

/// Names a SecretStore or ClusterSecretStore.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SecretStoreRef {
    /// The store's name; empty where each entry names its own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `SecretStore` or `ClusterSecretStore`; empty means `SecretStore`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
}

impl SecretStoreRef {
    /// Whether nothing is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.kind.is_empty()
    }

    /// Whether a ClusterSecretStore is named (`client_manager.go`: anything else is a SecretStore).
    #[must_use]
    pub fn is_cluster(&self) -> bool {
        self.kind == "ClusterSecretStore"
    }
}

open_enum! {
    /// When the values are read again.
    RefreshPolicy {
        /// At each `refreshInterval`, and when the ExternalSecret changes.
        Periodic = "Periodic",
        /// Never, once the Secret exists.
        CreatedOnce = "CreatedOnce",
        /// When the ExternalSecret changes.
        OnChange = "OnChange",
    }
}

/// When periodic refreshes may happen.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SyncWindows {
    /// What the windows do.
    pub kind: SyncWindowKind,
    /// When they are open.
    pub windows: Vec<SyncWindow>,
}

open_enum! {
    /// What sync windows do.
    SyncWindowKind {
        /// Refreshes happen only while a window is open.
        Allow = "allow",
        /// Refreshes happen only while no window is open.
        Deny = "deny",
    }
}

/// One recurring window.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SyncWindow {
    /// When it opens: five cron fields in UTC, or a name such as `@daily`.
    pub schedule: String,
    /// How long it stays open, a Go duration.
    pub duration: String,
}
