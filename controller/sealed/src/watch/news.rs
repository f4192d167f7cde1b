//! Watching Secrets, into the index and as news of what changed.

use std::{collections::HashSet, time::Instant};

use futures::{Stream, StreamExt as _, stream};
use k8s_openapi::api::core::v1::Secret;
use kit::{Context, Namespaces};
use kube::{
    Api,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event},
    },
};

use super::{
    NOTICING,
    allowed::until_allowed,
    secrets::{Meta, SecretIndex, place},
};
use crate::place::Place;

/// Metadata is small, but there may be many Secrets.
const PAGE: u32 = 250;

/// What the watch has to say.
pub(crate) enum News {
    /// The Secret at this place came, changed or went.
    Changed(Place),
    /// The first listing of every watch is done.
    Listed,
}

/// Keeps the index up to date. The stream tells where something changed, and errors as they come.
pub(crate) fn watch_secrets<'a>(
    context: &Context,
    namespaces: &Namespaces,
    index: &'a SecretIndex,
) -> impl Stream<Item = watcher::Result<News>> + Send + use<'a> {
    let namespaces: Vec<Option<String>> = match namespaces {
        Namespaces::All => vec![None],
        Namespaces::Only(names) => names.iter().cloned().map(Some).collect(),
    };
    let mut unlisted = namespaces.len();
    let is_one_of_several = unlisted > 1;
    let watches: Vec<_> = namespaces
        .into_iter()
        .map(|namespace| {
            let api: Api<Meta> = match &namespace {
                None => Api::all(context.client.clone()),
                Some(namespace) => Api::namespaced(context.client.clone(), namespace),
            };
            let one = namespace.as_deref().filter(|_| is_one_of_several);
            let nothing = vec![Ok(Followed {
                first_listing: true,
                ..Followed::default()
            })];
            let before = until_allowed::<Secret, _>(context, NOTICING, one, nothing);
            let mut follow = Follow {
                index,
                namespace,
                named: HashSet::new(),
                listed: false,
            };
            let events = kube::runtime::watcher(api, Config::default().page_size(PAGE))
                .default_backoff()
                .map(move |event| event.map(|event| follow.take(event)));
            before.chain(events).boxed()
        })
        .collect();
    stream::select_all(watches).flat_map(move |followed| {
        let news = match followed {
            Err(error) => vec![Err(error)],
            Ok(Followed {
                places,
                first_listing,
            }) => {
                let mut news: Vec<_> = places
                    .into_iter()
                    .map(|place| Ok(News::Changed(place)))
                    .collect();
                unlisted = unlisted.saturating_sub(usize::from(first_listing));
                if first_listing && unlisted == 0 {
                    news.push(Ok(News::Listed));
                }
                news
            }
        };
        stream::iter(news)
    })
}

/// One watch on its way into the index.
struct Follow<'a> {
    index: &'a SecretIndex,
    namespace: Option<String>,
    named: HashSet<Place>,
    listed: bool,
}

#[derive(Default)]
struct Followed {
    places: Vec<Place>,
    first_listing: bool,
}

impl Follow<'_> {
    fn take(&mut self, event: Event<Meta>) -> Followed {
        let mut followed = Followed::default();
        match event {
            Event::Init => self.named.clear(),
            Event::InitApply(meta) => {
                self.named.insert(place(&meta));
                followed.places.extend(self.index.saw(&meta));
            }
            Event::InitDone => {
                let named = std::mem::take(&mut self.named);
                followed.places = self.index.listed(self.namespace.as_deref(), &named);
                followed.first_listing = !self.listed;
                self.listed = true;
            }
            Event::Apply(meta) => followed.places.extend(self.index.saw(&meta)),
            Event::Delete(meta) => {
                followed
                    .places
                    .extend(self.index.deleted(&meta, Instant::now()));
            }
        }
        followed
    }
}
