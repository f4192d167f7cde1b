//! What a GitRepository asks for, and whether we can do it. Pure.

use std::{collections::BTreeMap, time::Duration};

use crds::git_repository::{
    GitProvider, GitRepositorySpec, REASON_AUTHENTICATION_FAILED, REASON_GIT_OPERATION_FAILED,
    REASON_URL_INVALID,
};
use k8s_openapi::ByteString;
use kit::reconcile::Retry;

use crate::{
    git::{
        Credentials, CredentialsError, GitError, Identity, Reference, ReferenceError, RemoteUrl,
        UrlError,
    },
    tree::TreeError,
};

/// The Secret that a GitRepository names.
pub(super) enum Secret {
    /// It names none.
    None,
    /// It is there.
    Found {
        /// Its uid.
        uid: String,
        /// What it holds.
        data: BTreeMap<String, ByteString>,
    },
    /// It is not there, or cannot be read.
    Missing(String),
}

/// What to do.
pub(super) struct Plan {
    pub(super) url: RemoteUrl,
    pub(super) identity: Identity,
    pub(super) credentials: Credentials,
    pub(super) reference: Reference,
    pub(super) timeout: Duration,
    pub(super) interval: Duration,
}

/// Why there is no new revision.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchFailure {
    /// The credentials cannot be had.
    #[error("failed to get secret '{0}'")]
    Secret(String),
    /// The credentials do not fit.
    #[error("failed to configure authentication: {0}")]
    Credentials(#[from] CredentialsError),
    /// A duration cannot be one.
    #[error("spec.{field}: {message}")]
    Duration {
        /// The field.
        field: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Git failed.
    #[error("failed to checkout and determine revision: {0}")]
    Git(#[from] GitError),
    /// Something that we do not do.
    #[error("{0} is not served")]
    NotServed(&'static str),
    /// The reference cannot be one.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The status could not be written.
    #[error("write the status: {0}")]
    Status(String),
    /// The files of the revision cannot be used.
    #[error("failed to read the revision: {0}")]
    Tree(#[from] TreeError),
    /// The URL cannot be one.
    #[error("invalid Git URL: {0}")]
    Url(#[from] UrlError),
}

impl FetchFailure {
    /// Whether only a change of the object can help.
    pub(super) fn is_stalled(&self) -> bool {
        match self {
            Self::Url(_) | Self::NotServed(_) | Self::Duration { .. } | Self::Reference(_) => true,
            Self::Credentials(_)
            | Self::Git(_)
            | Self::Secret(_)
            | Self::Status(_)
            | Self::Tree(_) => false,
        }
    }
}

/// What the runner is told: the failure, and when to try again.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Ended {
    #[source]
    pub(super) failure: FetchFailure,
    pub(super) retry: Retry,
}

impl kit::reconcile::Failure for Ended {
    fn reason(&self) -> &'static str {
        self.failure.reason()
    }

    fn retry(&self) -> Retry {
        self.retry
    }
}

impl FetchFailure {
    /// The reason of the conditions and events.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Credentials(_) | Self::Secret(_) => REASON_AUTHENTICATION_FAILED,
            Self::NotServed(_) | Self::Reference(ReferenceError::NotServed(_)) => {
                crds::flux::REASON_FEATURE_GATE_DISABLED
            }
            Self::Duration { .. } => crds::flux::REASON_FAILED,
            Self::Url(_) => REASON_URL_INVALID,
            Self::Git(_) | Self::Reference(_) | Self::Status(_) | Self::Tree(_) => {
                REASON_GIT_OPERATION_FAILED
            }
        }
    }
}

/// Reads the spec and the Secret.
///
/// # Errors
/// [`FetchFailure`] names the field or key that does not fit.
pub(super) fn plan(
    namespace: &str,
    uid: &str,
    spec: &GitRepositorySpec,
    secret: Secret,
) -> Result<Plan, FetchFailure> {
    let (url, user_info) = RemoteUrl::parse(&spec.url)?;
    refuse_what_is_not_served(spec)?;
    let reference = Reference::of(spec.reference.as_ref())?;
    let duration = |field, parsed: Result<Duration, crds::duration::DurationError>| {
        parsed.map_err(|error| FetchFailure::Duration {
            field,
            message: error.to_string(),
        })
    };
    let interval = duration("interval", spec.parse_interval())?;
    let timeout = duration("timeout", spec.parse_timeout())?;
    let (identity, credentials) = match secret {
        Secret::Missing(said) => return Err(FetchFailure::Secret(said)),
        Secret::Found { uid, data } => {
            let credentials = Credentials::from_secret(&data, &url, user_info.as_ref())?;
            (
                Identity::Secret {
                    namespace: namespace.to_owned(),
                    uid,
                },
                credentials,
            )
        }
        Secret::None => {
            let credentials = Credentials::from_url(user_info.as_ref())?;
            let identity = match user_info {
                Some(_) => Identity::Url {
                    uid: uid.to_owned(),
                },
                None => Identity::Anonymous,
            };
            (identity, credentials)
        }
    };
    Ok(Plan {
        url,
        identity,
        credentials,
        reference,
        timeout: timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
        interval,
    })
}

fn refuse_what_is_not_served(spec: &GitRepositorySpec) -> Result<(), FetchFailure> {
    let asked = [
        ("spec.url of scheme ssh", spec.url.starts_with("ssh://")),
        ("spec.verify", spec.verification.is_some()),
        ("spec.include", !spec.include.is_empty()),
        ("spec.recurseSubmodules", spec.recurse_submodules),
        ("spec.sparseCheckout", !spec.sparse_checkout.is_empty()),
        ("spec.proxySecretRef", spec.proxy_secret_ref.is_some()),
        (
            "spec.serviceAccountName",
            !spec.service_account_name.is_empty(),
        ),
        (
            "spec.provider other than generic",
            spec.provider != GitProvider::Generic,
        ),
    ];
    match asked.into_iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(FetchFailure::NotServed(field)),
        None => Ok(()),
    }
}

/// Below a second no server answers.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);

/// All repositories share a few processes, and a server that never ends its answer holds one.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crds::git_repository::GitReference;

    fn spec(change: impl FnOnce(&mut GitRepositorySpec)) -> GitRepositorySpec {
        let mut spec = GitRepositorySpec {
            url: "https://git.example/x".into(),
            interval: "1m".into(),
            ..GitRepositorySpec::default()
        };
        change(&mut spec);
        spec
    }

    fn failure(spec: &GitRepositorySpec, secret: Secret) -> (&'static str, bool, String) {
        let error = plan("ns", "u", spec, secret).err().unwrap();
        (error.reason(), error.is_stalled(), error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named_and_what_no_retry_mends_is_stalled() {
        for (spec, reason, stalled, text) in [
            (
                spec(|s| s.url = "ftp://x".into()),
                "URLInvalid",
                true,
                "invalid Git URL: the URL must begin with http://, https:// or ssh://",
            ),
            (
                spec(|s| s.include = vec![Default::default()]),
                "FeatureGateDisabled",
                true,
                "spec.include is not served",
            ),
            (
                spec(|s| s.recurse_submodules = true),
                "FeatureGateDisabled",
                true,
                "spec.recurseSubmodules is not served",
            ),
            (
                spec(|s| s.provider = GitProvider::Azure),
                "FeatureGateDisabled",
                true,
                "spec.provider other than generic is not served",
            ),
            (
                spec(|s| {
                    s.reference = Some(GitReference {
                        branch: "a b".into(),
                        ..Default::default()
                    });
                }),
                "GitOperationFailed",
                true,
                "spec.ref.branch is not the name of a Git reference",
            ),
            (
                spec(|s| s.interval = "99999999h".into()),
                "Failed",
                true,
                "spec.interval: a duration must not exceed 87600h (ten years)",
            ),
        ] {
            assert_eq!(
                failure(&spec, Secret::None),
                (reason, stalled, text.to_owned())
            );
        }
        let missing = failure(&spec(|_| ()), Secret::Missing("ns/x: not found".into()));
        assert_eq!(
            missing,
            (
                "AuthenticationFailed",
                false,
                "failed to get secret 'ns/x: not found'".to_owned()
            )
        );
        let data = [("password".to_owned(), ByteString(b"x".to_vec()))].into();
        let found = failure(
            &spec(|_| ()),
            Secret::Found {
                uid: "s".into(),
                data,
            },
        );
        assert_eq!((found.0, found.1), ("AuthenticationFailed", false));
    }

    #[test]
    fn the_identity_is_whose_credentials_are_used() {
        let identity =
            |spec: &GitRepositorySpec, secret| plan("ns", "u", spec, secret).ok().unwrap().identity;
        assert_eq!(identity(&spec(|_| ()), Secret::None), Identity::Anonymous);
        assert_eq!(
            identity(&spec(|s| s.url = "https://a:b@h/x".into()), Secret::None),
            Identity::Url { uid: "u".into() }
        );
        let secret = Secret::Found {
            uid: "s".into(),
            data: BTreeMap::new(),
        };
        assert_eq!(
            identity(&spec(|_| ()), secret),
            Identity::Secret {
                namespace: "ns".into(),
                uid: "s".into()
            }
        );
    }
}
