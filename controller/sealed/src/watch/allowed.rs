//! Namespaces that may not be looked at (yet), among others that may.

use futures::{Stream, StreamExt as _, future::ready, stream};
use kit::{Context, Namespaces, presence};
use kube::Resource;

/// What comes before the events of one namespace: nothing where `K` may be listed in it, and otherwise
/// `instead`, what an empty namespace would tell, and then nothing until it may be.
///
/// A namespace that is not there (yet), nor the role in it that would let us look, does not keep the
/// others waiting so (`controller.go`, `NewController` goes on without it as well).
pub(super) fn until_allowed<K: Resource<DynamicType = ()>, T: Send + 'static>(
    context: &Context,
    feature: &'static str,
    namespace: Option<&str>,
    instead: Vec<T>,
) -> impl Stream<Item = T> + Send + use<K, T> {
    let context = context.clone();
    let namespace = namespace.map(str::to_owned);
    let refused = async move {
        let namespace = namespace?;
        let is_refused = presence::is_refused::<K>(&context.client, &namespace).await;
        is_refused.then_some((context, namespace, instead))
    };
    stream::once(refused)
        .filter_map(ready)
        .flat_map(move |(context, namespace, instead)| {
            let waiting = async move {
                let feature = format!("{feature} in the namespace {namespace}");
                let only = Namespaces::Only(vec![namespace]);
                // At the shutdown nobody asks for the events that would follow.
                let _stopped = presence::served::<K>(&context, &feature, &only).await;
                None
            };
            stream::iter(instead).chain(stream::once(waiting).filter_map(ready))
        })
}
