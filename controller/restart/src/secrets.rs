//! Which workloads read which Secrets, and the metadata watch that wakes them.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kit::{Context, Namespaces, presence};
use kube::{
    Api, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use tokio::sync::Notify;
use tracing::debug;

/// How many Secrets one page of a listing holds.
const PAGE: u32 = 100;

/// A workload: its kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Who {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// A Secret: its namespace and name.
type Name = (String, String);

/// Who reads what.
#[derive(Default)]
pub(crate) struct Readers {
    state: Mutex<State>,
    some: HashMap<&'static str, Arc<Notify>>,
}

#[derive(Default)]
struct State {
    by_secret: HashMap<Name, BTreeSet<Who>>,
    by_who: HashMap<Who, BTreeSet<Name>>,
    /// The version of each Secret that somebody reads, as last seen.
    seen: HashMap<Name, String>,
    woken: BTreeSet<Who>,
}

impl Readers {
    /// Readers of these kinds.
    pub(crate) fn new(kinds: &[&'static str]) -> Self {
        let some = kinds
            .iter()
            .map(|kind| (*kind, Arc::<Notify>::default()))
            .collect();
        Self {
            state: Mutex::default(),
            some,
        }
    }

    /// Notes what a workload reads; nothing, where it is gone or no longer asks.
    pub(crate) fn reads(&self, who: &Who, secrets: &BTreeSet<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for old in state.by_who.remove(who).unwrap_or_default() {
            let readers = state.by_secret.get_mut(&old);
            let none_left = readers.is_some_and(|readers| {
                readers.remove(who);
                readers.is_empty()
            });
            if none_left {
                state.by_secret.remove(&old);
                state.seen.remove(&old);
            }
        }
        let names: BTreeSet<Name> = secrets
            .iter()
            .map(|secret| (who.namespace.clone(), secret.clone()))
            .collect();
        for name in &names {
            state
                .by_secret
                .entry(name.clone())
                .or_default()
                .insert(who.clone());
        }
        if !names.is_empty() {
            state.by_who.insert(who.clone(), names);
        }
    }

    /// A Secret is there in this version, or gone. Wakes its readers if that is news.
    fn saw(&self, name: &Name, version: Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(readers) = state.by_secret.get(name).cloned() else {
            return;
        };
        let before = match version.clone() {
            Some(version) => state.seen.insert(name.clone(), version),
            None => state.seen.remove(name),
        };
        if before != version {
            for kind in readers.iter().map(|who| who.kind) {
                if let Some(some) = self.some.get(kind) {
                    some.notify_one();
                }
            }
            state.woken.extend(readers);
        }
    }

    /// The workloads of a kind that are woken, for ever.
    pub(crate) fn woken(self: Arc<Self>, kind: &'static str) -> impl Stream<Item = Who> + Send {
        stream::unfold(self, move |readers| async move {
            loop {
                let next = {
                    let mut state = readers.state.lock().unwrap_or_else(PoisonError::into_inner);
                    let next = state.woken.iter().find(|who| who.kind == kind).cloned();
                    next.inspect(|who| {
                        state.woken.remove(who);
                    })
                };
                match (next, readers.some.get(kind)) {
                    (Some(next), _) => return Some((next, readers)),
                    (None, Some(some)) => Arc::clone(some).notified().await,
                    (None, None) => return None,
                }
            }
        })
    }
}

/// Follows the metadata of Secrets until the shutdown.
pub(crate) async fn watch(context: Context, readers: Arc<Readers>) {
    let feature = "restarts when a Secret changes";
    if presence::served::<Secret>(&context, feature, &Namespaces::All)
        .await
        .is_err()
    {
        return;
    }
    let api: Api<PartialObjectMeta<Secret>> = Api::all(context.client.clone());
    let mut events =
        Box::pin(watcher(api, watcher::Config::default().page_size(PAGE)).default_backoff());
    while let Ok(Some(event)) = context.shutdown.or(events.next()).await {
        match event {
            Ok(Event::Apply(secret) | Event::InitApply(secret)) => {
                readers.saw(&name(&secret), secret.resource_version());
            }
            Ok(Event::Delete(secret)) => readers.saw(&name(&secret), None),
            Ok(Event::Init | Event::InitDone) => {}
            Err(error) => {
                debug!(error = %kit::redact::with_sources(&error), "the watch of Secrets broke");
            }
        }
    }
}

fn name(secret: &PartialObjectMeta<Secret>) -> Name {
    (secret.namespace().unwrap_or_default(), secret.name_any())
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn who(name: &str) -> Who {
        Who {
            kind: "deployment",
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    fn secret(name: &str) -> Name {
        ("ns".into(), name.into())
    }

    #[test]
    fn who_reads_a_secret_that_changed_is_woken_once() {
        let readers = Arc::new(Readers::new(&["deployment"]));
        readers.reads(&who("a"), &["x".to_owned(), "y".to_owned()].into());
        readers.reads(&who("b"), &["y".to_owned()].into());
        let mut woken = Box::pin(Arc::clone(&readers).woken("deployment"));
        readers.saw(&secret("other"), Some("1".into()));
        assert_eq!(woken.next().now_or_never(), None);
        readers.saw(&secret("y"), Some("1".into()));
        readers.saw(&secret("x"), Some("1".into()));
        assert_eq!(woken.next().now_or_never(), Some(Some(who("a"))));
        assert_eq!(woken.next().now_or_never(), Some(Some(who("b"))));
        readers.saw(&secret("y"), Some("1".into()));
        assert_eq!(woken.next().now_or_never(), None, "no news");
        readers.reads(&who("b"), &BTreeSet::new());
        readers.saw(&secret("y"), None);
        assert_eq!(woken.next().now_or_never(), Some(Some(who("a"))));
        assert_eq!(woken.next().now_or_never(), None);
    }
}
