//! One well-formed stream of SealedSecrets from one watch, or from one for each namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crds::sealed_secret::SealedSecret;
use futures::{Stream, StreamExt as _, stream};
use kit::{Context, Namespaces};
use kube::{
    Api, Client, ResourceExt as _,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event},
    },
};

use super::{Bodies, FEATURE, Watched, allowed::until_allowed};

/// A page of SealedSecrets is decoded as a whole, ciphertexts and all.
const PAGE: u32 = 100;

/// The SealedSecrets of these namespaces, pruned, as one stream of events that a store can follow.
/// What is new of them is held in `bodies`.
pub(crate) fn sealed_secrets(
    context: &Context,
    namespaces: &Namespaces,
    selector: Option<&str>,
    bodies: &Arc<Bodies>,
) -> impl Stream<Item = watcher::Result<Event<Watched>>> + Send + use<> {
    let mut config = Config::default().page_size(PAGE);
    config.label_selector = selector.map(str::to_owned);
    let is_one_of_several = matches!(namespaces, Namespaces::Only(names) if names.len() > 1);
    let watches: Vec<_> = apis(&context.client, namespaces)
        .into_iter()
        .enumerate()
        .map(|(index, api)| {
            let bodies = Arc::clone(bodies);
            let namespace = api.namespace().filter(|_| is_one_of_several);
            let nothing = vec![Ok(Event::Init), Ok(Event::InitDone)];
            let before = until_allowed::<SealedSecret, _>(context, FEATURE, namespace, nothing);
            let events = kube::runtime::watcher(api, config.clone());
            before
                .chain(events)
                .default_backoff()
                .modify(move |watched| {
                    bodies.hold(watched);
                    watched.prune();
                })
                .map(move |event| event.map(|event| (index, event)))
                .boxed()
        })
        .collect();
    let mut merge = Merge::new(watches.len());
    stream::select_all(watches).flat_map(move |event| match event {
        Ok((index, event)) => stream::iter(
            merge
                .take(index, event)
                .into_iter()
                .map(Ok)
                .collect::<Vec<_>>(),
        ),
        Err(error) => stream::iter(vec![Err(error)]),
    })
}

fn apis(client: &Client, namespaces: &Namespaces) -> Vec<Api<Watched>> {
    match namespaces {
        Namespaces::All => vec![Api::all(client.clone())],
        Namespaces::Only(names) => names
            .iter()
            .map(|name| Api::namespaced(client.clone(), name))
            .collect(),
    }
}

/// Makes of several event streams one that follows the protocol of a single watch: the first
/// `InitDone` comes when every watch has listed, and a later relisting of one watch is turned into
/// what it changed, for a store would take it as the listing of all.
struct Merge {
    watches: Vec<OneWatch>,
    started: bool,
    done: bool,
}

#[derive(Default)]
struct OneWatch {
    listed: bool,
    /// What this watch has told us of, by namespace and name.
    present: BTreeMap<(String, String), Watched>,
    relisted: BTreeSet<(String, String)>,
}

impl Merge {
    fn new(watches: usize) -> Self {
        Self {
            watches: std::iter::repeat_with(OneWatch::default)
                .take(watches)
                .collect(),
            started: false,
            done: false,
        }
    }

    fn take(&mut self, index: usize, event: Event<Watched>) -> Vec<Event<Watched>> {
        // With one watch there is nothing to merge, and nothing to remember.
        if self.watches.len() == 1 {
            return vec![event];
        }
        let mut events = Vec::new();
        if !self.started {
            self.started = true;
            events.push(Event::Init);
        }
        match event {
            Event::Init => self.watches[index].relisted.clear(),
            Event::InitApply(object) => {
                self.watches[index].relisted.insert(key(&object));
                events.push(self.seen(index, object));
            }
            Event::InitDone => {
                events.extend(self.gone_since(index));
                self.watches[index].listed = true;
                if !self.done && self.watches.iter().all(|watch| watch.listed) {
                    self.done = true;
                    events.push(Event::InitDone);
                }
            }
            Event::Apply(object) => events.push(self.seen(index, object)),
            Event::Delete(object) => {
                self.watches[index].present.remove(&key(&object));
                events.push(Event::Delete(object));
            }
        }
        events
    }

    fn seen(&mut self, index: usize, object: Watched) -> Event<Watched> {
        let stub = Watched {
            metadata: k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                name: object.metadata.name.clone(),
                namespace: object.metadata.namespace.clone(),
                uid: object.metadata.uid.clone(),
                ..Default::default()
            },
            ..Watched::default()
        };
        self.watches[index].present.insert(key(&object), stub);
        if self.done {
            Event::Apply(object)
        } else {
            Event::InitApply(object)
        }
    }

    /// What the relisting that just ended did not name any more.
    fn gone_since(&mut self, index: usize) -> Vec<Event<Watched>> {
        let watch = &mut self.watches[index];
        let relisted = std::mem::take(&mut watch.relisted);
        let gone: Vec<_> = watch
            .present
            .keys()
            .filter(|key| !relisted.contains(*key))
            .cloned()
            .collect();
        gone.iter()
            .filter_map(|key| watch.present.remove(key))
            .map(Event::Delete)
            .collect()
    }
}

fn key(object: &Watched) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(namespace: &str, name: &str) -> Watched {
        let mut object = Watched::default();
        object.metadata.namespace = Some(namespace.into());
        object.metadata.name = Some(name.into());
        object
    }

    fn told(merge: &mut Merge, index: usize, event: Event<Watched>) -> Vec<String> {
        merge
            .take(index, event)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_listing_is_done_when_every_watch_has_listed() {
        let mut merge = Merge::new(2);
        assert_eq!(told(&mut merge, 0, Event::Init), ["Init"]);
        assert_eq!(
            told(&mut merge, 0, Event::InitApply(object("a", "x"))),
            ["InitApply(x)"]
        );
        assert!(told(&mut merge, 0, Event::InitDone).is_empty());
        assert!(told(&mut merge, 1, Event::Init).is_empty());
        assert_eq!(told(&mut merge, 1, Event::InitDone), ["InitDone"]);
        assert_eq!(
            told(&mut merge, 0, Event::Apply(object("a", "y"))),
            ["Apply(y)"]
        );
    }

    #[test]
    fn a_relisting_of_one_watch_deletes_only_what_that_watch_has_lost() {
        let mut merge = Merge::new(2);
        for (index, namespace) in [(0, "a"), (1, "b")] {
            told(&mut merge, index, Event::Init);
            told(&mut merge, index, Event::InitApply(object(namespace, "x")));
            told(&mut merge, index, Event::InitApply(object(namespace, "y")));
            told(&mut merge, index, Event::InitDone);
        }
        assert!(told(&mut merge, 0, Event::Init).is_empty());
        assert_eq!(
            told(&mut merge, 0, Event::InitApply(object("a", "y"))),
            ["Apply(y)"]
        );
        assert_eq!(told(&mut merge, 0, Event::InitDone), ["Delete(x)"]);
    }

    #[test]
    fn one_watch_passes_through() {
        let mut merge = Merge::new(1);
        assert_eq!(told(&mut merge, 0, Event::Init), ["Init"]);
        assert_eq!(told(&mut merge, 0, Event::InitDone), ["InitDone"]);
        assert_eq!(told(&mut merge, 0, Event::Init), ["Init"]);
    }
}
