//! `GitRepository` (`source.toolkit.fluxcd.io/v1`): where manifests are fetched from.
//!
//! Field for field the types of source-controller `api/v1/gitrepository_types.go` (v1.9).

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{self, DurationError};
use crate::flux::{self, LocalReference};
use crate::lenient::{self, optional_spec};
use crate::open_enum::open_enum;

/// Condition type, only while true: the repository could not be fetched (`FetchFailedCondition`).
pub const FETCH_FAILED: &str = "FetchFailed";
/// Condition type: the artifact is stored (`ArtifactInStorageCondition`).
pub const ARTIFACT_IN_STORAGE: &str = "ArtifactInStorage";
/// Condition type, only while true: the artifact is older than the repository
/// (`ArtifactOutdatedCondition`).
pub const ARTIFACT_OUTDATED: &str = "ArtifactOutdated";
/// Condition type: the signature was checked (`SourceVerifiedCondition`).
pub const SOURCE_VERIFIED: &str = "SourceVerified";
/// Condition type, only while true: storing failed (`StorageOperationFailedCondition`).
pub const STORAGE_OPERATION_FAILED: &str = "StorageOperationFailed";
/// Condition type, only while true: an included repository is missing (`IncludeUnavailableCondition`).
pub const INCLUDE_UNAVAILABLE: &str = "IncludeUnavailable";

/// Reason: git failed (`GitOperationFailedReason`).
pub const REASON_GIT_OPERATION_FAILED: &str = "GitOperationFailed";
/// Reason: git succeeded (`GitOperationSucceedReason`).
pub const REASON_GIT_OPERATION_SUCCEEDED: &str = "GitOperationSucceeded";
/// Reason: the credentials are wrong or incomplete (`AuthenticationFailedReason`).
pub const REASON_AUTHENTICATION_FAILED: &str = "AuthenticationFailed";
/// Reason: the URL is wrong (`URLInvalidReason`).
pub const REASON_URL_INVALID: &str = "URLInvalid";
/// Reason: the provider does not go with the credentials (`InvalidProviderConfigurationReason`).
pub const REASON_INVALID_PROVIDER_CONFIGURATION: &str = "InvalidProviderConfiguration";
/// Event, Normal: a new revision (`gitrepository_controller.go`, `notify`).
pub const REASON_NEW_ARTIFACT: &str = "NewArtifact";
/// Event, trace: nothing new (`ArtifactUpToDateReason`).
pub const REASON_ARTIFACT_UP_TO_DATE: &str = "ArtifactUpToDate";

/// Event annotation: the revision (`groupversion_info.go` and `notify`).
pub const EVENT_REVISION: &str = "source.toolkit.fluxcd.io/revision";
/// Event annotation: the artifact's digest.
pub const EVENT_DIGEST: &str = "source.toolkit.fluxcd.io/digest";

/// How long git may take where the manifest says nothing.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The branch where the manifest names nothing (`GitRepositoryRef`).
pub const DEFAULT_BRANCH: &str = "master";

/// Where manifests are fetched from.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "source.toolkit.fluxcd.io",
    version = "v1",
    kind = "GitRepository",
    plural = "gitrepositories",
    shortname = "gitrepo",
    category = "all",
    category = "fluxcd",
    category = "fluxcd-sources",
    namespaced,
    status = "GitRepositoryStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A Git repository that manifests are fetched from.",
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".spec.url"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Status","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message"}"#
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct GitRepositorySpec {
    /// URL of scheme http, https or ssh.
    pub url: String,
    /// A Secret with credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<LocalReference>,
    /// Where the credentials are for.
    #[serde(skip_serializing_if = "GitProvider::is_default")]
    pub provider: GitProvider,
    /// A ServiceAccount to authenticate as, with the providers aws and azure.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub service_account_name: String,
    /// How often the repository is asked for news, a Go duration.
    pub interval: String,
    /// How long git may take, a Go duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What is fetched; the branch `master` where nothing is named.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<GitReference>,
    /// Which signatures must be good.
    #[serde(rename = "verify", skip_serializing_if = "Option::is_none")]
    pub verification: Option<GitVerification>,
    /// A Secret with a proxy's address and credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_secret_ref: Option<LocalReference>,
    /// What is left out, in gitignore syntax; replaces most defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<String>,
    /// Whether nothing is done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub suspend: bool,
    /// Whether submodules are fetched.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recurse_submodules: bool,
    /// Other repositories to copy from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<GitInclude>,
    /// Directories to fetch; none named means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sparse_checkout: Vec<String>,
}

optional_spec!(GitRepositorySpec);

impl GitRepositorySpec {
    /// The time from one look at the repository to the next, at least one second.
    ///
    /// # Errors
    /// When `interval` is no Go duration or is longer than ten years. The schema's pattern lets
    /// `99999999h` through, which Go then cannot decode.
    pub fn parse_interval(&self) -> Result<Duration, DurationError> {
        flux::parse_interval(&self.interval)
    }

    /// How long git may take; 60 seconds where nothing is said.
    ///
    /// # Errors
    /// As [`Self::parse_interval`].
    pub fn parse_timeout(&self) -> Result<Duration, DurationError> {
        self.timeout
            .as_deref()
            .map_or(Ok(DEFAULT_TIMEOUT), duration::parse)
    }
}

open_enum! {
    /// Where credentials are for.
    GitProvider {
        /// What the Secret holds.
        Generic = "generic",
        /// AWS CodeCommit.
        Aws = "aws",
        /// Azure DevOps.
        Azure = "azure",
        /// A GitHub App.
        GitHub = "github",
    }
}

/// What is fetched. The first of `commit`, `name`, `semver`, `tag`, `branch` that is set counts; a commit
/// with a branch is looked for on that branch.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct GitReference {
    /// Branch.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// Tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tag: String,
    /// The highest tag in a semver range.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub semver: String,
    /// Full name of a reference, `refs/...`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Commit id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
}

/// Which signatures must be good.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitVerification {
    /// Those of which objects; `head` means `HEAD`.
    pub mode: VerificationMode,
    /// A Secret with public keys.
    pub secret_ref: LocalReference,
}

open_enum! {
    /// Whose signatures must be good.
    VerificationMode {
        /// The commit's.
        Head = "HEAD",
        /// The commit's, by its older name.
        OldHead = "head",
        /// The tag's.
        Tag = "Tag",
        /// Both.
        TagAndHead = "TagAndHEAD",
    }
}

/// Another repository to copy from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitInclude {
    /// A GitRepository.
    pub repository: LocalReference,
    /// What of it; empty means all.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from_path: String,
    /// Where to; empty means the repository's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to_path: String,
}

/// What the controller last saw and did.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitRepositoryStatus {
    /// The generation seen last; -1 before the first time, so that a new object is not taken for ready.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_generation: Option<i64>,
    /// `Ready` and its parts.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub conditions: Vec<Condition>,
    /// What was fetched last.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub artifact: Option<Artifact>,
    /// What was included.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub included_artifacts: Vec<Artifact>,
    /// `spec.ignore` of the artifact.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_ignore: Option<String>,
    /// `spec.recurseSubmodules` of the artifact.
    #[serde(
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_recurse_submodules: bool,
    /// `spec.include` of the artifact.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_include: Vec<GitInclude>,
    /// `spec.sparseCheckout` of the artifact.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub observed_sparse_checkout: Vec<String>,
    /// `spec.verify.mode` of the artifact.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub source_verification_mode: Option<String>,
    /// The last handled value of [`flux::REQUESTED_AT`].
    #[serde(
        skip_serializing_if = "String::is_empty",
        deserialize_with = "lenient::or_default"
    )]
    pub last_handled_reconcile_at: String,
}

/// What was fetched (fluxcd/pkg `apis/meta/artifact_types.go`, `Artifact`).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Path of the archive in the incumbent's storage.
    pub path: String,
    /// Where the archive is served.
    pub url: String,
    /// `branch@sha1:commit`, and other forms for other references.
    pub revision: String,
    /// Digest of the archive, `sha256:` and hex.
    pub digest: String,
    /// When this revision was fetched first.
    pub last_update_time: Time,
    /// Bytes of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<i64>,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}
