//! Publishing the certificates in one ConfigMap, so that sealing and checking need no cluster.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime},
};

use document::{
    CONFIG_MAP_NAME, KEYS_FILE, KeyState, PublishedKey, PublishedKeys, certificate_file,
};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kit::{Context, redact};
use kube::{Api, api::PostParams};
use tracing::{info, warn};

use super::{KeySet, Keys, State};
use crate::{FIELD_MANAGER, memory::Memory, metrics::Measures};

/// The census may lag behind by so much. A change of the keys is published at once.
const EVERY: Duration = Duration::from_secs(2);

/// So long somebody's edit of the ConfigMap stands.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Publishes the keys and the census until the shutdown. The leader does this.
pub(crate) async fn publish(context: &Context, keys: &Keys, memory: &Memory, measures: &Measures) {
    let api = Api::<ConfigMap>::namespaced(context.client.clone(), &context.namespace);
    let mut changes = keys.changes();
    let mut told = None;
    let mut warned_of = Vec::new();
    let mut written: Option<(PublishedKeys, Instant)> = None;
    loop {
        let set = changes.borrow_and_update().clone();
        if set.is_loaded() {
            let published = published(&set, memory.census().as_ref());
            let stands = written.as_ref().is_some_and(|(before, looked)| {
                *before == published && looked.elapsed() < LOOK_EVERY
            });
            if !stands {
                show(measures, &published);
                warn_of_retired(&published, &mut warned_of);
                match write(&api, &context.namespace, &set, &published).await {
                    Ok(()) => told = None,
                    Err(error) => tell(&mut told, &error),
                }
                written = Some((published, Instant::now()));
            }
        }
        let woken = async {
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        };
        if context.shutdown.or(woken).await.is_err() {
            return;
        }
    }
}

fn show(measures: &Measures, published: &PublishedKeys) {
    measures.census(published.keys.iter().filter_map(|key| {
        let items = key.items?;
        Some((key.fingerprint.clone(), word(key.state), items))
    }));
}

/// What is published about the keys.
fn published(set: &KeySet, census: Option<&BTreeMap<String, u64>>) -> PublishedKeys {
    let current = set.keyring.current().map(keys::Entry::fingerprint);
    let keys = set.held.iter().map(|held| {
        let fingerprint = held.fingerprint.to_string();
        PublishedKey {
            state: match held.state {
                State::Active if Some(held.fingerprint) == current => KeyState::Current,
                State::Active => KeyState::Active,
                State::Retired => KeyState::Retired,
                State::Compromised => KeyState::Compromised,
            },
            not_before: moment(held.validity.not_before),
            not_after: moment(held.validity.not_after),
            items: census.map(|census| census.get(&fingerprint).copied().unwrap_or(0)),
            fingerprint,
        }
    });
    PublishedKeys {
        keys: keys.collect(),
    }
}

fn moment(time: SystemTime) -> String {
    Timestamp::try_from(time)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

fn word(state: KeyState) -> &'static str {
    match state {
        KeyState::Current => "current",
        KeyState::Active => "active",
        KeyState::Retired => "retired",
        KeyState::Compromised => "compromised",
        KeyState::Unknown => "unknown",
    }
}

/// The ConfigMap that holds all of it.
fn config_map(namespace: &str, set: &KeySet, published: &PublishedKeys) -> ConfigMap {
    let certificates = set.held.iter().map(|held| {
        (
            certificate_file(&held.fingerprint),
            held.certificate.clone(),
        )
    });
    let index = (KEYS_FILE.to_owned(), published.to_json());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(CONFIG_MAP_NAME.to_owned()),
            namespace: Some(namespace.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(certificates.chain([index]).collect()),
        ..ConfigMap::default()
    }
}

/// Until the census is complete, what was counted before stands.
fn counted_before(published: PublishedKeys, present: Option<&ConfigMap>) -> PublishedKeys {
    let index = present.and_then(|present| present.data.as_ref()?.get(KEYS_FILE));
    let before = index.and_then(|json| PublishedKeys::parse(json).ok());
    let before = before.unwrap_or_default().keys;
    let items_of = |fingerprint: &str| {
        let key = before.iter().find(|key| key.fingerprint == fingerprint);
        key.and_then(|key| key.items)
    };
    let keys = published.keys.into_iter().map(|key| PublishedKey {
        items: key.items.or_else(|| items_of(&key.fingerprint)),
        ..key
    });
    PublishedKeys {
        keys: keys.collect(),
    }
}

/// Writes the ConfigMap unless it says all of this already.
async fn write(
    api: &Api<ConfigMap>,
    namespace: &str,
    set: &KeySet,
    published: &PublishedKeys,
) -> Result<(), kube::Error> {
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let present = api.get_opt(CONFIG_MAP_NAME).await?;
    let published = counted_before(published.clone(), present.as_ref());
    let wanted = config_map(namespace, set, &published);
    match present {
        None => {
            api.create(&parameters, &wanted).await?;
            info!(
                config_map = CONFIG_MAP_NAME,
                "the certificates are published"
            );
        }
        Some(present) if present.data == wanted.data => {}
        Some(present) => {
            let replacing = ConfigMap {
                data: wanted.data,
                binary_data: None,
                ..present
            };
            api.replace(CONFIG_MAP_NAME, &parameters, &replacing)
                .await?;
        }
    }
    Ok(())
}

fn warn_of_retired(published: &PublishedKeys, warned_of: &mut Vec<String>) {
    for key in &published.keys {
        let items = key.items.unwrap_or(0);
        if key.state == KeyState::Retired && items > 0 && !warned_of.contains(&key.fingerprint) {
            warn!(
                fingerprint = key.fingerprint,
                items, "a retired key still holds items; re-seal them before you delete it"
            );
            warned_of.push(key.fingerprint.clone());
        }
    }
}

/// Says each different trouble once.
fn tell(told: &mut Option<String>, error: &kube::Error) {
    let text = redact::api_error(error);
    if told.as_ref() == Some(&text) {
        return;
    }
    if matches!(error, kube::Error::Api(status) if status.code == 403) {
        warn!(
            config_map = CONFIG_MAP_NAME,
            error = text,
            "the certificates are not published: the right to get, create and update this ConfigMap is missing; it starts when granted"
        );
    } else {
        warn!(
            config_map = CONFIG_MAP_NAME,
            error = text,
            "the certificates could not be published; it is tried again"
        );
    }
    *told = Some(text);
}
