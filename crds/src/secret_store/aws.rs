//! AWS as a store.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lenient;
use crate::open_enum::open_enum;

/// The ServiceAccount annotation that names the role to assume with its token
/// (`providers/v1/aws/auth/auth.go`, `roleARNAnnotation`).
pub const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";
/// The ServiceAccount annotation that names the token's audience
/// (`providers/v1/aws/auth/auth.go`, `audienceAnnotation`).
pub const AUDIENCE: &str = "eks.amazonaws.com/audience";

/// AWS as a store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsProvider {
    /// Which service.
    pub service: AwsService,
    /// Region.
    pub region: String,
    /// As whom; empty means the SDK's default chain.
    #[serde(skip_serializing_if = "AwsAuth::is_empty")]
    pub auth: AwsAuth,
    /// A role to assume then.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub role: String,
    /// Roles to assume before that one, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_roles: Vec<String>,
    /// External id for assuming `role`.
    #[serde(rename = "externalID", skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    /// Session tags for assuming `role`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub session_tags: Vec<SessionTag>,
    /// Session tags that later roles keep.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transitive_tag_keys: Vec<String>,
    /// Tags that say for whom; they replace `sessionTags`.
    #[serde(skip_serializing_if = "SessionTagsPolicy::is_default")]
    pub session_tags_policy: SessionTagsPolicy,
    /// More tags, with the policy `Custom`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_session_tags: BTreeMap<String, String>,
    /// How secrets are deleted; not used for reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_manager: Option<SecretsManagerSettings>,
    /// What each `remoteRef.key` begins with.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

open_enum! {
    /// A service of AWS.
    AwsService {
        /// Secrets Manager.
        SecretsManager = "SecretsManager",
        /// Systems Manager Parameter Store.
        ParameterStore = "ParameterStore",
        /// Certificate Manager.
        CertificateManager = "CertificateManager",
    }
}

open_enum! {
    /// Session tags that say for whom a secret is read.
    SessionTagsPolicy {
        /// None.
        None = "None",
        /// `esoNamespace`, `esoStoreName` and `esoStoreKind`.
        Simple = "Simple",
        /// Those and `customSessionTags`.
        Custom = "Custom",
    }
}

/// As whom AWS is called; nothing set means the SDK's default chain.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsAuth {
    /// Static keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<AwsSecretRef>,
    /// A ServiceAccount's token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<AwsJwt>,
}

impl AwsAuth {
    /// Whether the SDK's default chain is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.secret_ref.is_none() && self.jwt.is_none()
    }
}

/// Static keys.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct AwsSecretRef {
    /// Access key id.
    #[serde(rename = "accessKeyIDSecretRef")]
    pub access_key_id: SecretKeySelector,
    /// Secret access key.
    #[serde(rename = "secretAccessKeySecretRef")]
    pub secret_access_key: SecretKeySelector,
    /// Session token, for keys that expire.
    #[serde(
        rename = "sessionTokenSecretRef",
        skip_serializing_if = "Option::is_none"
    )]
    pub session_token: Option<SecretKeySelector>,
}

/// A ServiceAccount's token.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AwsJwt {
    /// The ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountSelector>,
}

/// One key of a Secret.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SecretKeySelector {
    /// Name of the Secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its namespace. A SecretStore's is always its own; a ClusterSecretStore without one means that of the
    /// ExternalSecret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The key.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
}

/// A ServiceAccount.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct ServiceAccountSelector {
    /// Its name.
    pub name: String,
    /// Its namespace, as with [`SecretKeySelector`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// More audiences for its token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub audiences: Vec<String>,
}

/// A tag of a session.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct SessionTag {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// How secrets are deleted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretsManagerSettings {
    /// At once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_delete_without_recovery: bool,
    /// After so many days, 7 to 30.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub recovery_window_in_days: Option<i64>,
}
