//! The metadata of a Secret on its way into the template of a SealedSecret.

use crds::sealed_secret::{CLUSTER_WIDE, NAMESPACE_WIDE};
use keys::Scope;
use serde_json::{Map, Value};

/// The scope that an object's annotations name. Only the value `"true"` counts, and cluster-wide wins
/// (`SecretScope` in `sealedsecret_expansion.go`).
#[must_use]
pub fn scope_in(annotations: Option<&Map<String, Value>>) -> Scope {
    let set = |name: &str| {
        annotations
            .and_then(|map| map.get(name))
            .and_then(Value::as_str)
            == Some("true")
    };
    if set(CLUSTER_WIDE) {
        Scope::ClusterWide
    } else if set(NAMESPACE_WIDE) {
        Scope::NamespaceWide
    } else {
        Scope::Strict
    }
}

/// Writes a scope into annotations and takes another one out (`UpdateScopeAnnotations`).
pub(crate) fn set_scope(annotations: &mut Map<String, Value>, scope: Scope) {
    annotations.shift_remove(NAMESPACE_WIDE);
    annotations.shift_remove(CLUSTER_WIDE);
    match scope {
        Scope::Strict => None,
        Scope::NamespaceWide => annotations.insert(NAMESPACE_WIDE.to_owned(), "true".into()),
        Scope::ClusterWide => annotations.insert(CLUSTER_WIDE.to_owned(), "true".into()),
    };
}

/// The metadata as it goes into the template: the fields that the API server sets are dropped, and so
/// are the annotations in which kubectl and kubecfg keep a whole copy of the Secret in clear
/// (`Seal` in `pkg/kubeseal/kubeseal.go`, `StripLastAppliedAnnotations`). The fields come in the order
/// of Go's `ObjectMeta`, unknown ones are left out as Go leaves them out.
pub(crate) fn for_template(metadata: &Map<String, Value>) -> Map<String, Value> {
    let mut kept = Map::new();
    for name in TEMPLATE_FIELDS {
        let Some(value) = metadata.get(*name) else {
            continue;
        };
        let value = match (*name, value) {
            ("labels", Value::Object(labels)) => sorted(labels, &[]),
            ("annotations", Value::Object(annotations)) => sorted(annotations, LAST_APPLIED),
            ("managedFields", Value::Array(entries)) => {
                Value::Array(entries.iter().map(managed_fields_entry).collect())
            }
            (_, value) => value.clone(),
        };
        if !is_empty(&value) {
            kept.insert((*name).to_owned(), value);
        }
    }
    kept
}

/// Go's order, without what the API server sets. `managedFields`, `finalizers` and `generateName` stay,
/// as they do in the incumbent.
const TEMPLATE_FIELDS: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "labels",
    "annotations",
    "finalizers",
    "managedFields",
];

const MANAGED_FIELDS: &[&str] = &[
    "manager",
    "operation",
    "apiVersion",
    "time",
    "fieldsType",
    "fieldsV1",
    "subresource",
];

const LAST_APPLIED: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "kubecfg.ksonnet.io/last-applied-configuration",
];

fn sorted(map: &Map<String, Value>, without: &[&str]) -> Value {
    let mut entries: Vec<_> = map
        .iter()
        .filter(|(name, _)| !without.contains(&name.as_str()))
        .collect();
    entries.sort_by_key(|(name, _)| *name);
    entries
        .into_iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn managed_fields_entry(entry: &Value) -> Value {
    let field = |name: &&str| Some(((*name).to_owned(), entry.get(*name)?.clone()));
    MANAGED_FIELDS.iter().filter_map(field).collect()
}

/// Go's `omitempty`.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
