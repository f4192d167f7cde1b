//! Credentials, kept until shortly before they expire.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_sts::{error::BoxError, types::Tag};
use kit::redact;
use tracing::warn;

use super::{
    clients::Tokens,
    error,
    identity::{Assume, WebIdentity},
};
use crate::provider::ReadError;

/// How long before their end credentials are renewed, at most a quarter of their life.
const RENEW_BEFORE_END: Duration = Duration::from_secs(5 * 60);
/// The name of our sessions in CloudTrail (auth.go, `DefaultJWTProvider`).
const SESSION_NAME: &str = "external-secrets-provider-aws";

/// Where credentials come from.
pub(super) enum Source {
    /// They are given.
    Given(Credentials),
    /// The process finds them around itself.
    Ambient(SharedCredentialsProvider),
    /// A role, assumed with other credentials.
    Role {
        /// What assumes it.
        by: Arc<Kept>,
        /// STS, asked by `by`.
        sts: aws_sdk_sts::Client,
        /// The role.
        assume: Assume,
    },
    /// A role, assumed with a token of the cluster.
    WebIdentity {
        /// STS, asked by nobody.
        sts: aws_sdk_sts::Client,
        /// The ServiceAccount and its role.
        identity: WebIdentity,
        /// Where tokens come from.
        tokens: Arc<dyn Tokens>,
    },
}

/// Credentials, kept until shortly before they expire. However many wait, they are asked for once.
pub(super) struct Kept {
    source: Source,
    held: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    credentials: Credentials,
    renew_at: Option<SystemTime>,
}

impl Kept {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            held: tokio::sync::Mutex::default(),
        }
    }

    /// Credentials that are good now.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) async fn credentials(&self) -> Result<Credentials, ReadError> {
        let mut held = self.held.lock().await;
        let now = SystemTime::now();
        if let Some(held) = held.as_ref()
            && held.renew_at.is_none_or(|renew_at| now < renew_at)
        {
            return Ok(held.credentials.clone());
        }
        match Box::pin(self.source.fetch()).await {
            Ok(credentials) => {
                let renew_at = credentials.expiry().map(|end| renewal(now, end));
                *held = Some(Held {
                    credentials: credentials.clone(),
                    renew_at,
                });
                Ok(credentials)
            }
            Err(error) => match held.as_ref().map(|held| &held.credentials) {
                Some(old) if old.expiry().is_some_and(|end| now < end) => {
                    warn!(%error, "credentials could not be renewed; the old ones are still good");
                    Ok(old.clone())
                }
                _ => Err(error),
            },
        }
    }

    /// Forgets what is held, since AWS does not accept it any more.
    pub(super) async fn forget(&self) {
        *self.held.lock().await = None;
    }
}

fn renewal(now: SystemTime, end: SystemTime) -> SystemTime {
    let life = end.duration_since(now).unwrap_or_default();
    end - RENEW_BEFORE_END.min(life / 4)
}

impl Source {
    async fn fetch(&self) -> Result<Credentials, ReadError> {
        match self {
            Self::Given(credentials) => Ok(credentials.clone()),
            Self::Ambient(chain) => chain.provide_credentials().await.map_err(|error| {
                let text = redact::foreign(&redact::with_sources(&error));
                ReadError::Refused(format!("no AWS credentials around the controller: {text}"))
            }),
            Self::Role { by, sts, assume } => {
                // Asked for here so that their lack is told as such and not as a failed request.
                Box::pin(by.credentials()).await?;
                assume_role(sts, assume).await
            }
            Self::WebIdentity {
                sts,
                identity,
                tokens,
            } => {
                let token = tokens.token(identity).await?;
                assume_with_token(sts, identity, &token).await
            }
        }
    }
}

async fn assume_role(sts: &aws_sdk_sts::Client, assume: &Assume) -> Result<Credentials, ReadError> {
    const CALL: &str = "AssumeRole";
    let tags: Result<Vec<Tag>, _> = assume
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect();
    let tags = tags.map_err(|error| ReadError::Rejected(error::described(CALL, &error)))?;
    let some_tags = !tags.is_empty();
    let transitive = some_tags && !assume.transitive_tags.is_empty();
    let answer = sts
        .assume_role()
        .role_arn(&assume.role)
        .role_session_name(SESSION_NAME)
        .set_external_id(assume.external_id.clone())
        .set_tags(some_tags.then_some(tags))
        .set_transitive_tag_keys(transitive.then(|| assume.transitive_tags.clone()))
        .send()
        .await
        .map_err(|error| refused(error::classify(CALL, &error)))?;
    from_sts(CALL, &assume.role, answer.credentials)
}

async fn assume_with_token(
    sts: &aws_sdk_sts::Client,
    identity: &WebIdentity,
    token: &str,
) -> Result<Credentials, ReadError> {
    const CALL: &str = "AssumeRoleWithWebIdentity";
    let answer = sts
        .assume_role_with_web_identity()
        .role_arn(&identity.role)
        .role_session_name(SESSION_NAME)
        .web_identity_token(token)
        .send()
        .await
        .map_err(|error| refused(error::classify(CALL, &error)))?;
    from_sts(CALL, &identity.role, answer.credentials)
}

/// Who may not assume a role has no credentials, whatever is read with them.
fn refused(error: ReadError) -> ReadError {
    match error {
        ReadError::Denied(text) | ReadError::Rejected(text) => ReadError::Refused(text),
        other => other,
    }
}

fn from_sts(
    call: &str,
    role: &str,
    answer: Option<aws_sdk_sts::types::Credentials>,
) -> Result<Credentials, ReadError> {
    let found = answer
        .ok_or_else(|| ReadError::Unavailable(format!("{call}: the answer has no credentials")))?;
    let expiry = SystemTime::try_from(found.expiration)
        .map_err(|_| ReadError::Unavailable(format!("{call}: the answer has no usable expiry")))?;
    let mut credentials = Credentials::builder()
        .access_key_id(found.access_key_id)
        .secret_access_key(found.secret_access_key)
        .session_token(found.session_token)
        .expiry(expiry)
        .provider_name("sts");
    // arn:aws:iam::123456789012:role/name
    if let Some(account) = role.split(':').nth(4).filter(|account| !account.is_empty()) {
        credentials = credentials.account_id(account);
    }
    Ok(credentials.build())
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.credentials().await.map_err(|error| {
                let error: BoxError = error.into();
                CredentialsError::provider_error(error)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let now = SystemTime::UNIX_EPOCH;
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(renewal(now, after(3_600)), after(3_300));
        assert_eq!(renewal(now, after(60)), after(45));
        assert_eq!(renewal(after(10), after(5)), after(5));
    }
}
