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

/// What every Kustomization of this process last found in its revision. Clones share it.
#[derive(Clone)]
pub struct Claims {
    wanted: Arc<Mutex<HashMap<Owner, HashSet<ObjectId>>>>,
    kustomizations: Store<Kustomization>,
}

impl Claims {
    /// No claims yet. `kustomizations` stands in for those that were not looked at yet: they claim their inventories.
    #[must_use]
    pub fn new(kustomizations: Store<Kustomization>) -> Self {
        Self {
            wanted: Arc::default(),
            kustomizations,
        }
    }

    /// Replaces what `owner` wants.
    pub fn set(&self, owner: &Owner, wanted: HashSet<ObjectId>) {
        self.lock().insert(owner.clone(), wanted);
    }

    /// `owner` is gone.
    pub fn forget(&self, owner: &Owner) {
        self.lock().remove(owner);
    }

    /// Whether `owner` exists and wants the object.
    #[must_use]
    pub fn has(&self, owner: &Owner, id: &ObjectId) -> bool {
        let Some(kustomization) = self.kustomizations.get(&owner.reference()) else {
            return false;
        };
        if kustomization.metadata.deletion_timestamp.is_some() {
            return false;
        }
        if let Some(wanted) = self.lock().get(owner) {
            return wanted.contains(id);
        }
        let status = kustomization.status.as_ref();
        let entries = status
            .and_then(|status| status.inventory.as_ref())
            .map(|inventory| inventory.entries.as_slice());
        Inventory::from_entries(entries.unwrap_or_default()).contains(id)
    }

    /// Somebody other than `owner` who wants the object and has looked at its own revision.
    #[must_use]
    pub fn rival(&self, owner: &Owner, id: &ObjectId) -> Option<Owner> {
        let candidates: Vec<Owner> = {
            let wanted = self.lock();
            let others = wanted
                .iter()
                .filter(|(other, ids)| *other != owner && ids.contains(id));
            others.map(|(other, _)| other.clone()).collect()
        };
        candidates.into_iter().find(|other| self.has(other, id))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Owner, HashSet<ObjectId>>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn a_claim_is_the_last_look_at_the_revision_and_before_that_the_inventory() {
        let (store, mut writer) = reflector::store();
        for name in ["one", "two"] {
            writer.apply_watcher_event(&Event::Apply(kustomization(name, &["ns_a__ConfigMap"])));
        }
        let claims = Claims::new(store);
        let a: ObjectId = "ns_a__ConfigMap".parse().unwrap();
        assert!(claims.has(&owner("one"), &a) && !claims.has(&owner("missing"), &a));
        assert_eq!(claims.rival(&owner("one"), &a), None);
        claims.set(&owner("one"), HashSet::new());
        claims.set(&owner("two"), HashSet::from([a.clone()]));
        assert!(!claims.has(&owner("one"), &a));
        assert_eq!(claims.rival(&owner("one"), &a), Some(owner("two")));
        assert_eq!(claims.rival(&owner("two"), &a), None);
        let mut deleted = kustomization("two", &[]);
        deleted.metadata.deletion_timestamp = Some(
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH),
        );
        writer.apply_watcher_event(&Event::Apply(deleted));
        assert_eq!(claims.rival(&owner("one"), &a), None);
    }
}
