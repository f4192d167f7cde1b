//! Generators (`generators.external-secrets.io/v1alpha1`): values that no store holds.
//!
//! Field for field the types of external-secrets `apis/generators/v1alpha1/types_password.go` and
//! `types_ecr.go` (v2.9.0). The others of the incumbent's are not served.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lenient::{self, optional_spec};
use crate::open_enum::open_enum;
use crate::secret_store::AwsAuth;

/// A random password.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[kube(
    group = "generators.external-secrets.io",
    version = "v1alpha1",
    kind = "Password",
    plural = "passwords",
    category = "external-secrets",
    category = "external-secrets-generators",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "A random password.",
    label("external-secrets.io/component", "controller")
)]
#[serde(rename_all = "camelCase", default, remote = "Self")]
pub struct PasswordSpec {
    /// Number of characters; zero means 24.
    #[serde(deserialize_with = "lenient::or_default")]
    pub length: i64,
    /// How many of them are digits; a quarter where nothing is said.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub digits: Option<i64>,
    /// How many of them are symbols; a quarter where nothing is said.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::or_default"
    )]
    pub symbols: Option<i64>,
    /// The symbols that are used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol_characters: Option<String>,
    /// Whether there are no capital letters.
    pub no_upper: bool,
    /// Whether a character may come twice.
    pub allow_repeat: bool,
    /// Keys that get a password each; `password` where nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_keys: Vec<String>,
    /// How the password is encoded.
    #[serde(skip_serializing_if = "PasswordEncoding::is_default")]
    pub encoding: PasswordEncoding,
}

optional_spec!(PasswordSpec);

open_enum! {
    /// How a password is encoded.
    PasswordEncoding {
        /// Not at all.
        Raw = "raw",
        /// Base64 with padding.
        Base64 = "base64",
        /// Base64 of the URL alphabet with padding.
        Base64Url = "base64url",
        /// Base32 with padding.
        Base32 = "base32",
        /// Hexadecimal, small letters.
        Hex = "hex",
    }
}

mod ecr {
    //! The derive makes one kind for each module's spec type.

    use super::{
        AwsAuth, CustomResource, Deserialize, EcrScope, JsonSchema, Serialize, optional_spec,
    };

    /// A token for Amazon's container registry.
    #[derive(
        CustomResource, Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize,
    )]
    #[kube(
        group = "generators.external-secrets.io",
        version = "v1alpha1",
        kind = "ECRAuthorizationToken",
        plural = "ecrauthorizationtokens",
        category = "external-secrets",
        category = "external-secrets-generators",
        namespaced,
        derive = "PartialEq",
        derive = "Default",
        doc = "A token for Amazon's container registry.",
        label("external-secrets.io/component", "controller")
    )]
    #[serde(rename_all = "camelCase", default, remote = "Self")]
    pub struct ECRAuthorizationTokenSpec {
        /// Region.
        pub region: String,
        /// As whom; empty means the SDK's default chain.
        #[serde(skip_serializing_if = "AwsAuth::is_empty")]
        pub auth: AwsAuth,
        /// A role to assume then.
        #[serde(skip_serializing_if = "String::is_empty")]
        pub role: String,
        /// Which registry.
        #[serde(skip_serializing_if = "EcrScope::is_default")]
        pub scope: EcrScope,
    }

    optional_spec!(ECRAuthorizationTokenSpec);
}

pub use ecr::{ECRAuthorizationToken, ECRAuthorizationTokenSpec};

open_enum! {
    /// A container registry of Amazon's.
    EcrScope {
        /// That of the account.
        Private = "private",
        /// That of everybody.
        Public = "public",
    }
}
