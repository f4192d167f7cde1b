//! What a provider has to be able to do.

use std::{collections::BTreeMap, fmt};

use futures::future::BoxFuture;
use template::Expression;

use super::{Payload, ReadError};

/// Which version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Version {
    /// The version that carries this stage name; `AWSCURRENT` unless asked otherwise.
    Stage(String),
    /// The version with this id.
    Id(String),
}

impl Version {
    /// The stage that a read without a version means.
    pub(crate) const CURRENT: &str = "AWSCURRENT";

    /// Reads `remoteRef.version` (secretsmanager.go, `constructSecretValue`).
    #[must_use]
    pub(crate) fn parse(version: &str) -> Self {
        match version.strip_prefix("uuid/") {
            Some(id) => Self::Id(id.to_owned()),
            None if version.is_empty() => Self::Stage(Self::CURRENT.to_owned()),
            None => Self::Stage(version.to_owned()),
        }
    }

    /// Whether a read in a batch gives this version.
    #[must_use]
    pub(crate) fn is_current(&self) -> bool {
        matches!(self, Self::Stage(stage) if stage == Self::CURRENT)
    }
}

/// What one read asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Address {
    /// The value of a secret.
    Value {
        /// Its name or ARN.
        id: String,
        /// Which version of it.
        version: Version,
    },
    /// The tags of a secret, as a JSON object of strings.
    Tags {
        /// Its name or ARN.
        id: String,
    },
}

impl Address {
    /// The name or ARN.
    #[must_use]
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Value { id, .. } | Self::Tags { id } => id,
        }
    }

    /// Whether a batch can read it.
    #[must_use]
    pub(crate) fn fits_a_batch(&self) -> bool {
        matches!(self, Self::Value { version, .. } if version.is_current())
    }
}

/// Secrets by a pattern and not by name.
#[derive(Clone)]
pub(crate) struct Search {
    /// The start of the name, given to the provider.
    pub(crate) path: Option<String>,
    /// The whole name, matched here; not anchored.
    pub(crate) name: Option<Expression>,
    /// Tags that a secret has to have, each with its value.
    pub(crate) tags: BTreeMap<String, String>,
}

/// One kind of request to a provider, as metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Call {
    /// One value.
    GetSecretValue,
    /// Up to [`Reader::batch_size`] values.
    BatchGetSecretValue,
    /// Tags and versions of one secret.
    DescribeSecret,
    /// A page of names.
    ListSecrets,
}

impl Call {
    /// The provider's name of it.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GetSecretValue => "GetSecretValue",
            Self::BatchGetSecretValue => "BatchGetSecretValue",
            Self::DescribeSecret => "DescribeSecret",
            Self::ListSecrets => "ListSecrets",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One account and region of a provider, as one identity sees it.
pub(crate) trait Reader: Send + Sync {
    /// How many values one batch holds; 1 where there are no batches.
    fn batch_size(&self) -> usize;

    /// Reads one secret.
    fn read<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Payload, ReadError>>;

    /// Reads the current values of up to [`Self::batch_size`] secrets. The inner results are in the
    /// order of `ids`; `None` means that the answer did not speak of that secret. The outer error
    /// means that there was no answer at all.
    #[expect(
        clippy::type_complexity,
        reason = "a result for each of a batch, none to be left out"
    )]
    fn read_batch<'a>(
        &'a self,
        ids: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Option<Result<Payload, ReadError>>>, ReadError>>;

    /// The full names of the secrets that fit, in order.
    fn search<'a>(&'a self, search: &'a Search) -> BoxFuture<'a, Result<Vec<String>, ReadError>>;
}
