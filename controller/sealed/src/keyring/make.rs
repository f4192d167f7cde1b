//! Making keys.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use k8s_openapi::api::core::v1::Secret;
use keys::{KeyError, KeyPair, KeySize, Validity};
use kit::{
    backoff::Bounds,
    redact,
    target::{self, WriteError},
};
use kube::{Api, ResourceExt};
use tracing::{info, warn};

use super::{
    KeySecret, Renewal,
    follow::Follower,
    life::{Need, name_after},
};
use crate::{FIELD_MANAGER, open::Opener};

/// What a new key looks like.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) prefix: String,
    pub(crate) size: KeySize,
    pub(crate) lifetime: Duration,
    pub(crate) common_name: String,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// Makes keys.
#[derive(Clone)]
pub(crate) struct Maker {
    pub(crate) follower: Follower,
    pub(crate) design: Design,
    pub(crate) renewal: Renewal,
    pub(crate) opener: Opener,
}

/// Why a key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Because the settings call for it, if they still do once the keys are listed again.
    ByTime,
    /// Because somebody sent SIGUSR1.
    ByHand,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("list the keys that there are: {0}")]
    List(String),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("write the key Secret {0}: {1}")]
    Write(String, WriteError),
    #[error(
        "every name for a new key Secret is taken by a Secret that is no usable key; the last one was {0}"
    )]
    NamesTaken(String),
    #[error("the process is ending")]
    Ending,
}

/// How many taken names are walked past.
const NAMES: u32 = 10;

/// However far away the next key is, the clock is looked at so often: it may jump.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(3_600);

const WAITS: Bounds = Bounds {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(300),
};

/// Makes a key whenever one is due, until the shutdown. The leader does this.
pub(crate) async fn tend(maker: &Maker) {
    let keys = &maker.follower.keys;
    let shutdown = &maker.follower.context.shutdown;
    let mut changes = keys.changes();
    let mut failures = 0;
    loop {
        let set = changes.borrow_and_update().clone();
        let newest = set.keyring.current().map(keys::Entry::since);
        let wait = match maker.renewal.need(newest, SystemTime::now()) {
            _ if !set.is_loaded() => LOOK_AT_LEAST_EVERY,
            Need::Never => LOOK_AT_LEAST_EVERY,
            Need::At(moment) => moment.duration_since(SystemTime::now()).unwrap_or_default(),
            Need::Now(reason) => match maker.make(Asked::ByTime, reason).await {
                // One that does not become the current key must not call for the next.
                Ok(()) => {
                    failures = 0;
                    if newest_of(maker) == newest {
                        LOOK_AT_LEAST_EVERY
                    } else {
                        Duration::ZERO
                    }
                }
                Err(error) => {
                    warn!(error = %error, "a new sealing key could not be made; it is tried again");
                    failures += 1;
                    WAITS.after(failures)
                }
            },
        };
        let wait = wait.min(LOOK_AT_LEAST_EVERY);
        let woken = async {
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        };
        if shutdown.or(woken).await.is_err() {
            return;
        }
    }
}

fn newest_of(maker: &Maker) -> Option<SystemTime> {
    maker
        .follower
        .keys
        .now()
        .keyring
        .current()
        .map(keys::Entry::since)
}

impl Maker {
    /// Makes a key, unless another replica just did.
    pub(crate) async fn make(&self, asked: Asked, reason: &str) -> Result<(), MakeError> {
        let mut made: Option<KeyPair> = None;
        let mut taken: Option<KeySecret> = None;
        for _ in 0..NAMES {
            self.follower
                .list()
                .await
                .map_err(|error| MakeError::List(redact::api_error(&error)))?;
            let newest = newest_of(self);
            let need = self.renewal.need(newest, SystemTime::now());
            if asked == Asked::ByTime && !matches!(need, Need::Now(_)) {
                return Ok(());
            }
            let name = self.next_name(taken.as_ref());
            let pair = match made.take() {
                Some(pair) => pair,
                None => self.generate().await?,
            };
            match self.write(&name, &pair).await {
                Ok(()) => {
                    info!(secret = name, fingerprint = %pair.fingerprint(), reason, "New key written");
                    return Ok(());
                }
                Err(WriteError::AlreadyExists) => {
                    let other = self.follower.api().get_opt(&name).await.ok().flatten();
                    match other {
                        Some(other) if is_usable(&other) && asked == Asked::ByHand => {
                            self.follower.change(|shelf| shelf.place(other)).await;
                            return Ok(());
                        }
                        other => taken = other.filter(|other| !is_usable(other)),
                    }
                    made = Some(pair);
                }
                Err(error) => return Err(MakeError::Write(name, error)),
            }
        }
        Err(MakeError::NamesTaken(
            taken.map(|taken| taken.name_any()).unwrap_or_default(),
        ))
    }

    /// The name that follows the newest key, or a Secret that took that name and is no usable key.
    fn next_name(&self, taken: Option<&KeySecret>) -> String {
        let mut newest = taken.and_then(ResourceExt::uid);
        if newest.is_none() {
            self.follower
                .keys
                .change(|shelf| newest = shelf.newest_uid());
        }
        name_after(&self.design.prefix, newest.as_deref())
    }

    async fn generate(&self) -> Result<KeyPair, MakeError> {
        let (size, name) = (self.design.size, self.design.common_name.clone());
        let validity = Validity::starting(self.first_moment(), self.design.lifetime);
        let pair = self
            .opener
            .run(move || KeyPair::generate(size, validity, &name))
            .await;
        Ok(pair.ok_or(MakeError::Ending)??)
    }

    /// Now, or the second after the newest key's: certificates count in seconds, and of two keys of
    /// one second the older would stay the one to seal with.
    fn first_moment(&self) -> SystemTime {
        let now = SystemTime::now();
        newest_of(self).map_or(now, |newest| now.max(newest + Duration::from_secs(1)))
    }

    async fn write(&self, name: &str, pair: &KeyPair) -> Result<(), WriteError> {
        let context = &self.follower.context;
        let secret = KeySecret::compose(
            name.to_owned(),
            context.namespace.clone(),
            pair,
            self.design.labels.clone(),
            self.design.annotations.clone(),
        );
        let written = target::create(&context.client, &secret, FIELD_MANAGER).await?;
        // The watch tells of it too, but the certificate is asked for right now.
        let api = Api::<Secret>::namespaced(context.client.clone(), &context.namespace);
        let mut secret = api.get(name).await.unwrap_or(secret);
        secret.metadata.uid.get_or_insert(written.uid);
        secret
            .metadata
            .resource_version
            .get_or_insert(written.resource_version);
        let secret = KeySecret::of(secret);
        self.follower.change(|shelf| shelf.place(secret)).await;
        Ok(())
    }
}

fn is_usable(secret: &KeySecret) -> bool {
    secret.label().is_some() && secret.maker().is_none() && secret.pair().is_ok()
}
