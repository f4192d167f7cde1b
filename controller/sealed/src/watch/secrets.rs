//! What is known of every Secret without having read one.
//!
//! Secrets are watched as metadata, and of that only a few words are kept: whether it is there,
//! which version, and whose it is.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crds::sealed_secret::MANAGED;
use k8s_openapi::api::core::v1::Secret;
use kit::target::Written;
use kube::{ResourceExt as _, core::PartialObjectMeta};

use crate::place::Place;

pub(super) type Meta = PartialObjectMeta<Secret>;

/// How long a Secret that was not ours stays away after somebody has deleted it. Who deletes it may
/// be about to make another one; the incumbent's suite asserts that we do not interfere at once.
const LEFT_ALONE: Duration = Duration::from_secs(3);

/// A Secret as far as its metadata tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) uid: String,
    pub(crate) resource_version: String,
    controlled_by_sealed_secret: bool,
    managed: bool,
}

impl Sighting {
    fn of(meta: &Meta) -> Self {
        let controller = meta
            .owner_references()
            .iter()
            .find(|owner| owner.controller == Some(true));
        Self {
            uid: meta.uid().unwrap_or_default(),
            resource_version: meta.resource_version().unwrap_or_default(),
            controlled_by_sealed_secret: controller.is_some_and(|owner| {
                owner.kind == "SealedSecret" && owner.api_version.starts_with("bitnami.com/")
            }),
            managed: meta
                .annotations()
                .get(MANAGED)
                .is_some_and(|value| value == "true"),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_test(uid: &str, resource_version: &str) -> Self {
        Self {
            uid: uid.into(),
            resource_version: resource_version.into(),
            controlled_by_sealed_secret: false,
            managed: false,
        }
    }

    /// Whether this is the version that we wrote.
    pub(crate) fn is(&self, uid: &str, resource_version: &str) -> bool {
        self.uid == uid && self.resource_version == resource_version
    }

    /// Resource versions of one kind count up over all its objects, whatever their uid.
    fn is_older_than(&self, other: &Self) -> bool {
        let number = |text: &str| text.parse::<u64>().ok();
        match (
            number(&self.resource_version),
            number(&other.resource_version),
        ) {
            (Some(mine), Some(theirs)) => mine < theirs,
            _ => false,
        }
    }
}

/// What is known about the Secret at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Look {
    /// Secrets are not watched there, or not listed yet: it has to be read.
    Unknown,
    /// There is none.
    Absent,
    /// There is none since somebody deleted one that was not ours; it is left so for this long.
    LeftAlone(Duration),
    /// It is there.
    Present(Sighting),
}

/// All Secrets that are watched.
#[derive(Default)]
pub(crate) struct SecretIndex {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    everywhere: bool,
    listed: HashSet<String>,
    secrets: HashMap<Place, Sighting>,
    left_alone: HashMap<Place, Instant>,
}

impl SecretIndex {
    pub(crate) fn look(&self, place: &Place) -> Look {
        self.look_at(place, Instant::now())
    }

    fn look_at(&self, place: &Place, now: Instant) -> Look {
        let mut state = self.state();
        if !state.everywhere && !state.listed.contains(&place.namespace) {
            return Look::Unknown;
        }
        if let Some(sighting) = state.secrets.get(place) {
            return Look::Present(sighting.clone());
        }
        match state
            .left_alone
            .get(place)
            .map(|until| until.saturating_duration_since(now))
        {
            Some(wait) if !wait.is_zero() => Look::LeftAlone(wait),
            Some(_) => {
                state.left_alone.remove(place);
                Look::Absent
            }
            None => Look::Absent,
        }
    }

    /// Notes our own write, so that an event from before it does not look like a foreign edit.
    pub(crate) fn wrote(&self, place: &Place, secret: &Secret, written: &Written) {
        let mut sighting = Sighting::of(&Meta {
            types: None,
            metadata: secret.metadata.clone(),
            _phantom: std::marker::PhantomData,
        });
        sighting.uid.clone_from(&written.uid);
        sighting
            .resource_version
            .clone_from(&written.resource_version);
        let mut state = self.state();
        if state.everywhere || state.listed.contains(&place.namespace) {
            state.left_alone.remove(place);
            state.secrets.insert(place.clone(), sighting);
        }
    }

    /// Takes one object of the watch over. Returns whether it told anything new.
    pub(super) fn saw(&self, meta: &Meta) -> Option<Place> {
        let place = place(meta);
        let sighting = Sighting::of(meta);
        let mut state = self.state();
        let known = state.secrets.get(&place);
        if known.is_some_and(|known| *known == sighting || sighting.is_older_than(known)) {
            return None;
        }
        state.left_alone.remove(&place);
        state.secrets.insert(place.clone(), sighting);
        Some(place)
    }

    pub(super) fn deleted(&self, meta: &Meta, now: Instant) -> Option<Place> {
        let place = place(meta);
        let gone = Sighting::of(meta);
        let mut state = self.state();
        let known = state.secrets.get(&place)?;
        // One of the same name that came later is still there.
        if known.uid != gone.uid && gone.is_older_than(known) {
            return None;
        }
        let removed = state.secrets.remove(&place);
        if removed.is_some_and(|known| !known.controlled_by_sealed_secret && !known.managed) {
            state.left_alone.retain(|_, until| *until > now);
            state.left_alone.insert(place.clone(), now + LEFT_ALONE);
        }
        Some(place)
    }

    /// Ends a listing: what it did not name is gone.
    pub(super) fn listed(&self, namespace: Option<&str>, named: &HashSet<Place>) -> Vec<Place> {
        let mut state = self.state();
        let is_here =
            |place: &Place| namespace.is_none_or(|namespace| namespace == place.namespace);
        let gone: Vec<Place> = state
            .secrets
            .keys()
            .filter(|place| is_here(place) && !named.contains(*place))
            .cloned()
            .collect();
        for place in &gone {
            state.secrets.remove(place);
        }
        match namespace {
            None => state.everywhere = true,
            Some(namespace) => {
                state.listed.insert(namespace.to_owned());
            }
        }
        gone
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn place(meta: &Meta) -> Place {
    Place::new(meta.namespace().unwrap_or_default(), meta.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn meta(uid: &str, version: u64, more: serde_json::Value) -> Meta {
        let mut metadata = json!({
            "namespace": "a", "name": "x", "uid": uid, "resourceVersion": version.to_string(),
        });
        for (key, value) in more.as_object().unwrap() {
            metadata[key] = value.clone();
        }
        serde_json::from_value(json!({ "metadata": metadata })).unwrap()
    }

    fn owned(kind: &str, api_version: &str) -> serde_json::Value {
        json!({"ownerReferences": [{
            "apiVersion": api_version, "kind": kind, "name": "x", "uid": "o", "controller": true,
        }]})
    }

    fn listed() -> (SecretIndex, Place) {
        let index = SecretIndex::default();
        index.listed(None, &HashSet::new());
        (index, Place::new("a", "x"))
    }

    #[test]
    fn nothing_is_known_before_the_first_listing_of_the_namespace() {
        let (index, place) = (SecretIndex::default(), Place::new("a", "x"));
        assert_eq!(index.look(&place), Look::Unknown);
        index.listed(Some("b"), &HashSet::new());
        assert_eq!(index.look(&place), Look::Unknown);
        index.listed(Some("a"), &HashSet::new());
        assert_eq!(index.look(&place), Look::Absent);
    }

    #[test]
    fn a_deleted_secret_of_somebody_else_is_left_alone_for_a_while() {
        let (index, place) = listed();
        let foreign = meta("u", 5, json!({}));
        index.saw(&foreign);
        let now = Instant::now();
        assert_eq!(index.deleted(&foreign, now), Some(place.clone()));
        assert_eq!(index.look_at(&place, now), Look::LeftAlone(LEFT_ALONE));
        assert_eq!(index.look_at(&place, now + LEFT_ALONE), Look::Absent);
    }

    #[test]
    fn a_deleted_secret_of_ours_or_a_managed_one_is_simply_absent() {
        for more in [
            owned("SealedSecret", "bitnami.com/v1alpha1"),
            json!({"annotations": {MANAGED: "true"}}),
        ] {
            let (index, place) = listed();
            let ours = meta("u", 5, more);
            index.saw(&ours);
            index.deleted(&ours, Instant::now());
            assert_eq!(index.look(&place), Look::Absent);
        }
    }

    #[test]
    fn an_event_from_before_our_own_write_tells_nothing() {
        let (index, place) = listed();
        let written = Written {
            uid: "new".into(),
            resource_version: "9".into(),
        };
        index.wrote(&place, &Secret::default(), &written);
        assert_eq!(index.saw(&meta("old", 7, json!({}))), None);
        assert_eq!(
            index.deleted(&meta("old", 8, json!({})), Instant::now()),
            None
        );
        assert!(matches!(index.look(&place), Look::Present(seen) if seen.is("new", "9")));
        assert_eq!(index.saw(&meta("new", 10, json!({}))), Some(place));
    }

    #[test]
    fn a_relisting_forgets_what_it_does_not_name() {
        let (index, place) = listed();
        index.saw(&meta("u", 5, json!({})));
        assert!(index.listed(Some("b"), &HashSet::new()).is_empty());
        assert_eq!(
            index.listed(None, &HashSet::new()),
            std::slice::from_ref(&place)
        );
        assert_eq!(index.look(&place), Look::Absent);
    }
}
