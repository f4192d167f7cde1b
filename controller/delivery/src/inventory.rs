//! Flux's inventory: which objects a Kustomization has applied.
//!
//! An entry is `{id, v}`: the id as fluxcd/cli-utils writes it (pkg/object/objmetadata.go), and the version of the API
//! that the object was applied with. `flux tree` and a Flux that takes the cluster back read it.

use std::{cmp::Ordering, collections::BTreeMap, fmt, str::FromStr};

use crds::kustomization::InventoryEntry;

use crate::order;

/// What names one object in a cluster, whatever the version of its API.
///
/// Ordered as objects are applied: by [`order::rank`], then group, kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId {
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The group of the API; empty for the core group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

/// A text that is no inventory id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an inventory id of the form NAMESPACE_NAME_GROUP_KIND: {0}")]
pub struct NotAnId(String);

impl ObjectId {
    /// Names of RBAC objects may hold a colon, which an id cannot (objmetadata.go, `RBACGroupKind`).
    fn may_hold_colons(&self) -> bool {
        self.group == "rbac.authorization.k8s.io"
            && matches!(
                self.kind.as_str(),
                "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding"
            )
    }

    /// Whether every part of it can stand in the path of a request without meaning anything else there. Names come from
    /// repositories, and a `?` or a `..` in one would address another object.
    #[must_use]
    pub fn is_addressable(&self) -> bool {
        let label = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let name = |b: u8| b.is_ascii_alphanumeric() || b"-._:@~!$*()+,;=".contains(&b);
        label(&self.namespace)
            && self.group.split('.').all(label)
            && self.kind.bytes().all(|b| b.is_ascii_alphanumeric())
            && !matches!(self.name.as_str(), "" | "." | "..")
            && self.name.bytes().all(name)
    }

    /// `Kind/namespace/name`, as Flux's messages have it (fluxcd/pkg ssa utils/format.go).
    #[must_use]
    pub fn subject(&self) -> String {
        if self.namespace.is_empty() {
            format!("{}/{}", self.kind, self.name)
        } else {
            format!("{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            namespace,
            name,
            group,
            kind,
        } = self;
        if self.may_hold_colons() {
            let name = name.replace(':', COLON);
            write!(f, "{namespace}_{name}_{group}_{kind}")
        } else {
            write!(f, "{namespace}_{name}_{group}_{kind}")
        }
    }
}

impl FromStr for ObjectId {
    type Err = NotAnId;

    /// Reads what [`fmt::Display`] writes. A name may hold underscores: namespaces, groups and kinds cannot.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let not_an_id = || NotAnId(kit::redact::foreign(text));
        let (namespace, rest) = text.split_once('_').ok_or_else(not_an_id)?;
        let (rest, kind) = rest.rsplit_once('_').ok_or_else(not_an_id)?;
        let (name, group) = rest.rsplit_once('_').ok_or_else(not_an_id)?;
        if name.is_empty() || kind.is_empty() {
            return Err(not_an_id());
        }
        let mut id = Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            group: group.to_owned(),
            kind: kind.to_owned(),
        };
        if id.may_hold_colons() {
            id.name = id.name.replace(COLON, ":");
        }
        Ok(id)
    }
}

impl Ord for ObjectId {
    fn cmp(&self, other: &Self) -> Ordering {
        order::rank(&self.kind)
            .cmp(&order::rank(&other.kind))
            .then_with(|| self.group.cmp(&other.group))
            .then_with(|| self.kind.cmp(&other.kind))
            .then_with(|| self.namespace.cmp(&other.namespace))
            .then_with(|| self.name.cmp(&other.name))
    }
}

impl PartialOrd for ObjectId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The objects of one Kustomization, each with the version of its API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    versions: BTreeMap<ObjectId, String>,
    /// Entries whose id we cannot read. They are kept as they are: to drop one would orphan its object.
    unreadable: Vec<InventoryEntry>,
}

impl Inventory {
    /// Reads the entries of a status.
    #[must_use]
    pub fn from_entries(entries: &[InventoryEntry]) -> Self {
        let mut inventory = Self::default();
        for entry in entries {
            match entry.id.parse() {
                Ok(id) => inventory.insert(id, &entry.v),
                Err(NotAnId(_)) => inventory.unreadable.push(entry.clone()),
            }
        }
        inventory
    }

    /// The entries for a status, in the order of application.
    #[must_use]
    pub fn entries(&self) -> Vec<InventoryEntry> {
        let readable = self.versions.iter().map(|(id, version)| InventoryEntry {
            id: id.to_string(),
            v: version.clone(),
        });
        readable.chain(self.unreadable.iter().cloned()).collect()
    }

    /// Adds an object, or replaces its version.
    pub fn insert(&mut self, id: ObjectId, version: &str) {
        self.versions.insert(id, version.to_owned());
    }

    /// Takes objects out.
    pub fn remove_all(&mut self, ids: &[ObjectId]) {
        for id in ids {
            self.versions.remove(id);
        }
    }

    /// Whether the object is in it.
    #[must_use]
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.versions.contains_key(id)
    }

    /// The version that the object was applied with.
    #[must_use]
    pub fn version(&self, id: &ObjectId) -> Option<&str> {
        self.versions.get(id).map(String::as_str)
    }

    /// All objects, in the order of application.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &ObjectId> {
        self.versions.keys()
    }

    /// Everything of both; where both have an object, with the version of `newer`.
    #[must_use]
    pub fn union(&self, newer: &Self) -> Self {
        let mut union = self.clone();
        for (id, version) in &newer.versions {
            union.insert(id.clone(), version);
        }
        union
    }

    /// What is here and not in `newer`, last applied first: the order of deletion.
    #[must_use]
    pub fn stale(&self, newer: &Self) -> Vec<ObjectId> {
        let stale = self.ids().rev().filter(|id| !newer.contains(id));
        stale.cloned().collect()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.unreadable.is_empty()
    }
}

impl FromIterator<(ObjectId, String)> for Inventory {
    fn from_iter<I: IntoIterator<Item = (ObjectId, String)>>(objects: I) -> Self {
        Self {
            versions: objects.into_iter().collect(),
            unreadable: Vec::new(),
        }
    }
}

/// What stands for a colon in an id.
const COLON: &str = "__";

#[cfg(test)]
mod tests {
    use super::*;

    fn id(namespace: &str, name: &str, group: &str, kind: &str) -> ObjectId {
        ObjectId {
            namespace: namespace.into(),
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
        }
    }

    /// The forms of fluxcd/cli-utils pkg/object/objmetadata_test.go.
    #[test]
    fn ids_are_those_of_flux() {
        for (object, text) in [
            (
                id("test-namespace", "test-name", "apps", "ReplicaSet"),
                "test-namespace_test-name_apps_ReplicaSet",
            ),
            (
                id("", "test-name", "", "Namespace"),
                "_test-name__Namespace",
            ),
            (
                id("flux-system", "settings", "", "ConfigMap"),
                "flux-system_settings__ConfigMap",
            ),
            (
                id(
                    "",
                    "system:controller:x",
                    "rbac.authorization.k8s.io",
                    "ClusterRole",
                ),
                "_system__controller__x_rbac.authorization.k8s.io_ClusterRole",
            ),
            (
                id(
                    "kube-system",
                    "a:b",
                    "rbac.authorization.k8s.io",
                    "RoleBinding",
                ),
                "kube-system_a__b_rbac.authorization.k8s.io_RoleBinding",
            ),
        ] {
            assert_eq!(object.to_string(), text);
            assert_eq!(text.parse(), Ok(object));
        }
    }

    #[test]
    fn a_name_that_would_change_the_path_of_a_request_is_not_addressable() {
        for name in ["a", "a-b.c", "system:controller:x", "a@b"] {
            assert!(
                id("shop", name, "apps", "Deployment").is_addressable(),
                "{name}"
            );
        }
        for name in [
            "", ".", "..", "../x", "a/b", "a?b", "a#b", "a%2fb", "a b", "a\\b", "é", "a\nb",
        ] {
            assert!(
                !id("shop", name, "apps", "Deployment").is_addressable(),
                "{name}"
            );
        }
        assert!(!id("../kube-system", "a", "", "Secret").is_addressable());
        assert!(!id("a", "a", "apps/../x", "Secret").is_addressable());
    }

    #[test]
    fn what_is_no_id_is_kept_and_written_back() {
        for text in ["", "a", "a_b", "a_b_c", "___"] {
            assert!(text.parse::<ObjectId>().is_err(), "{text}");
        }
        let entries = [
            InventoryEntry {
                id: "odd".into(),
                v: "v1".into(),
            },
            InventoryEntry {
                id: "_a__Namespace".into(),
                v: "v1".into(),
            },
        ];
        let inventory = Inventory::from_entries(&entries);
        let mut written = inventory.entries();
        written.sort_by(|a, b| b.id.cmp(&a.id));
        assert_eq!(written, entries);
        assert!(!inventory.is_empty());
    }

    #[test]
    fn what_left_the_repository_is_stale_and_goes_in_reverse_order() {
        let old: Inventory = [
            (id("", "shop", "", "Namespace"), "v1".to_owned()),
            (id("shop", "web", "apps", "Deployment"), "v1".to_owned()),
            (id("shop", "web", "", "Service"), "v1".to_owned()),
        ]
        .into_iter()
        .collect();
        let new: Inventory = [(id("shop", "web", "", "Service"), "v1".to_owned())]
            .into_iter()
            .collect();
        let stale: Vec<String> = old.stale(&new).iter().map(ObjectId::subject).collect();
        assert_eq!(stale, ["Deployment/shop/web", "Namespace/shop"]);
        assert_eq!(old.union(&new), old);
    }

    #[test]
    fn the_union_has_the_newer_version() {
        let name = id("a", "b", "x.io", "Thing");
        let old: Inventory = [(name.clone(), "v1beta1".to_owned())].into_iter().collect();
        let new: Inventory = [(name.clone(), "v1".to_owned())].into_iter().collect();
        assert_eq!(old.union(&new).version(&name), Some("v1"));
        assert!(old.stale(&new).is_empty());
    }
}
