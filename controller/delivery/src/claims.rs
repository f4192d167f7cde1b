//! Who wants which object: what keeps two Kustomizations from taking or deleting each other's.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

use crds::kustomization::Kustomization;
use kube::runtime::reflector::Store;

use crate::{
    inventory::{Inventory, ObjectId},
    owner::Owner,
};

/// What every Kustomization has applied, and still had in its revision when it last looked. Clones share it.
///
/// To want an object is not enough: a tenant may want what it has no right to.
#[derive(Clone)]
pub struct Claims {
    held: Arc<Mutex<HashMap<Owner, HashSet<ObjectId>>>>,
    kustomizations: Store<Kustomization>,
}

impl Claims {
    /// No claims yet. `kustomizations` stands in for those that were not looked at yet: they claim their inventories.
    #[must_use]
    pub fn new(kustomizations: Store<Kustomization>) -> Self {
        Self {
            held: Arc::default(),
            kustomizations,
        }
    }

    /// `owner` has looked at its revision: of what it held, it keeps only what it still wants. `recorded` stands in for
    /// what it held, if it did not look before.
    pub fn keep(&self, owner: &Owner, recorded: &Inventory, wanted: &HashSet<ObjectId>) {
        let mut held = self.lock();
        let held = held.entry(owner.clone());
        let held = held.or_insert_with(|| recorded.ids().cloned().collect());
        held.retain(|id| wanted.contains(id));
    }

    /// `owner` has applied these.
    pub fn hold(&self, owner: &Owner, applied: impl IntoIterator<Item = ObjectId>) {
        self.lock()
            .entry(owner.clone())
            .or_default()
            .extend(applied);
    }

    /// `owner` has found that these are not its own.
    pub fn release<'a>(&self, owner: &Owner, ids: impl IntoIterator<Item = &'a ObjectId>) {
        if let Some(held) = self.lock().get_mut(owner) {
            for id in ids {
                held.remove(id);
            }
        }
    }

    /// `owner` is gone.
    pub fn forget(&self, owner: &Owner) {
        self.lock().remove(owner);
    }

    /// Whether `owner` exists and holds the object.
    #[must_use]
    pub fn has(&self, owner: &Owner, id: &ObjectId) -> bool {
        let Some(kustomization) = self.kustomizations.get(&owner.reference()) else {
            return false;
        };
        if kustomization.metadata.deletion_timestamp.is_some() {
            return false;
        }
        if let Some(held) = self.lock().get(owner) {
            return held.contains(id);
        }
        let status = kustomization.status.as_ref();
        let entries = status
            .and_then(|status| status.inventory.as_ref())
            .map(|inventory| inventory.entries.as_slice());
        Inventory::from_entries(entries.unwrap_or_default()).contains(id)
    }

    /// Somebody other than `owner` who holds the object and has looked at its own revision.
    #[must_use]
    pub fn rival(&self, owner: &Owner, id: &ObjectId) -> Option<Owner> {
        let candidates: Vec<Owner> = {
            let held = self.lock();
            let others = held
                .iter()
                .filter(|(other, ids)| *other != owner && ids.contains(id));
            others.map(|(other, _)| other.clone()).collect()
        };
        candidates.into_iter().find(|other| self.has(other, id))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Owner, HashSet<ObjectId>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crds::kustomization::InventoryEntry;
    use kube::runtime::{reflector, watcher::Event};

    use super::*;

    fn kustomization(name: &str, inventory: &[&str]) -> Kustomization {
        let mut kustomization = Kustomization::new(name, Default::default());
        kustomization.metadata.namespace = Some("ns".into());
        let entries = inventory
            .iter()
            .map(|id| InventoryEntry {
                id: (*id).into(),
                v: "v1".into(),
            })
            .collect();
        let inventory = Some(crds::kustomization::Inventory { entries });
        kustomization.status = Some(crds::kustomization::KustomizationStatus {
            inventory,
            ..Default::default()
        });
        kustomization
    }

    fn owner(name: &str) -> Owner {
        Owner {
            namespace: "ns".into(),
            name: name.into(),
        }
    }

    #[test]
    fn a_claim_is_what_was_applied_and_before_that_the_inventory() {
        let (store, mut writer) = reflector::store();
        for name in ["one", "two"] {
            writer.apply_watcher_event(&Event::Apply(kustomization(name, &["ns_a__ConfigMap"])));
        }
        let claims = Claims::new(store);
        let a: ObjectId = "ns_a__ConfigMap".parse().unwrap();
        assert!(claims.has(&owner("one"), &a) && !claims.has(&owner("missing"), &a));
        assert_eq!(claims.rival(&owner("one"), &a), None);
        let recorded: Inventory = [(a.clone(), "v1".to_owned())].into_iter().collect();
        claims.keep(&owner("one"), &recorded, &HashSet::new());
        claims.keep(&owner("two"), &recorded, &HashSet::from([a.clone()]));
        assert!(!claims.has(&owner("one"), &a));
        assert_eq!(claims.rival(&owner("one"), &a), Some(owner("two")));
        assert_eq!(claims.rival(&owner("two"), &a), None);
        claims.release(&owner("two"), [&a]);
        assert_eq!(claims.rival(&owner("one"), &a), None);
        claims.hold(&owner("two"), [a.clone()]);
        assert_eq!(claims.rival(&owner("one"), &a), Some(owner("two")));
        let mut deleted = kustomization("two", &[]);
        deleted.metadata.deletion_timestamp = Some(
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        );
        writer.apply_watcher_event(&Event::Apply(deleted));
        assert_eq!(claims.rival(&owner("one"), &a), None);
    }

    #[test]
    fn to_want_an_object_is_no_claim() {
        let (store, mut writer) = reflector::store();
        for (name, inventory) in [("one", &["ns_a__ConfigMap"][..]), ("tenant", &[])] {
            writer.apply_watcher_event(&Event::Apply(kustomization(name, inventory)));
        }
        let claims = Claims::new(store);
        let a: ObjectId = "ns_a__ConfigMap".parse().unwrap();
        let wanted = HashSet::from([a.clone()]);
        claims.keep(&owner("tenant"), &Inventory::default(), &wanted);
        assert_eq!(claims.rival(&owner("one"), &a), None);
        assert!(!claims.has(&owner("tenant"), &a));
    }
}
