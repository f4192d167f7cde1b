//! Credentials, kept until shortly before they expire.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
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

/// Credentials, kept until shortly before they expire. However many wait, they are asked for once,
/// and where there are none all of them are told by that one attempt.
pub(super) struct Kept {
    source: Source,
    state: tokio::sync::Mutex<State>,
    /// How many attempts have ended. Whoever finds it moved after waiting for the lock has waited
    /// for an attempt of somebody else.
    ended: AtomicU64,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// Why the last attempt gave nothing.
    failed: Option<ReadError>,
}

struct Held {
    credentials: Credentials,
    renew_at: Option<SystemTime>,
}

impl Kept {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            state: tokio::sync::Mutex::default(),
            ended: AtomicU64::new(0),
        }
    }

    /// Credentials that are good now.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) async fn credentials(&self) -> Result<Credentials, ReadError> {
        let ended_before = self.ended.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        let now = SystemTime::now();
        if let Some(held) = state.held.as_ref()
            && held.renew_at.is_none_or(|renew_at| now < renew_at)
        {
            return Ok(held.credentials.clone());
        }
        let waited = self.ended.load(Ordering::Acquire) != ended_before;
        let failed = state.failed.clone().filter(|_| waited);
        let attempt = match failed {
            Some(error) => Err(error),
            None => self.attempt(&mut state, now).await,
        };
        match (attempt, state.held.as_ref()) {
            (Err(error), Some(old)) if old.is_good(now) => {
                warn!(%error, "credentials could not be renewed; the old ones are still good");
                Ok(old.credentials.clone())
            }
            (attempt, _) => attempt,
        }
    }

    async fn attempt(&self, state: &mut State, now: SystemTime) -> Result<Credentials, ReadError> {
        let result = Box::pin(self.source.fetch()).await;
        match &result {
            Ok(credentials) => {
                state.failed = None;
                state.held = Some(Held {
                    renew_at: credentials.expiry().map(|end| renewal(now, end)),
                    credentials: credentials.clone(),
                });
            }
            Err(error) => state.failed = Some(error.clone()),
        }
        self.ended.fetch_add(1, Ordering::Release);
        result
    }

    /// Forgets what is held, since AWS does not accept it any more.
    pub(super) async fn forget(&self) {
        self.state.lock().await.held = None;
    }
}

impl Held {
    fn is_good(&self, now: SystemTime) -> bool {
        self.credentials.expiry().is_some_and(|end| now < end)
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
    use futures::{
        FutureExt as _,
        future::{BoxFuture, join_all},
    };

    use super::*;

    /// A token service that takes a second and then says no, counting how often it was asked.
    #[derive(Default)]
    struct Refusing(AtomicU64);

    impl Tokens for Refusing {
        fn token<'a>(&'a self, _: &'a WebIdentity) -> BoxFuture<'a, Result<String, ReadError>> {
            let attempt = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Err(ReadError::Refused(format!("attempt {attempt}")))
            }
            .boxed()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_to_all_who_waited_for_it_and_to_nobody_who_comes_later() {
        let tokens = Arc::new(Refusing::default());
        let config = aws_sdk_sts::Config::builder()
            .behavior_version_latest()
            .build();
        let kept = Kept::new(Source::WebIdentity {
            sts: aws_sdk_sts::Client::from_conf(config),
            identity: WebIdentity {
                namespace: "ns".into(),
                service_account: "app".into(),
                role: "arn:aws:iam::1:role/r".into(),
                audiences: vec![],
            },
            tokens: Arc::clone(&tokens) as Arc<dyn Tokens>,
        });
        for attempt in ["attempt 1", "attempt 2"] {
            let started = tokio::time::Instant::now();
            let answers = join_all((0..100).map(|_| kept.credentials())).await;
            let refused = ReadError::Refused(attempt.to_owned());
            assert!(
                answers
                    .into_iter()
                    .all(|answer| answer.err() == Some(refused.clone()))
            );
            assert_eq!(started.elapsed(), Duration::from_secs(1));
        }
        assert_eq!(tokens.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn credentials_are_renewed_before_they_end() {
        let now = SystemTime::UNIX_EPOCH;
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(renewal(now, after(3_600)), after(3_300));
        assert_eq!(renewal(now, after(60)), after(45));
        assert_eq!(renewal(after(10), after(5)), after(5));
    }
}
