//! One well-formed stream of SealedSecrets from one watch, or from one for each namespace.

use std::sync::Arc;

use crds::sealed_secret::SealedSecret;
use futures::{Stream, StreamExt as _, stream};
use kit::{Context, Namespaces, relisting};
use kube::{
    Api, Client,
    runtime::{
        WatchStreamExt as _,
        reflector::Store,
        watcher::{self, Config, Event},
    },
};

use super::{Bodies, FEATURE, Watched, allowed::until_allowed};

/// A page of SealedSecrets is decoded as a whole, ciphertexts and all.
const PAGE: u32 = 100;

/// The SealedSecrets of these namespaces, pruned, as one stream of events for `store`. What is new of
/// them is held in `bodies`.
pub(crate) fn sealed_secrets(
    context: &Context,
    namespaces: &Namespaces,
    selector: Option<&str>,
    bodies: &Arc<Bodies>,
    store: &Store<Watched>,
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
            let of = namespace.map(str::to_owned);
            let events = before
                .chain(kube::runtime::watcher(api, config.clone()))
                .default_backoff()
                .modify(move |watched| {
                    bodies.hold(watched);
                    watched.prune();
                });
            relisting::as_changes_in(of, events, store.clone())
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
/// `InitDone` comes when every watch has listed. Later listings come as what they change.
struct Merge {
    /// Whether each watch has listed.
    listed: Vec<bool>,
    started: bool,
    done: bool,
}

impl Merge {
    fn new(watches: usize) -> Self {
        Self {
            listed: vec![false; watches],
            started: false,
            done: false,
        }
    }

    fn take(&mut self, index: usize, event: Event<Watched>) -> Vec<Event<Watched>> {
        // With one watch there is nothing to merge.
        if self.listed.len() == 1 {
            return vec![event];
        }
        let mut events = Vec::new();
        if !self.started {
            self.started = true;
            events.push(Event::Init);
        }
        match event {
            Event::Init => {}
            Event::InitApply(object) | Event::Apply(object) if !self.done => {
                events.push(Event::InitApply(object));
            }
            Event::InitApply(object) | Event::Apply(object) => events.push(Event::Apply(object)),
            Event::InitDone => {
                self.listed[index] = true;
                if !self.done && self.listed.iter().all(|listed| *listed) {
                    self.done = true;
                    events.push(Event::InitDone);
                }
            }
            Event::Delete(object) => events.push(Event::Delete(object)),
        }
        events
    }
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
    fn one_watch_passes_through() {
        let mut merge = Merge::new(1);
        assert_eq!(told(&mut merge, 0, Event::Init), ["Init"]);
        assert_eq!(told(&mut merge, 0, Event::InitDone), ["InitDone"]);
        assert_eq!(told(&mut merge, 0, Event::Init), ["Init"]);
    }
}
