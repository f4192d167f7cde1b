//! One object as a repository asks for it.

use crds::kustomization as names;
use serde_json::{Map, Value};

use crate::inventory::ObjectId;

/// An object that has what every object needs: an API version, a kind and a name. No `Debug`: it may be a Secret.
#[derive(Clone, PartialEq)]
pub struct Manifest {
    value: Map<String, Value>,
    api_version: String,
    kind: String,
    name: String,
    /// Where it was written, for messages: a file with a line, or the directory that kustomize built.
    origin: String,
}

/// Why a document is no object. Names where and what, never a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Neither an object nor a list of objects.
    #[error("{origin}: not a Kubernetes object: it must be a mapping")]
    NoMapping {
        /// Where.
        origin: String,
    },
    /// A field that every object has.
    #[error("{origin}: not a Kubernetes object: {field} is missing or not a string")]
    Missing {
        /// Where.
        origin: String,
        /// Which.
        field: &'static str,
    },
    /// A name that no object can have.
    #[error(
        "{origin}: metadata.name, metadata.namespace, apiVersion or kind holds a character that it cannot hold"
    )]
    NotAddressable {
        /// Where.
        origin: String,
    },
    /// `-` without anything behind, which the API server would refuse less clearly.
    #[error("{origin}: empty item at {path}")]
    EmptyItem {
        /// Where.
        origin: String,
        /// Which.
        path: String,
    },
    /// Lists in lists.
    #[error("{origin}: lists are nested too deeply")]
    TooDeep {
        /// Where.
        origin: String,
    },
}

impl Manifest {
    /// The objects of a document: itself, or what a list holds (kustomize api/resource/factory.go,
    /// `inlineAnyEmbeddedLists`). What kustomize keeps to itself is left out: its own kinds, and objects with the
    /// annotation `config.kubernetes.io/local-config`.
    ///
    /// # Errors
    /// [`ManifestError`] with `origin`.
    pub fn from_document(document: Value, origin: &str) -> Result<Vec<Self>, ManifestError> {
        let mut found = Vec::new();
        expand(document, origin, 0, &mut found)?;
        found.retain(|manifest: &Self| !manifest.is_for_kustomize());
        Ok(found)
    }

    fn of(value: Value, origin: &str) -> Result<Self, ManifestError> {
        let Value::Object(value) = value else {
            return Err(ManifestError::NoMapping {
                origin: origin.to_owned(),
            });
        };
        let text = |found: Option<&Value>, field| {
            let text = found
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty());
            text.map(str::to_owned)
                .ok_or_else(|| ManifestError::Missing {
                    origin: origin.to_owned(),
                    field,
                })
        };
        let api_version = text(value.get("apiVersion"), "apiVersion")?;
        let kind = text(value.get("kind"), "kind")?;
        let name = text(
            value
                .get("metadata")
                .and_then(|metadata| metadata.get("name")),
            "metadata.name",
        )?;
        Ok(Self {
            value,
            api_version,
            kind,
            name,
            origin: origin.to_owned(),
        })
    }

    /// Refuses names that would mean something else in the path of a request. Asked when everything is put in that
    /// variables stand for.
    ///
    /// # Errors
    /// [`ManifestError::NotAddressable`].
    pub fn must_be_addressable(&self) -> Result<(), ManifestError> {
        let version_fits = self.version().bytes().all(|b| b.is_ascii_alphanumeric());
        if version_fits && self.id().is_addressable() {
            Ok(())
        } else {
            Err(ManifestError::NotAddressable {
                origin: self.origin.clone(),
            })
        }
    }

    fn is_for_kustomize(&self) -> bool {
        let own_kind = self.kind == "Kustomization" && self.group() == "kustomize.config.k8s.io";
        let local = self.annotation("config.kubernetes.io/local-config");
        own_kind || local.is_some_and(|value| value != "false")
    }

    /// The object.
    #[must_use]
    pub fn value(&self) -> &Map<String, Value> {
        &self.value
    }

    /// The object, to change what does not name it.
    pub(super) fn value_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.value
    }

    /// `apps/v1`
    #[must_use]
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// `apps`; empty for the core group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// `v1`
    #[must_use]
    pub fn version(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or(&self.api_version, |(_, version)| version)
    }

    /// `Deployment`
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace that it names; empty if none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        let namespace = self.metadata("namespace").and_then(Value::as_str);
        namespace.unwrap_or_default()
    }

    /// What names it in a cluster, if it is of a namespaced kind or names no namespace.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        ObjectId {
            namespace: self.namespace().to_owned(),
            name: self.name.clone(),
            group: self.group().to_owned(),
            kind: self.kind.clone(),
        }
    }

    /// Where it was written.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether its values are secret.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == "Secret" && self.group().is_empty()
    }

    /// An annotation.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata("annotations")?.get(key)?.as_str()
    }

    /// A label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata("labels")?.get(key)?.as_str()
    }

    /// Whether a label or an annotation has this value, in whatever case, as Flux compares (fluxcd/pkg ssa
    /// utils/metadata.go, `AnyInMetadata`).
    #[must_use]
    pub fn says(&self, key: &str, value: &str) -> bool {
        [self.label(key), self.annotation(key)]
            .into_iter()
            .flatten()
            .any(|found| found.eq_ignore_ascii_case(value))
    }

    /// Whether it is not to be applied at all.
    #[must_use]
    pub fn is_excluded(&self) -> bool {
        self.says(names::RECONCILE, crds::flux::DISABLED)
            || self.says(names::SSA, names::SSA_IGNORE)
    }

    fn metadata(&self, field: &str) -> Option<&Value> {
        self.value.get("metadata")?.get(field)
    }

    /// Sets a label or an annotation, whatever was there. `field` is `labels` or `annotations`.
    pub(super) fn set_metadata(&mut self, field: &str, key: &str, text: &str) {
        let metadata = self
            .value
            .get_mut("metadata")
            .and_then(Value::as_object_mut);
        // `of` saw the name in it, so it is there.
        let Some(metadata) = metadata else { return };
        let entries = metadata
            .entry(field)
            .or_insert_with(|| Value::Object(Map::new()));
        if !entries.is_object() {
            *entries = Value::Object(Map::new());
        }
        if let Value::Object(entries) = entries {
            entries.insert(key.to_owned(), Value::String(text.to_owned()));
        }
    }
}

fn expand(
    value: Value,
    origin: &str,
    depth: usize,
    found: &mut Vec<Manifest>,
) -> Result<(), ManifestError> {
    if depth > MOST_NESTED {
        return Err(ManifestError::TooDeep {
            origin: origin.to_owned(),
        });
    }
    let is_list = value
        .get("kind")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("List"));
    match value {
        Value::Null => Ok(()),
        Value::Object(fields) if fields.is_empty() => Ok(()),
        Value::Object(mut fields) if is_list && fields.contains_key("items") => {
            let Some(Value::Array(items)) = fields.remove("items") else {
                return Ok(());
            };
            items
                .into_iter()
                .try_for_each(|item| expand(item, origin, depth + 1, found))
        }
        value => {
            if let Some(path) = empty_item(&value) {
                return Err(ManifestError::EmptyItem {
                    origin: origin.to_owned(),
                    path,
                });
            }
            found.push(Manifest::of(value, origin)?);
            Ok(())
        }
    }
}

/// The path of a null in a list (kyaml yaml/rnode.go, `HasNilEntryInList`).
fn empty_item(value: &Value) -> Option<String> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| {
            empty_item(value).map(|path| {
                if path.is_empty() {
                    key.clone()
                } else {
                    format!("{key}.{path}")
                }
            })
        }),
        Value::Array(items) if items.iter().any(Value::is_null) => Some(String::new()),
        Value::Array(items) => items.iter().find_map(empty_item),
        _ => None,
    }
}

/// Lists in lists, each a way to make a small file large.
const MOST_NESTED: usize = 8;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subjects(document: Value) -> Result<Vec<String>, ManifestError> {
        let manifests = Manifest::from_document(document, "a.yaml")?;
        manifests
            .iter()
            .try_for_each(Manifest::must_be_addressable)?;
        Ok(manifests
            .iter()
            .map(|manifest| manifest.id().subject())
            .collect())
    }

    #[test]
    fn lists_are_expanded_and_kustomize_keeps_its_own() {
        let map = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        let local = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "l", "annotations": {"config.kubernetes.io/local-config": "true"}}});
        let own = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "metadata": {"name": "k"}});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [map("a"), local, own, null,
            {"kind": "ConfigMapList", "apiVersion": "v1", "items": [map("b")]}]});
        assert_eq!(subjects(list).unwrap(), ["ConfigMap/a", "ConfigMap/b"]);
        assert!(subjects(Value::Null).unwrap().is_empty());
        assert!(subjects(json!({})).unwrap().is_empty());
        assert!(
            subjects(json!({"apiVersion": "v1", "kind": "List", "items": null}))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn what_is_no_object_is_named_with_its_place_and_field() {
        let mut deep = json!({"apiVersion": "v1", "kind": "List", "items": []});
        for _ in 0..20 {
            deep = json!({"apiVersion": "v1", "kind": "List", "items": [deep]});
        }
        for (document, text) in [
            (
                json!("text"),
                "a.yaml: not a Kubernetes object: it must be a mapping",
            ),
            (
                json!({"kind": "X"}),
                "a.yaml: not a Kubernetes object: apiVersion is missing or not a string",
            ),
            (
                json!({"apiVersion": "v1", "kind": "X"}),
                "a.yaml: not a Kubernetes object: metadata.name is missing or not a string",
            ),
            (
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": 5}}),
                "a.yaml: not a Kubernetes object: metadata.name is missing or not a string",
            ),
            (
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {"items": [null]}}),
                "a.yaml: empty item at spec.items",
            ),
            (
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "../../secrets/x"}}),
                "a.yaml: metadata.name, metadata.namespace, apiVersion or kind holds a character that it cannot hold",
            ),
            (
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "namespace": "a/b"}}),
                "a.yaml: metadata.name, metadata.namespace, apiVersion or kind holds a character that it cannot hold",
            ),
            (
                json!({"apiVersion": "a/b/c", "kind": "X", "metadata": {"name": "x"}}),
                "a.yaml: metadata.name, metadata.namespace, apiVersion or kind holds a character that it cannot hold",
            ),
            (deep, "a.yaml: lists are nested too deeply"),
        ] {
            assert_eq!(subjects(document).err().unwrap().to_string(), text);
        }
    }

    #[test]
    fn labels_and_annotations_turn_things_off_in_any_case() {
        let read = |metadata: Value| {
            let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
            Manifest::from_document(document, "a").unwrap().remove(0)
        };
        let key = "kustomize.toolkit.fluxcd.io/reconcile";
        assert!(read(json!({"name": "a", "labels": {key: "Disabled"}})).is_excluded());
        assert!(read(json!({"name": "a", "annotations": {key: "disabled"}})).is_excluded());
        assert!(!read(json!({"name": "a", "annotations": {key: "enabled"}})).is_excluded());
        assert!(
            read(
                json!({"name": "a", "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "ignore"}})
            )
            .is_excluded()
        );
    }
}
