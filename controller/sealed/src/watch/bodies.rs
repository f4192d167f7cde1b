//! SealedSecrets that have just come, held until they are worked on: the watch has brought them
//! whole, so they need not be asked for once more.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crds::sealed_secret::{SealedSecret, SealedSecretSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::value::RawValue;

use super::Watched;
use crate::place::Place;

/// So many bytes of them are held together. What comes beyond that is asked for when its turn
/// comes, so that a listing of thousands does not stand in memory at once.
const MOST: usize = 4 << 20;

/// What every body needs besides its texts: maps, names, times.
const OVERHEAD: usize = 1 << 10;

/// The held SealedSecrets, each until its first look.
#[derive(Default)]
pub(crate) struct Bodies {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    bodies: HashMap<Place, Body>,
}

struct Body {
    metadata: ObjectMeta,
    spec: Option<Box<RawValue>>,
}

impl Bodies {
    /// Takes the spec out of what came, and holds it if it is news. What its status has already
    /// answered is most likely as it should be, and nobody will ask.
    pub(crate) fn hold(&self, watched: &mut Watched) {
        let spec = watched.spec.take();
        let place = Place::of(watched);
        let mut held = self.held();
        held.release(&place);
        if watched.status.observed_generation == Some(watched.generation()) {
            return;
        }
        let metadata = ObjectMeta {
            managed_fields: None,
            ..watched.metadata.clone()
        };
        held.keep(place, Body { metadata, spec });
    }

    /// The SealedSecret, if it is held and still what is watched. It is not held any more.
    pub(crate) fn take(&self, watched: &Watched) -> Option<SealedSecret> {
        let body = self.held().release(&Place::of(watched))?;
        if body.metadata.resource_version != watched.metadata.resource_version {
            return None;
        }
        // What is malformed is asked for once more, and the answer to that tells what is wrong.
        let spec = match body.spec {
            Some(spec) => serde_json::from_str(spec.get()).ok()?,
            None => SealedSecretSpec::default(),
        };
        Some(SealedSecret {
            metadata: body.metadata,
            spec,
            status: Some(watched.status.clone()),
        })
    }

    /// Forgets one that went.
    pub(crate) fn forget(&self, place: &Place) {
        self.held().release(place);
    }

    /// Forgets all that are not there any more.
    pub(crate) fn retain(&self, is_there: impl Fn(&Place) -> bool) {
        let mut held = self.held();
        held.bodies.retain(|place, _| is_there(place));
        held.bytes = held.bodies.values().map(Body::size).sum();
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn keep(&mut self, place: Place, body: Body) {
        let bytes = self.bytes.saturating_add(body.size());
        if bytes <= MOST {
            self.bytes = bytes;
            self.bodies.insert(place, body);
        }
    }

    fn release(&mut self, place: &Place) -> Option<Body> {
        let body = self.bodies.remove(place)?;
        self.bytes = self.bytes.saturating_sub(body.size());
        Some(body)
    }
}

impl Body {
    fn size(&self) -> usize {
        let spec = self.spec.as_ref().map_or(0, |spec| spec.get().len());
        let maps = [&self.metadata.annotations, &self.metadata.labels];
        let texts = maps.into_iter().flatten().flatten();
        let texts: usize = texts.map(|(key, value)| key.len() + value.len()).sum();
        OVERHEAD + spec + texts
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn came(name: &str, version: &str, ciphertext: &str) -> Watched {
        let text = json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {
                "name": name, "namespace": "a", "uid": "u", "generation": 1,
                "resourceVersion": version, "annotations": {"signet.dev/sealed-with": "{}"},
                "managedFields": [{"manager": "kubectl"}],
            },
            "spec": {"encryptedData": {"item": ciphertext}},
        });
        serde_json::from_str(&text.to_string()).unwrap()
    }

    #[test]
    fn what_came_is_taken_once_and_whole() {
        let bodies = Bodies::default();
        let mut watched = came("x", "7", "c");
        bodies.hold(&mut watched);
        assert!(watched.spec.is_none(), "the store would keep it");
        let sealed = bodies.take(&watched).unwrap();
        assert_eq!(sealed.spec.encrypted_data["item"], "c");
        assert_eq!(sealed.metadata.annotations.unwrap().len(), 1);
        assert!(sealed.metadata.managed_fields.is_none());
        assert!(bodies.take(&watched).is_none());
        assert_eq!(bodies.held().bytes, 0);
    }

    #[test]
    fn what_is_out_of_date_is_not_used() {
        let bodies = Bodies::default();
        let mut watched = came("x", "7", "c");
        bodies.hold(&mut watched);
        bodies.hold(&mut came("x", "8", "d"));
        assert!(bodies.take(&watched).is_none());
    }

    #[test]
    fn what_the_status_has_answered_is_not_held() {
        let bodies = Bodies::default();
        bodies.hold(&mut came("x", "7", "c"));
        let mut answered = came("x", "8", "c");
        answered.status.observed_generation = Some(1);
        bodies.hold(&mut answered);
        assert!(bodies.held().bodies.is_empty());
    }

    #[test]
    fn what_is_malformed_is_left_to_the_api_server_to_tell() {
        let bodies = Bodies::default();
        let mut watched = came("x", "7", "c");
        watched.spec = Some(RawValue::from_string("[7]".into()).unwrap());
        bodies.hold(&mut watched);
        assert!(bodies.take(&watched).is_none());
    }

    #[test]
    fn no_more_is_held_than_is_allowed() {
        let bodies = Bodies::default();
        let ciphertext = "c".repeat(MOST / 8);
        let mut all: Vec<_> = (0..10)
            .map(|number| came(&number.to_string(), "7", &ciphertext))
            .collect();
        all.iter_mut().for_each(|watched| bodies.hold(watched));
        assert!(bodies.held().bytes <= MOST);
        assert_eq!(bodies.held().bodies.len(), 7);
        bodies.forget(&Place::new("a", "0"));
        bodies.retain(|place| place.name == "1");
        assert_eq!(bodies.held().bodies.len(), 1);
        assert!(bodies.take(&all[1]).is_some());
        assert_eq!(bodies.held().bytes, 0);
    }
}
