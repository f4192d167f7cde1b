//! An object as it is in the cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::Fingerprint;

/// An object as the API server gave it. No `Debug`: it may be a Secret.
#[derive(Clone)]
pub struct Live {
    /// The whole object.
    pub value: Map<String, Value>,
    /// Its metadata.
    pub metadata: ObjectMeta,
}

impl Live {
    /// Reads an answer of the API server; metadata that does not decode counts as empty.
    #[must_use]
    pub fn new(value: Map<String, Value>) -> Self {
        let metadata = value.get("metadata").cloned().unwrap_or_default();
        let metadata = serde_json::from_value(metadata).unwrap_or_default();
        Self { value, metadata }
    }

    /// See [`Fingerprint`].
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let text = |field: &str| {
            self.value
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let group = text("apiVersion")
            .split_once('/')
            .map_or("", |(group, _)| group);
        Fingerprint::of(group, text("kind"), &self.metadata)
    }

    /// Its resourceVersion as a number that grows; zero if it is none.
    #[must_use]
    pub fn version(&self) -> u64 {
        version_of(&self.metadata)
    }

    /// Whether a label or an annotation has this value, in whatever case.
    #[must_use]
    pub fn says(&self, key: &str, value: &str) -> bool {
        says(&self.metadata, key, value)
    }

    /// A label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether applying changed it: labels, annotations, or anything outside metadata and status (fluxcd/pkg ssa
    /// manager_diff.go, `hasDrifted`).
    #[must_use]
    pub fn differs(&self, applied: &Self) -> bool {
        let content = |live: &Self| {
            let fields = live
                .value
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status"));
            fields
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let filled = |entries: &Option<std::collections::BTreeMap<String, String>>| {
            entries.clone().unwrap_or_default()
        };
        filled(&self.metadata.labels) != filled(&applied.metadata.labels)
            || filled(&self.metadata.annotations) != filled(&applied.metadata.annotations)
            || content(self) != content(applied)
    }
}

/// See [`Live::version`].
pub(super) fn version_of(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

/// See [`Live::says`].
pub(super) fn says(metadata: &ObjectMeta, key: &str, value: &str) -> bool {
    [&metadata.labels, &metadata.annotations]
        .into_iter()
        .flatten()
        .filter_map(|entries| entries.get(key))
        .any(|found| found.eq_ignore_ascii_case(value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn live(value: Value) -> Live {
        match value {
            Value::Object(value) => Live::new(value),
            _ => unreachable!("tests give objects"),
        }
    }

    #[test]
    fn only_what_a_repository_can_say_is_drift() {
        let first = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"x": "y"}, "resourceVersion": "1"},
            "data": {"a": "b"}, "status": {"phase": "x"}});
        let changed = |change: fn(&mut Value)| {
            let mut value = first.clone();
            change(&mut value);
            live(first.clone()).differs(&live(value))
        };
        assert!(!changed(|_| ()));
        assert!(!changed(
            |value| value["metadata"]["resourceVersion"] = json!("2")
        ));
        assert!(!changed(
            |value| value["metadata"]["annotations"] = json!({})
        ));
        assert!(!changed(|value| value["status"] = json!({})));
        assert!(changed(|value| value["data"]["a"] = json!("c")));
        assert!(changed(|value| value["metadata"]["labels"] = json!({})));
        assert!(changed(
            |value| value["metadata"]["annotations"] = json!({"a": "b"})
        ));
    }
}
