//! From a store to a client that asks as the store says: Secrets and ServiceAccounts are read here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crds::secret_store::AwsProvider;
use futures::{FutureExt as _, future::BoxFuture};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Secret, ServiceAccount},
};
use kit::{SecretBytes, redact};
use kube::{Api, Client, api::PostParams};

use super::{
    AnyStore,
    plan::{self, StoreError, Wanted, WantedBase},
};
use crate::{
    key::Key,
    provider::{
        ReadError,
        aws::{Base, Clients, Identity, SecretsManager, StaticKeys, Tokens, WebIdentity},
    },
    sightings::{Sighting, Sightings},
};

/// How long an identity is believed where no watch tells that what it was made from has changed.
const BELIEVED: Duration = Duration::from_secs(60);
/// How long an identity that nobody uses is kept, with its client, its connections and its
/// credentials. Longer than most refresh intervals.
const IDLE: Duration = Duration::from_secs(2 * 60 * 60);

/// Why there is no client for a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpenError {
    /// The store itself is wrong.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it refers to is not there, or not as it should be.
    #[error("unable to create session: {0}")]
    Reference(String),
}

/// The clients of all stores, and what each was made from.
pub(crate) struct Identities {
    client: Client,
    clients: Clients,
    sightings: Arc<Sightings>,
    known: Mutex<HashMap<Asker, Known>>,
}

/// As whom a generator asks.
#[derive(Clone, Copy)]
pub(crate) struct GeneratorIdentity<'a> {
    /// The generator's namespace.
    pub(crate) namespace: &'a str,
    /// What it says.
    pub(crate) aws: &'a AwsProvider,
}

/// A store, and the namespace it asks for where that matters.
type Asker = (String, Key, Option<String>);

struct Known {
    generation: Option<i64>,
    uid: Option<String>,
    /// The Secrets that it was made from, in the version that was read.
    made_from: Vec<(Key, Sighting)>,
    /// Whether something else, that no watch follows, went into it.
    fading: bool,
    made: Instant,
    used: Instant,
    client: Arc<SecretsManager>,
}

impl Identities {
    /// No identity yet.
    pub(crate) fn new(client: Client, clients: Clients, sightings: Arc<Sightings>) -> Self {
        Self {
            client,
            clients,
            sightings,
            known: Mutex::default(),
        }
    }

    /// The client that asks as `store` says for an ExternalSecret of `namespace`. `Ok(None)`: that
    /// depends on the namespace, and none is given. Nothing is asked of AWS here.
    ///
    /// # Errors
    /// [`OpenError`] when the store, or what it refers to, is wrong.
    pub(crate) async fn open(
        &self,
        store: &AnyStore,
        namespace: Option<&str>,
    ) -> Result<Option<Arc<SecretsManager>>, OpenError> {
        let aws = plan::checked(store)?;
        let Some(wanted) = plan::wanted(store, aws, namespace)? else {
            return Ok(None);
        };
        let for_namespace = namespace.filter(|_| wanted.by_namespace).map(str::to_owned);
        let asker = (store.kind().to_owned(), store.key(), for_namespace);
        if let Some(client) = self.known(&asker, store) {
            return Ok(Some(client));
        }
        let (identity, made_from) = self.identity(&wanted).await?;
        let client = self.clients.open(&identity, wanted.retries).await;
        let now = Instant::now();
        let known = Known {
            generation: store.metadata().generation,
            uid: store.metadata().uid.clone(),
            made_from,
            fading: matches!(wanted.base, WantedBase::ServiceAccount { .. }),
            made: now,
            used: now,
            client: Arc::clone(&client),
        };
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| now.duration_since(known.used) < IDLE);
        all.insert(asker, known);
        Ok(Some(client))
    }

    /// The clients themselves.
    pub(crate) fn clients(&self) -> &Clients {
        &self.clients
    }

    /// The identity of a generator: what it refers to is in its own namespace.
    ///
    /// # Errors
    /// [`OpenError`] when the generator, or what it refers to, is wrong.
    pub(crate) async fn for_generator(
        &self,
        generator: GeneratorIdentity<'_>,
    ) -> Result<Identity, OpenError> {
        let wanted = plan::wanted_by_generator(generator.namespace, generator.aws)?;
        Ok(self.identity(&wanted).await?.0)
    }

    fn known(&self, asker: &Asker, store: &AnyStore) -> Option<Arc<SecretsManager>> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get_mut(asker)?;
        let metadata = store.metadata();
        let same_store = (known.generation, &known.uid) == (metadata.generation, &metadata.uid);
        let young = known.made.elapsed() < BELIEVED;
        let same_secrets =
            known
                .made_from
                .iter()
                .all(|(key, version)| match self.sightings.of(key) {
                    Some(seen) => seen == *version,
                    None => young && !self.sightings.complete(&key.namespace),
                });
        if !same_store || !same_secrets || (known.fading && !young) {
            all.remove(asker);
            return None;
        }
        known.used = Instant::now();
        Some(Arc::clone(&known.client))
    }

    async fn identity(
        &self,
        wanted: &Wanted,
    ) -> Result<(Identity, Vec<(Key, Sighting)>), OpenError> {
        let mut made_from = Vec::new();
        let base = match &wanted.base {
            WantedBase::Ambient => Base::Ambient,
            WantedBase::Keys {
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                let mut bodies = Bodies {
                    client: &self.client,
                    read: HashMap::new(),
                };
                let keys = StaticKeys {
                    secret_access_key: bodies.value(secret_access_key, "SecretAccessKey").await?,
                    access_key_id: bodies.value(access_key_id, "accessKeyID").await?,
                    session_token: match session_token {
                        Some(token) => Some(bodies.value(token, "SessionToken").await?),
                        None => None,
                    },
                };
                made_from = bodies.versions(&self.sightings);
                Base::Keys(keys)
            }
            WantedBase::ServiceAccount { account, audiences } => {
                Base::WebIdentity(self.web_identity(account, audiences).await?)
            }
        };
        let (roles, region) = (wanted.roles.clone(), wanted.region.clone());
        Ok((
            Identity {
                base,
                roles,
                region,
            },
            made_from,
        ))
    }

    /// `auth.go`, `credsFromServiceAccount`.
    async fn web_identity(
        &self,
        account: &Key,
        audiences: &[String],
    ) -> Result<WebIdentity, OpenError> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
        let found = api.get_metadata(&account.name).await;
        let found = found.map_err(|error| OpenError::Reference(redact::api_error(&error)))?;
        let annotations = found.metadata.annotations.unwrap_or_default();
        let role = annotations
            .get(crds::secret_store::ROLE_ARN)
            .filter(|role| !role.is_empty());
        let role = role.ok_or_else(|| {
            OpenError::Reference(format!(
                "an IAM role must be associated with service account {} (namespace: {})",
                account.name, account.namespace
            ))
        })?;
        let audience = annotations
            .get(crds::secret_store::AUDIENCE)
            .filter(|text| !text.is_empty());
        let first = audience
            .map_or("sts.amazonaws.com", String::as_str)
            .to_owned();
        Ok(WebIdentity {
            namespace: account.namespace.clone(),
            service_account: account.name.clone(),
            role: role.clone(),
            audiences: std::iter::once(first)
                .chain(audiences.iter().cloned())
                .collect(),
        })
    }
}

/// The Secrets that one identity is made from, each read once.
struct Bodies<'a> {
    client: &'a Client,
    read: HashMap<Key, Secret>,
}

impl Bodies<'_> {
    async fn value(
        &mut self,
        (key, field): &(Key, String),
        what: &str,
    ) -> Result<SecretBytes, OpenError> {
        let problem =
            |text: String| OpenError::Reference(format!("could not fetch {what} secret: {text}"));
        if !self.read.contains_key(key) {
            let api: Api<Secret> = Api::namespaced(self.client.clone(), &key.namespace);
            let found = api.get(&key.name).await.map_err(|error| {
                let (name, namespace) = (&key.name, &key.namespace);
                let cause = redact::api_error(&error);
                problem(format!("cannot get Kubernetes secret \"{name}\" from namespace \"{namespace}\": {cause}"))
            })?;
            self.read.insert(key.clone(), found);
        }
        let data = self.read.get(key).and_then(|secret| secret.data.as_ref());
        let value = data.and_then(|data| data.get(field));
        let value = value
            .ok_or_else(|| problem(format!("cannot find secret data for key: \"{field}\"")))?;
        Ok(SecretBytes::new(value.0.clone()))
    }

    /// The versions that were read, noted where the watch will tell of others.
    fn versions(self, sightings: &Sightings) -> Vec<(Key, Sighting)> {
        let versions = self.read.into_iter().map(|(key, secret)| {
            let sighting = Sighting::of(&secret.metadata);
            sightings.read(key.clone(), sighting);
            (key, sighting)
        });
        versions.collect()
    }
}

/// Tokens by the API server's TokenRequest.
pub(crate) struct TokenRequests(pub(crate) Client);

impl Tokens for TokenRequests {
    fn token<'a>(&'a self, identity: &'a WebIdentity) -> BoxFuture<'a, Result<String, ReadError>> {
        let api: Api<ServiceAccount> = Api::namespaced(self.0.clone(), &identity.namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                audiences: identity.audiences.clone(),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        async move {
            let name = &identity.service_account;
            let answer = api.create_token_request(name, &PostParams::default(), &request).await;
            let answer = answer.map_err(|error| {
                let cause = redact::api_error(&error);
                ReadError::Refused(format!("cannot request Kubernetes service account token for service account \"{name}\": {cause}"))
            })?;
            let token = answer.status.map(|status| status.token).unwrap_or_default();
            Ok(token)
        }
        .boxed()
    }
}
