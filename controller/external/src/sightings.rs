//! What was last seen of the Secrets (or ConfigMaps) that something names.
//!
//! No body is ever here, and no metadata but what decides whether an object has changed: hashes of
//! uid and of the label that says who owns it, and the resourceVersion. A [`Sighting`] is
//! as large whatever the object carries.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::key::Key;

mod sighting;

pub(crate) use sighting::Sighting;

/// What was last seen of the objects that matter.
#[derive(Default)]
pub(crate) struct Sightings {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashMap<Key, Last>,
    /// For each watch that lists anew, what was listed so far. The watch of all namespaces has the
    /// empty name.
    listed: HashMap<String, HashSet<Key>>,
    /// The watches whose listing was complete at least once.
    complete: HashSet<String>,
}

struct Last {
    sighting: Sighting,
    /// Whether the watch has shown it. What only a read has shown is still news for the others.
    watched: bool,
}

impl Sightings {
    /// A listing of a namespace, or of all where it is empty, begins.
    pub(crate) fn begin(&self, namespace: &str) {
        self.state()
            .listed
            .insert(namespace.to_owned(), HashSet::new());
    }

    /// That listing is complete. Returns what has gone since the one before.
    pub(crate) fn end(&self, namespace: &str) -> Vec<Key> {
        let mut state = self.state();
        state.complete.insert(namespace.to_owned());
        let Some(listed) = state.listed.remove(namespace) else {
            return Vec::new();
        };
        let here = |key: &&Key| namespace.is_empty() || key.namespace == namespace;
        let gone = state
            .seen
            .keys()
            .filter(here)
            .filter(|key| !listed.contains(key));
        let gone: Vec<Key> = gone.cloned().collect();
        for key in &gone {
            state.seen.remove(key);
        }
        gone
    }

    /// The watch has shown an object. Says whether that is news. An older version than the one that
    /// is known is none, but in a listing: what a listing shows is what there is, even where the API
    /// server was set back.
    pub(crate) fn saw(&self, name: Key, sighting: Sighting) -> bool {
        let mut state = self.state();
        let listing = state.is_listed(&name);
        let known = state.seen.get(&name);
        if !listing && known.is_some_and(|known| sighting.is_older_than(&known.sighting)) {
            return false;
        }
        let last = Last {
            sighting,
            watched: true,
        };
        let before = state.seen.insert(name, last);
        before.is_none_or(|before| !before.watched || before.sighting != sighting)
    }

    /// A read has shown an object. The watch may have shown a newer version meanwhile: that stays.
    pub(crate) fn read(&self, name: Key, sighting: Sighting) {
        let mut state = self.state();
        state.is_listed(&name);
        let known = state.seen.get(&name);
        if known.is_none_or(|known| known.sighting.is_older_than(&sighting)) {
            let last = Last {
                sighting,
                watched: false,
            };
            state.seen.insert(name, last);
        }
    }

    /// An object is gone, or of no interest any more.
    pub(crate) fn lost(&self, name: &Key) {
        self.state().seen.remove(name);
    }

    /// What was last seen of an object.
    pub(crate) fn of(&self, name: &Key) -> Option<Sighting> {
        self.state().seen.get(name).map(|last| last.sighting)
    }

    /// The Secrets of a namespace that carry this `created-by` label.
    pub(crate) fn created_by(&self, namespace: &str, label: &str) -> Vec<Key> {
        let state = self.state();
        let owned = state.seen.iter().filter(|(name, last)| {
            name.namespace == namespace && last.sighting.is_created_by(label)
        });
        owned.map(|(name, _)| name.clone()).collect()
    }

    /// Whether a whole listing of this namespace was seen, so that what is not here is not there.
    pub(crate) fn complete(&self, namespace: &str) -> bool {
        let state = self.state();
        state.complete.contains("") || state.complete.contains(namespace)
    }

    /// How many objects are remembered.
    pub(crate) fn len(&self) -> usize {
        self.state().seen.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes for the listings under way that an object is there; says whether there is one.
    fn is_listed(&mut self, name: &Key) -> bool {
        let mut under_way = false;
        for watch in ["", name.namespace.as_str()] {
            if let Some(listed) = self.listed.get_mut(watch) {
                listed.insert(name.clone());
                under_way = true;
            }
        }
        under_way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Key {
        Key::new("ns", name)
    }

    fn version(resource_version: &str) -> Sighting {
        Sighting::new("u", resource_version, Some("o"))
    }

    #[test]
    fn a_new_listing_tells_what_has_gone_and_what_is_new() {
        let sightings = Sightings::default();
        assert!(!sightings.complete("ns"));
        sightings.begin("");
        assert!(sightings.saw(name("a"), version("1")) && sightings.saw(name("b"), version("1")));
        assert_eq!(sightings.end(""), []);
        assert!(sightings.complete("ns"));
        sightings.begin("");
        assert!(!sightings.saw(name("a"), version("1")));
        assert_eq!(sightings.end(""), [name("b")]);
        assert!(sightings.saw(name("a"), version("2")));
        assert_eq!(sightings.of(&name("a")), Some(version("2")));
        assert_eq!(sightings.created_by("ns", "o"), [name("a")]);
        assert_eq!(sightings.created_by("other", "o"), []);
        sightings.begin("other");
        assert_eq!(
            sightings.end("other"),
            [],
            "what is in another namespace is not gone"
        );
        sightings.lost(&name("a"));
        assert_eq!((sightings.of(&name("a")), sightings.len()), (None, 0));
    }

    #[test]
    fn an_older_version_is_no_news_but_in_a_listing() {
        let sightings = Sightings::default();
        // 10 is the older one, whatever their texts say.
        assert!(sightings.saw(name("a"), version("10")));
        assert!(!sightings.saw(name("a"), version("9")));
        assert_eq!(sightings.of(&name("a")), Some(version("10")));
        sightings.begin("");
        assert!(sightings.saw(name("a"), version("5")), "set back");
        assert_eq!(sightings.end(""), []);
        assert_eq!(sightings.of(&name("a")), Some(version("5")));
    }

    #[test]
    fn a_read_that_was_overtaken_by_the_watch_changes_nothing() {
        let sightings = Sightings::default();
        sightings.saw(name("a"), version("11"));
        sightings.read(name("a"), version("10"));
        assert_eq!(sightings.of(&name("a")), Some(version("11")));
    }

    /// One store reads a Secret that has just changed. The others that name it have to hear of it.
    #[test]
    fn what_a_read_has_shown_first_is_still_news_when_the_watch_shows_it() {
        let sightings = Sightings::default();
        sightings.saw(name("a"), version("10"));
        sightings.read(name("a"), version("11"));
        assert_eq!(sightings.of(&name("a")), Some(version("11")));
        assert!(sightings.saw(name("a"), version("11")));
        assert!(!sightings.saw(name("a"), version("11")), "once");
    }
}
