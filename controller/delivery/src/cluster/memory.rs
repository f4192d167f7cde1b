//! How objects looked after our last write, and how they look now. Pure.

use std::collections::{HashMap, HashSet};

use crds::kustomization::FIELD_MANAGER;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use super::{Fingerprint, live::version_of};
use crate::{inventory::ObjectId, owner::Owner};

/// What is known of objects.
#[derive(Default)]
pub(super) struct Memory {
    /// How objects looked after we applied them.
    left: HashMap<ObjectId, Known>,
    /// How objects look now.
    seen: HashMap<ObjectId, Seen>,
    /// Who waits for any change of an object, its status too.
    waited_for: HashMap<ObjectId, HashSet<Owner>>,
}

/// Group and kind. Whatever version it is watched in, the objects are the same.
pub(super) type Kind = (String, String);

/// An object as we left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Whose it is.
    pub owner: Owner,
    /// A digest of what was applied; `None` when only an earlier process knew it.
    pub desired: Option<String>,
    /// How it looked then.
    pub fingerprint: Fingerprint,
    /// Its resourceVersion then; zero when only an earlier process knew it.
    pub version: u64,
}

struct Seen {
    fingerprint: Fingerprint,
    version: u64,
    rival: String,
}

/// How an object stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As we left it, with this digest of what was applied, if known.
    AsLeft(Option<String>),
    /// Somebody changed it; the name of the field manager.
    Changed(String),
    /// It is gone.
    Gone,
    /// It was not applied by us, or is not watched: one has to look.
    Unknown,
}

impl Memory {
    /// Remembers how we left an object.
    pub(super) fn left(&mut self, id: &ObjectId, known: Known) {
        let seen = Seen {
            fingerprint: known.fingerprint.clone(),
            version: known.version,
            rival: String::new(),
        };
        let newer = self
            .seen
            .get(id)
            .is_none_or(|old| old.version <= seen.version);
        // What an earlier process left has no version, and is not seen until the watch shows it.
        if newer && known.version > 0 {
            self.seen.insert(id.clone(), seen);
        }
        self.left.insert(id.clone(), known);
    }

    /// Forgets an object, if it is `owner`'s.
    pub(super) fn forget(&mut self, id: &ObjectId, owner: &Owner) {
        let known = self.left.get(id);
        if known.is_some_and(|known| known.owner == *owner) {
            self.left.remove(id);
        }
    }

    /// `owner` waits for any change of these, and of no others any more.
    pub(super) fn wait_for(&mut self, owner: &Owner, ids: Vec<ObjectId>) {
        for waiting in self.waited_for.values_mut() {
            waiting.remove(owner);
        }
        for id in ids {
            let waiting = self.waited_for.entry(id).or_default();
            waiting.insert(owner.clone());
        }
        self.waited_for.retain(|_, waiting| !waiting.is_empty());
    }

    /// The resourceVersion that was last seen of an object.
    pub(super) fn version(&self, id: &ObjectId) -> Option<u64> {
        self.seen.get(id).map(|seen| seen.version)
    }

    /// How we left an object.
    pub(super) fn known(&self, id: &ObjectId) -> Option<Known> {
        self.left.get(id).cloned()
    }

    /// How an object of `owner` stands, if all objects of its kind are seen.
    pub(super) fn state(&self, id: &ObjectId, owner: &Owner) -> State {
        let known = self.left.get(id).filter(|known| known.owner == *owner);
        let Some(known) = known else {
            return State::Unknown;
        };
        match self.seen.get(id) {
            None => State::Gone,
            Some(seen) if seen.is_as_left(known) => State::AsLeft(known.desired.clone()),
            Some(seen) => State::Changed(seen.rival.clone()),
        }
    }

    /// An object was seen. Returns whom that concerns.
    pub(super) fn saw(&mut self, id: &ObjectId, metadata: &ObjectMeta) -> Vec<Owner> {
        let seen = Seen {
            fingerprint: Fingerprint::of(&id.group, &id.kind, metadata),
            version: version_of(metadata),
            rival: rival_in(metadata),
        };
        let older = self.seen.get(id);
        if older.is_some_and(|old| old.version > seen.version) {
            return Vec::new();
        }
        let changed = self.left.get(id).filter(|known| !seen.is_as_left(known));
        let changed = changed.map(|known| known.owner.clone());
        let waiting = self.waited_for.get(id).cloned().unwrap_or_default();
        self.seen.insert(id.clone(), seen);
        changed.into_iter().chain(waiting).collect()
    }

    /// An object was deleted. Returns whose it was.
    pub(super) fn deleted(&mut self, id: &ObjectId) -> Option<Owner> {
        self.seen.remove(id);
        self.left.get(id).map(|known| known.owner.clone())
    }

    /// After a list: what is not in it went away while nobody watched. Returns whose it was.
    pub(super) fn listed(&mut self, kind: &Kind, listed: &HashSet<ObjectId>) -> HashSet<Owner> {
        self.seen
            .retain(|id, _| kind_of(id) != *kind || listed.contains(id));
        let gone = self
            .left
            .iter()
            .filter(|(id, _)| kind_of(id) == *kind && !listed.contains(*id));
        gone.map(|(_, known)| known.owner.clone()).collect()
    }
}

impl Seen {
    /// What was seen before our write is no change of it.
    fn is_as_left(&self, known: &Known) -> bool {
        self.fingerprint == known.fingerprint || self.version < known.version
    }
}

/// The kind of an object.
pub(super) fn kind_of(id: &ObjectId) -> Kind {
    (id.group.clone(), id.kind.clone())
}

/// The field manager that wrote last outside of the status, ourselves aside.
fn rival_in(metadata: &ObjectMeta) -> String {
    let entries = metadata.managed_fields.iter().flatten();
    let others = entries.filter(|entry| {
        let ours = entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply");
        !ours && entry.subresource.as_deref() != Some("status")
    });
    let time = |entry: &&ManagedFieldsEntry| entry.time.as_ref().map(|time| time.0);
    let last = others.max_by_key(time);
    last.and_then(|entry| entry.manager.clone())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Bench {
        memory: Memory,
    }

    impl Bench {
        fn saw(&mut self, version: &str) -> Vec<Owner> {
            self.memory.saw(&id(), &metadata(version))
        }

        fn left(&mut self, version: &str) {
            let fingerprint = Fingerprint::of("", "ConfigMap", &metadata(version));
            let known = Known {
                owner: owner(),
                desired: Some("d".into()),
                fingerprint,
                version: version.parse().unwrap(),
            };
            self.memory.left(&id(), known);
        }

        fn state(&self) -> State {
            self.memory.state(&id(), &owner())
        }

        fn listed(&mut self, kind: &str, listed: &[ObjectId]) -> Vec<Owner> {
            let listed = listed.iter().cloned().collect();
            let concerned = self.memory.listed(&(String::new(), kind.into()), &listed);
            concerned.into_iter().collect()
        }
    }

    fn owner() -> Owner {
        Owner {
            namespace: "flux-system".into(),
            name: "apps".into(),
        }
    }

    fn id() -> ObjectId {
        "shop_settings__ConfigMap".parse().unwrap()
    }

    fn metadata(version: &str) -> ObjectMeta {
        serde_json::from_value(json!({"namespace": "shop", "name": "settings", "uid": "u", "resourceVersion": version, "managedFields": [
            {"manager": "kustomize-controller", "operation": "Apply", "time": "2026-01-03T00:00:00Z"},
            {"manager": "older", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
        ]}))
        .unwrap()
    }

    #[test]
    fn our_own_writes_concern_nobody() {
        let mut bench = Bench::default();
        assert!(bench.saw("5").is_empty());
        assert_eq!(bench.state(), State::Unknown);
        bench.left("7");
        assert!(bench.saw("6").is_empty() && bench.saw("7").is_empty());
        assert_eq!(bench.state(), State::AsLeft(Some("d".into())));
    }

    #[test]
    fn a_foreign_edit_and_a_deletion_concern_the_owner() {
        let mut bench = Bench::default();
        bench.left("7");
        assert_eq!(bench.saw("8"), [owner()]);
        assert_eq!(bench.state(), State::Changed("kubectl-edit".into()));
        bench.left("9");
        assert_eq!(bench.state(), State::AsLeft(Some("d".into())));
        assert_eq!(bench.memory.deleted(&id()), Some(owner()));
        assert_eq!(bench.state(), State::Gone);
    }

    #[test]
    fn who_waits_for_an_object_is_concerned_by_every_change_of_it() {
        let mut bench = Bench::default();
        let waiting = Owner {
            name: "waiting".into(),
            ..owner()
        };
        bench.memory.wait_for(&waiting, vec![id()]);
        assert_eq!(bench.saw("5"), std::slice::from_ref(&waiting));
        bench.memory.wait_for(&waiting, Vec::new());
        assert!(bench.saw("6").is_empty());
    }

    #[test]
    fn what_went_away_while_nobody_watched_is_missed() {
        let mut bench = Bench::default();
        bench.left("7");
        assert!(bench.listed("ConfigMap", &[id()]).is_empty());
        assert!(bench.listed("Secret", &[]).is_empty());
        assert_eq!(bench.listed("ConfigMap", &[]), [owner()]);
    }

    #[test]
    fn what_an_earlier_process_left_is_believed_once_it_is_seen() {
        let mut bench = Bench::default();
        let known = Known {
            owner: owner(),
            desired: None,
            fingerprint: Fingerprint::of("", "ConfigMap", &metadata("7")),
            version: 0,
        };
        bench.memory.left(&id(), known);
        assert_eq!(bench.state(), State::Gone);
        assert!(bench.saw("7").is_empty());
        assert_eq!(bench.state(), State::AsLeft(None));
    }
}
