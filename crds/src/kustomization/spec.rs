//! What is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommonMetadata, Image, KustomizationStatus, Patch, Selector};
use crate::duration::{self, DurationError};
use crate::flux::{self, LocalReference};
use crate::lenient::optional_spec;
use crate::open_enum::open_enum;

/// The least time that health may take (`kustomization_types.go`, `GetTimeout`).
pub const SHORTEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What of a source is applied, and how.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "kustomize.toolkit.fluxcd.io",
    version = "v1",
    kind = "Kustomization",
    plural = "kustomizations",
    shortname = "ks",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-appliers",
    namespaced,
    status = "KustomizationStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "What of a source is applied to the cluster, and how.",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct KustomizationSpec {
    /// How often everything is applied anew, a Go duration.
    pub interval: String,
    /// How soon after a failure, a Go duration; empty means `interval`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_interval: Option<String>,
    /// Where the manifests are.
    pub source_ref: SourceReference,
    /// Directory in the source; empty means its root.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Whether what is no longer in the source is deleted.
    pub prune: bool,
    /// What becomes of the objects when the Kustomization is deleted.
    #[serde(skip_serializing_if = "DeletionPolicy::is_default")]
    pub deletion_policy: DeletionPolicy,
    /// Kustomizations that must be ready first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Whether every applied object must be healthy.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wait: bool,
    /// Objects that must be healthy; not read with `wait`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheck>,
    /// What healthy means, per kind, in CEL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_check_exprs: Vec<HealthCheckExpressions>,
    /// How long health may take, a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Whether an object that cannot be changed is deleted and made anew.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Whether nothing is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Namespace of everything.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub target_namespace: String,
    /// What each name begins with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_prefix: String,
    /// What each name ends with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name_suffix: String,
    /// Other names, tags and digests for images.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// Strategic merge and JSON patches.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Patch>,
    /// Paths of kustomize components.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<String>,
    /// Whether a missing component is left out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_missing_components: bool,
    /// Annotations that say where an object came from: `originAnnotations`,
    /// `transformerAnnotations`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_metadata: Vec<String>,
    /// Labels and annotations of everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,
    /// Variables that are put into the rendered text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_build: Option<PostBuild>,
    /// How encrypted manifests are decrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption: Option<Decryption>,
    /// A ServiceAccount to act as.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// Another cluster to apply to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_config: Option<KubeConfig>,
    /// Fields that are left as they are in the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<IgnoreRule>,
}

optional_spec!(KustomizationSpec);

impl KustomizationSpec {
    /// The time from one full apply to the next, at least one second.
    ///
    /// # Errors
    /// When `interval` is no Go duration or is longer than ten years. The schema's pattern lets
    /// `99999999h` through, which Go then cannot decode.
    pub fn parse_interval(&self) -> Result<Duration, DurationError> {
        flux::parse_interval(&self.interval)
    }

    /// The time from a failure to the next attempt; `interval` where nothing is said
    /// (`GetRetryInterval`).
    ///
    /// # Errors
    /// As [`Self::parse_interval`].
    pub fn parse_retry_interval(&self) -> Result<Duration, DurationError> {
        flux::parse_interval(self.retry_interval.as_deref().unwrap_or(&self.interval))
    }

    /// How long health may take: `timeout`, else half a minute less than `interval`, but at least half a
    /// minute (`GetTimeout`).
    ///
    /// # Errors
    /// As [`Self::parse_interval`].
    pub fn parse_timeout(&self) -> Result<Duration, DurationError> {
        let timeout = match &self.timeout {
            Some(text) => duration::parse(text)?,
            None => duration::parse(&self.interval)?.saturating_sub(SHORTEST_TIMEOUT),
        };
        Ok(timeout.max(SHORTEST_TIMEOUT))
    }
}

/// Names a source.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SourceReference {
    /// API version; empty means that of the kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// `GitRepository`, or one that we do not serve.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; empty means the Kustomization's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

open_enum! {
    /// What becomes of the objects when the Kustomization is deleted.
    DeletionPolicy {
        /// As `prune` says.
        MirrorPrune = "MirrorPrune",
        /// They are deleted.
        Delete = "Delete",
        /// They are deleted, and the Kustomization goes when they are gone.
        WaitForTermination = "WaitForTermination",
        /// They stay.
        Orphan = "Orphan",
    }
}

/// A Kustomization that must be ready first.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Dependency {
    /// Name.
    pub name: String,
    /// Namespace; empty means the Kustomization's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// What ready means, in CEL.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ready_expr: String,
}

/// An object that must be healthy.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// API version; empty means `apps/v1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Namespace; empty means the Kustomization's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// What healthy means for a kind, in CEL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheckExpressions {
    /// API version.
    pub api_version: String,
    /// Kind.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Work is under way.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub in_progress: String,
    /// It went wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub failed: String,
    /// It is as it should be.
    pub current: String,
}

/// Variables that are put into the rendered text.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PostBuild {
    /// Name to value; these win over `substituteFrom`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub substitute: BTreeMap<String, String>,
    /// ConfigMaps and Secrets whose keys are names; later ones win.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub substitute_from: Vec<SubstituteReference>,
    /// Whether anything is substituted where no variable is given.
    #[serde(skip_serializing_if = "SubstituteStrategy::is_default")]
    pub substitute_strategy: SubstituteStrategy,
}

open_enum! {
    /// Whether anything is substituted where no variable is given.
    SubstituteStrategy {
        /// It is not.
        WithVariables = "WithVariables",
        /// It is: `${name:=default}` is replaced.
        Always = "Always",
    }
}

/// A ConfigMap or Secret with variables.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SubstituteReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Whether it may be absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// How encrypted manifests are decrypted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Decryption {
    /// `sops`.
    pub provider: String,
    /// A ServiceAccount to ask a cloud as.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// A Secret with keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
}

/// Another cluster to apply to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct KubeConfig {
    /// A Secret with a kubeconfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<KubeConfigSecret>,
    /// A ConfigMap that says how to authenticate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<LocalReference>,
}

/// A Secret with a kubeconfig.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct KubeConfigSecret {
    /// Name.
    pub name: String,
    /// Key; empty means `value`, then `value.yaml`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
}

/// Fields that are left as they are in the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct IgnoreRule {
    /// JSON pointers.
    pub paths: Vec<String>,
    /// Of which objects; none means all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Selector>,
}
