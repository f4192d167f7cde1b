//! Listings that come after the first, told as what they change.
//!
//! A watch that was lost too long lists everything again, page by page. A reflector's store takes
//! such a listing in when its last page has come, but a controller is woken for each object as it
//! comes: it would look at what the store had before, find nothing to do, and not be woken again.
//! So whatever is listed again is told as a change of its own, which the store takes in at once.

use std::{collections::HashSet, fmt::Debug};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Resource,
    runtime::{
        reflector::{ObjectRef, Store},
        watcher::{Event, Result},
    },
};

/// The events of a watch, with the first listing as it is, and every later one as `Apply` of what
/// it names and `Delete` of what it does not name any more.
///
/// `store` is the one that these events fill: the adapter stands before `reflect`.
pub fn as_changes<K>(
    events: impl Stream<Item = Result<Event<K>>> + Send,
    store: Store<K>,
) -> impl Stream<Item = Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    as_changes_in(None, events, store)
}

/// The same where several watches, each of one namespace, fill one store: what a listing of
/// `namespace` does not name has gone from there alone. `None` is the watch of all of them.
pub fn as_changes_in<K>(
    namespace: Option<String>,
    events: impl Stream<Item = Result<Event<K>>> + Send,
    store: Store<K>,
) -> impl Stream<Item = Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    let mut listing = Listing {
        store,
        namespace,
        is_first: true,
        named: HashSet::new(),
    };
    events.flat_map(move |event| {
        let told: Vec<_> = match event {
            Ok(event) => listing.step(event).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(told)
    })
}

struct Listing<K: Resource<DynamicType = ()> + 'static> {
    store: Store<K>,
    namespace: Option<String>,
    is_first: bool,
    /// What a later listing has named so far.
    named: HashSet<ObjectRef<K>>,
}

impl<K> Listing<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    fn step(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::InitDone if self.is_first => {
                self.is_first = false;
                vec![Event::InitDone]
            }
            event if self.is_first => vec![event],
            Event::Init => {
                self.named.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.named.insert(ObjectRef::from_obj(&object));
                vec![Event::Apply(object)]
            }
            Event::InitDone => self.gone(),
            event => vec![event],
        }
    }

    fn gone(&mut self) -> Vec<Event<K>> {
        let named = std::mem::take(&mut self.named);
        let is_listed =
            |object: &K| self.namespace.is_none() || object.meta().namespace == self.namespace;
        let known = self.store.state();
        known
            .into_iter()
            .filter(|object| is_listed(object.as_ref()))
            .filter(|object| !named.contains(&ObjectRef::from_obj(object.as_ref())))
            .map(|object| Event::Delete(object.as_ref().clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc, time::Duration};

    use futures::{channel::mpsc, future::ready};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::{
        ResourceExt as _,
        runtime::{Controller, WatchStreamExt as _, controller::Action, reflector},
    };

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.into());
        object.metadata.namespace = Some("a".into());
        object.metadata.resource_version = Some(version.into());
        object
    }

    /// Runs a controller on such a watch. Returns the way to tell it events, and what it looks at.
    fn controller() -> (
        mpsc::UnboundedSender<Result<Event<ConfigMap>>>,
        tokio::sync::mpsc::UnboundedReceiver<String>,
        Store<ConfigMap>,
    ) {
        let (tell, told) = mpsc::unbounded();
        let (store, writer) = reflector::store();
        let events = as_changes(told, store.clone())
            .reflect(writer)
            .touched_objects();
        let (looks, looked) = tokio::sync::mpsc::unbounded_channel();
        let look =
            move |object: Arc<ConfigMap>,
                  looks: Arc<tokio::sync::mpsc::UnboundedSender<String>>| {
                let version = object.resource_version().unwrap_or_default();
                drop(looks.send(format!("{} {version}", object.name_any())));
                ready(Ok::<_, Infallible>(Action::await_change()))
            };
        let running = Controller::for_stream(events, store.clone())
            .run(look, |_, _, _| Action::await_change(), Arc::new(looks))
            .for_each(|_| ready(()));
        tokio::spawn(running);
        (tell, looked, store)
    }

    fn send(tell: &mpsc::UnboundedSender<Result<Event<ConfigMap>>>, events: Vec<Event<ConfigMap>>) {
        for event in events {
            tell.unbounded_send(Ok(event)).unwrap();
        }
    }

    async fn next(looked: &mut tokio::sync::mpsc::UnboundedReceiver<String>) -> String {
        let look = tokio::time::timeout(Duration::from_secs(10), looked.recv());
        look.await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_first_page_is_looked_at_as_it_came_and_not_as_it_was() {
        let (tell, mut looked, _store) = controller();
        let first = vec![
            Event::Init,
            Event::InitApply(object("x", "1")),
            Event::InitDone,
        ];
        send(&tell, first);
        assert_eq!(next(&mut looked).await, "x 1");
        // The second page is still on its way.
        send(&tell, vec![Event::Init, Event::InitApply(object("x", "2"))]);
        assert_eq!(next(&mut looked).await, "x 2");
    }

    #[tokio::test]
    async fn what_a_later_listing_does_not_name_has_gone() {
        let (tell, mut looked, store) = controller();
        let first = vec![
            Event::Init,
            Event::InitApply(object("x", "1")),
            Event::InitApply(object("y", "1")),
            Event::InitDone,
        ];
        send(&tell, first);
        let mut both = [next(&mut looked).await, next(&mut looked).await];
        both.sort();
        assert_eq!(both, ["x 1", "y 1"]);
        // The first of these listings is cut short: what it has named counts for nothing.
        let later = vec![
            Event::Init,
            Event::InitApply(object("x", "2")),
            Event::Init,
            Event::InitApply(object("y", "2")),
            Event::InitApply(object("z", "2")),
            Event::InitDone,
        ];
        send(&tell, later);
        while next(&mut looked).await != "z 2" {}
        let mut names: Vec<_> = store
            .state()
            .iter()
            .map(|object| object.name_any())
            .collect();
        names.sort();
        assert_eq!(names, ["y", "z"]);
    }

    #[test]
    fn a_relisting_of_one_namespace_deletes_only_what_that_namespace_has_lost() {
        let (store, mut writer) = reflector::store();
        for namespace in ["a", "b"] {
            for name in ["x", "y"] {
                let mut object = object(name, "1");
                object.metadata.namespace = Some(namespace.into());
                writer.apply_watcher_event(&Event::Apply(object));
            }
        }
        let mut listing = Listing {
            store,
            namespace: Some("a".into()),
            is_first: false,
            named: HashSet::new(),
        };
        let mut told = |event| -> Vec<_> {
            let told = listing.step(event).into_iter();
            told.map(|event| format!("{event} {:?}", namespace_of(&event)))
                .collect()
        };
        assert!(told(Event::Init).is_empty());
        assert_eq!(
            told(Event::InitApply(object("y", "2"))),
            ["Apply(y) Some(\"a\")"]
        );
        assert_eq!(told(Event::InitDone), ["Delete(x) Some(\"a\")"]);
    }

    fn namespace_of(event: &Event<ConfigMap>) -> Option<&str> {
        match event {
            Event::Apply(object) | Event::InitApply(object) | Event::Delete(object) => {
                object.metadata.namespace.as_deref()
            }
            Event::Init | Event::InitDone => None,
        }
    }

    #[tokio::test]
    async fn an_error_is_handed_on() {
        let (store, _writer) = reflector::store::<ConfigMap>();
        let error = kube::runtime::watcher::Error::NoResourceVersion;
        let events = as_changes(stream::iter([Err(error)]), store);
        let told: Vec<_> = events.collect().await;
        assert!(matches!(told.as_slice(), [Err(_)]));
    }
}
