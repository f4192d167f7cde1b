//! One client for each identity, over one HTTP client for all.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use aws_sdk_secretsmanager::config::IdentityCache;
use aws_smithy_http_client::{
    Builder,
    tls::{self, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use futures::future::BoxFuture;
use kit::SecretBytes;

use super::{
    Base, Identity, Principal, SecretsManager, StaticKeys, WebIdentity,
    credentials::{Kept, Source},
};
use crate::{provider::ReadError, quota::Quotas};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(3);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long a request may take with all its attempts.
const OPERATION: Duration = Duration::from_secs(40);
/// Where AWS is, if not at its own addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Secrets Manager (`AWS_SECRETSMANAGER_ENDPOINT`). The SDK's own variables,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL`, hold where it is absent.
    pub secrets_manager: Option<String>,
    /// STS (`AWS_STS_ENDPOINT`); else `AWS_ENDPOINT_URL_STS` and `AWS_ENDPOINT_URL`.
    pub sts: Option<String>,
}

/// How a request is tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Retries {
    /// How often it is tried in all: 1 is no retry, 0 as often as time allows. `None`: three times.
    pub(crate) attempts: Option<u32>,
    /// The wait between two attempts. `None`: a growing one.
    pub(crate) wait: Option<Duration>,
}

/// Where tokens of ServiceAccounts come from.
pub(crate) trait Tokens: Send + Sync {
    /// A token for this ServiceAccount and these audiences.
    fn token<'a>(&'a self, identity: &'a WebIdentity) -> BoxFuture<'a, Result<String, ReadError>>;
}

/// One client for each identity, over one HTTP client for all. A client lives as long as somebody
/// holds it.
pub(crate) struct Clients {
    http: SharedHttpClient,
    endpoints: Endpoints,
    quotas: Arc<Quotas>,
    tokens: Arc<dyn Tokens>,
    bases: tokio::sync::Mutex<HashMap<String, SdkConfig>>,
    open: Mutex<HashMap<Key, Weak<SecretsManager>>>,
}

type Key = (Principal, String, Retries);

impl Clients {
    /// No client yet.
    #[must_use]
    pub(crate) fn new(endpoints: Endpoints, quotas: Arc<Quotas>, tokens: Arc<dyn Tokens>) -> Self {
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        Self {
            http,
            endpoints,
            quotas,
            tokens,
            bases: tokio::sync::Mutex::default(),
            open: Mutex::default(),
        }
    }

    /// The client of this identity, made if there is none yet. Nothing is asked of AWS here.
    pub(crate) async fn open(&self, identity: &Identity, retries: Retries) -> Arc<SecretsManager> {
        let key = (identity.principal(), identity.region.clone(), retries);
        if let Some(client) = self.known(&key) {
            return client;
        }
        let base = self.base(&identity.region).await;
        let credentials = self.credentials(&base, identity);
        let mut config = aws_sdk_secretsmanager::config::Builder::from(&base)
            .credentials_provider(shared(&credentials))
            .retry_config(retry_config(retries));
        if let Some(url) = &self.endpoints.secrets_manager {
            config = config.endpoint_url(url);
        }
        let client = Arc::new(SecretsManager::new(
            aws_sdk_secretsmanager::Client::from_conf(config.build()),
            credentials,
            key.0,
            identity.region.clone(),
            Arc::clone(&self.quotas),
        ));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was first wins, so that all share one cache of credentials.
        if let Some(first) = open.get(&key).and_then(Weak::upgrade) {
            return first;
        }
        open.retain(|_, client| client.strong_count() > 0);
        open.insert(key, Arc::downgrade(&client));
        client
    }

    fn known(&self, key: &Key) -> Option<Arc<SecretsManager>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.get(key).and_then(Weak::upgrade)
    }

    /// The SDK's own view of the environment for a region, read once.
    pub(super) async fn base(&self, region: &str) -> SdkConfig {
        let mut bases = self.bases.lock().await;
        if let Some(base) = bases.get(region) {
            return base.clone();
        }
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(OPERATION)
            .build();
        let base = aws_config::defaults(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .identity_cache(IdentityCache::no_cache())
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts)
            .load()
            .await;
        bases.insert(region.to_owned(), base.clone());
        base
    }

    pub(super) fn credentials(&self, base: &SdkConfig, identity: &Identity) -> Arc<Kept> {
        let first = Kept::new(match &identity.base {
            Base::Keys(keys) => Source::Given(given(keys)),
            Base::WebIdentity(web_identity) => Source::WebIdentity {
                sts: self.sts(base, None),
                identity: web_identity.clone(),
                tokens: Arc::clone(&self.tokens),
            },
            Base::Ambient => match base.credentials_provider() {
                Some(chain) => Source::Ambient(chain),
                None => Source::Ambient(SharedCredentialsProvider::new(Nobody)),
            },
        });
        identity.roles.iter().fold(Arc::new(first), |by, assume| {
            let sts = self.sts(base, Some(&by));
            Arc::new(Kept::new(Source::Role {
                by,
                sts,
                assume: assume.clone(),
            }))
        })
    }

    fn sts(&self, base: &SdkConfig, by: Option<&Arc<Kept>>) -> aws_sdk_sts::Client {
        let mut config = aws_sdk_sts::config::Builder::from(base);
        config.set_credentials_provider(by.map(shared));
        if let Some(url) = &self.endpoints.sts {
            config = config.endpoint_url(url);
        }
        aws_sdk_sts::Client::from_conf(config.build())
    }
}

pub(super) fn shared(credentials: &Arc<Kept>) -> SharedCredentialsProvider {
    let dynamic: Arc<dyn ProvideCredentials> = Arc::<Kept>::clone(credentials);
    SharedCredentialsProvider::new(dynamic)
}

fn given(keys: &StaticKeys) -> Credentials {
    let text = |bytes: &SecretBytes| String::from_utf8_lossy(bytes.expose()).into_owned();
    Credentials::new(
        text(&keys.access_key_id),
        text(&keys.secret_access_key),
        keys.session_token.as_ref().map(text),
        None,
        "Secret",
    )
}

fn retry_config(retries: Retries) -> RetryConfig {
    let mut config = RetryConfig::standard();
    match retries.attempts {
        None => {}
        Some(0) => config = config.with_max_attempts(u32::MAX),
        Some(attempts) => config = config.with_max_attempts(attempts),
    }
    if let Some(wait) = retries.wait.filter(|wait| !wait.is_zero()) {
        config = config
            .with_initial_backoff(wait)
            .with_max_backoff(wait)
            .with_use_static_exponential_base(true);
    }
    config
}

/// The chain of a process that has none.
#[derive(Debug)]
struct Nobody;

impl ProvideCredentials for Nobody {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded_no_source()))
    }
}
