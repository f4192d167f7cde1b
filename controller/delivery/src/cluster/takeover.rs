//! Taking the fields of people's tools into our own management, so that what Git does not have goes away again
//! (kustomize-controller, `Reconciler.apply`; fluxcd/pkg ssa patch.go).

use crds::kustomization::{FIELD_MANAGER, SSA, SSA_MERGE};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::{Map, Value, json};

use super::Live;
use crate::render::Manifest;

/// A JSON patch that takes over what `kubectl` and older ways of applying manage, or `None` if there is nothing.
#[must_use]
pub(super) fn patch(live: &Live, manifest: &Manifest) -> Option<Value> {
    if live.says(SSA, SSA_MERGE) || manifest.says(SSA, SSA_MERGE) {
        return None;
    }
    let mut operations = Vec::new();
    let managers = live.metadata.managed_fields.clone().unwrap_or_default();
    if let Some(managers) = taken_over(managers) {
        operations
            .push(json!({"op": "replace", "path": "/metadata/managedFields", "value": managers}));
    }
    let annotations = live
        .metadata
        .annotations
        .iter()
        .flatten()
        .map(|(key, _)| key);
    for key in annotations.filter(|key| OLD_ANNOTATIONS.contains(&key.as_str())) {
        operations.push(json!({"op": "remove", "path": format!("/metadata/annotations/{}", key.replace('/', "~1"))}));
    }
    let labels = live.metadata.labels.iter().flatten().map(|(key, _)| key);
    for key in labels.filter(|key| OLD_LABELS.contains(&key.as_str())) {
        operations.push(
            json!({"op": "remove", "path": format!("/metadata/labels/{}", key.replace('/', "~1"))}),
        );
    }
    if operations.is_empty() {
        return None;
    }
    // Made from this version: on any other the API server answers with a conflict.
    let version = live.metadata.resource_version.as_deref();
    operations
        .push(json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version}));
    Some(Value::Array(operations))
}

/// All entries with those of other tools united into ours, or `None` if there are none.
fn taken_over(managers: Vec<ManagedFieldsEntry>) -> Option<Vec<ManagedFieldsEntry>> {
    let (ours, others): (Vec<_>, Vec<_>) = managers.into_iter().partition(is_ours);
    let (taken, mut kept): (Vec<_>, Vec<_>) = others.into_iter().partition(is_to_be_taken);
    if taken.is_empty() {
        return None;
    }
    let mut united = ours.into_iter().chain(taken);
    let mut first = united.next()?;
    first.manager = Some(FIELD_MANAGER.to_owned());
    first.operation = Some("Apply".to_owned());
    for entry in united {
        unite(&mut first, entry);
    }
    kept.push(first);
    Some(kept)
}

fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER)
        && entry.operation.as_deref() == Some("Apply")
        && entry.subresource.as_deref().unwrap_or_default().is_empty()
}

fn is_to_be_taken(entry: &ManagedFieldsEntry) -> bool {
    let manager = entry.manager.as_deref().unwrap_or_default();
    let update = entry.operation.as_deref() == Some("Update");
    let of_the_object = entry.subresource.as_deref().unwrap_or_default().is_empty();
    of_the_object
        && (manager.starts_with("kubectl")
            || (update
                && (manager.starts_with("before-first-apply")
                    || manager.starts_with(FIELD_MANAGER))))
}

/// The union of two sets of fields: each is a trie, so theirs is the deep union of the objects.
fn unite(first: &mut ManagedFieldsEntry, entry: ManagedFieldsEntry) {
    match (&mut first.fields_v1, entry.fields_v1) {
        (Some(fields), Some(more)) => merge(&mut fields.0, more.0),
        (fields @ None, more) => *fields = more,
        (Some(_), None) => {}
    }
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        merge_objects(into, from);
    }
}

fn merge_objects(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match into.get_mut(&key) {
            Some(known) => merge(known, value),
            None => drop(into.insert(key, value)),
        }
    }
}

const OLD_ANNOTATIONS: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/checksum",
    "fluxcd.io/sync-checksum",
];
const OLD_LABELS: &[&str] = &["fluxcd.io/sync-gc-mark"];

#[cfg(test)]
mod tests {
    use super::*;

    fn live(metadata: Value) -> Live {
        let Value::Object(value) =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        else {
            unreachable!("an object")
        };
        Live::new(value)
    }

    fn manifest() -> Manifest {
        let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        Manifest::from_document(document, "a").unwrap().remove(0)
    }

    fn entry(manager: &str, operation: &str, subresource: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "subresource": subresource, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn what_kubectl_manages_becomes_ours_and_the_rest_stays() {
        let live = live(
            json!({"resourceVersion": "7", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
            "managedFields": [
                entry("kustomize-controller", "Apply", "", json!({"f:data": {"f:a": {}}})),
                entry("kubectl-edit", "Update", "", json!({"f:data": {"f:b": {}}, "f:metadata": {".": {}}})),
                entry("kubectl", "Update", "status", json!({"f:status": {}})),
                entry("hpa", "Update", "", json!({"f:spec": {}})),
                entry("kustomize-controller", "Update", "", json!({"f:data": {"f:c": {}}})),
            ]}),
        );
        let patch = patch(&live, &manifest()).unwrap();
        assert_eq!(
            patch[2],
            json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"})
        );
        let managers: Vec<(&str, &str)> = patch[0]["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                (
                    entry["manager"].as_str().unwrap(),
                    entry["operation"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            managers,
            [
                ("kubectl", "Update"),
                ("hpa", "Update"),
                ("kustomize-controller", "Apply")
            ]
        );
        assert_eq!(
            patch[0]["value"][2]["fieldsV1"],
            json!({"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}, "f:metadata": {".": {}}})
        );
        assert_eq!(
            patch[1]["path"],
            "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
        );
    }

    #[test]
    fn nothing_to_take_over_is_no_patch() {
        let ours = live(json!({"resourceVersion": "7", "managedFields": [
            entry("kustomize-controller", "Apply", "", json!({"f:data": {}})),
            entry("hpa", "Update", "", json!({"f:spec": {}})),
        ]}));
        assert!(patch(&ours, &manifest()).is_none());
        let merged = live(
            json!({"annotations": {SSA: "merge"}, "managedFields": [entry("kubectl", "Update", "", json!({}))]}),
        );
        assert!(patch(&merged, &manifest()).is_none());
    }
}
