//! Watching the key Secrets. Every replica does, leader or not.

use std::time::Duration;

use crds::sealed_secret::SEALING_KEY;
use futures::StreamExt as _;
use kit::{Context, events::Recorder, redact};
use kube::{
    Api, Client, ResourceExt as _,
    api::ListParams,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event},
    },
};
use tracing::{info, warn};

use super::{KeySecret, Keys};

/// How often the keys are listed where watching them is not allowed.
const POLL: Duration = Duration::from_secs(60);

/// How often they are listed before watching is tried again.
const POLLS: u32 = 10;

/// What the following of keys needs to know.
#[derive(Clone)]
pub(crate) struct Follower {
    pub(crate) context: Context,
    pub(crate) keys: Keys,
    /// The name of the oldest key Secret, which has no label.
    pub(crate) legacy: String,
    /// Whether keys that come later are noticed (`--watch-for-secrets`).
    pub(crate) watch: bool,
    pub(crate) recorder: Recorder,
}

/// Keeps the keys as the cluster has them, until the shutdown.
pub(crate) async fn follow(follower: Follower) {
    let mut told = None;
    loop {
        if follower.watch_until_refused(&mut told).await == Ended::ForGood {
            return;
        }
        for _ in 0..POLLS {
            if follower
                .context
                .shutdown
                .or(tokio::time::sleep(POLL))
                .await
                .is_err()
            {
                return;
            }
            if let Err(error) = follower.list().await {
                tell(&mut told, redact::api_error(&error));
            }
        }
    }
}

#[derive(PartialEq)]
enum Ended {
    ForGood,
    Refused,
}

impl Follower {
    async fn watch_until_refused(&self, told: &mut Option<String>) -> Ended {
        let config = Config::default().labels(SEALING_KEY).page_size(50);
        let mut events = kube::runtime::watcher(self.api(), config)
            .default_backoff()
            .boxed();
        let mut listing = Vec::new();
        while let Ok(Some(event)) = self.context.shutdown.or(events.next()).await {
            match event {
                Ok(Event::Init) => listing.clear(),
                Ok(Event::InitApply(secret)) => listing.push(secret),
                Ok(Event::InitDone) => {
                    self.take_in(std::mem::take(&mut listing)).await;
                    *told = None;
                    if !self.watch {
                        return Ended::ForGood;
                    }
                }
                Ok(Event::Apply(secret)) => self.change(|shelf| shelf.place(secret)).await,
                Ok(Event::Delete(secret)) => {
                    let name = secret.name_any();
                    info!(secret = name, "a sealing key is gone");
                    self.change(move |shelf| shelf.remove(&name)).await;
                }
                Err(watcher::Error::WatchStartFailed(error)) if is_forbidden(&error) => {
                    tell(told, redact::api_error(&error));
                    return Ended::Refused;
                }
                Err(error) => tell(told, redact::foreign(&redact::with_sources(&error))),
            }
        }
        Ended::ForGood
    }

    /// Lists the keys once, past any cache of the API server.
    pub(crate) async fn list(&self) -> Result<(), kube::Error> {
        let listing = self
            .api()
            .list(&ListParams::default().labels(SEALING_KEY))
            .await?;
        self.take_in(listing.items).await;
        Ok(())
    }

    /// Reads the oldest key Secret again, which has no label that could be watched.
    pub(crate) async fn read_legacy(&self) {
        let legacy = self.legacy().await;
        let name = self.legacy.clone();
        self.change(move |shelf| match legacy {
            Some(legacy) => shelf.place(legacy),
            None => shelf.remove_unlabelled(&name),
        })
        .await;
    }

    async fn take_in(&self, listing: Vec<KeySecret>) {
        let legacy = self.legacy().await;
        self.change(move |shelf| {
            if let Some(legacy) = legacy {
                shelf.place(legacy);
            }
            shelf.replace(listing);
        })
        .await;
    }

    async fn legacy(&self) -> Option<KeySecret> {
        // Without the right to read it there is none, as far as we are concerned.
        self.api().get_opt(&self.legacy).await.ok().flatten()
    }

    /// Changes the shelf where reading keys may take a while, and reports what cannot be used.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut super::Shelf) + Send + 'static) {
        let keys = self.keys.clone();
        let changed = tokio::task::spawn_blocking(move || {
            let mut unusable = Vec::new();
            keys.change(|shelf| {
                change(shelf);
                unusable = shelf.take_unusable();
            });
            unusable
        });
        for unusable in changed.await.unwrap_or_default() {
            let message = format!("the sealing key cannot be used: {}", unusable.why);
            warn!(
                secret = unusable.secret.name_any(),
                message, "a key Secret is left out"
            );
            self.recorder
                .warning(&unusable.secret, "KeyUnusable", &message);
        }
    }

    pub(crate) fn api(&self) -> Api<KeySecret> {
        let client: &Client = &self.context.client;
        Api::namespaced(client.clone(), &self.context.namespace)
    }
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// Says each different trouble once.
fn tell(told: &mut Option<String>, error: String) {
    if told.as_ref() != Some(&error) {
        warn!(
            error,
            "sealing keys cannot be watched; what is known of them is used on"
        );
        *told = Some(error);
    }
}
