//! What happens to every object after it is built and before it is applied.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crds::kustomization::{self as names, CommonMetadata};
use serde_json::{Map, Value, json};

use super::Manifest;

/// What is put on every object.
pub struct Finish<'a> {
    /// The name of the Kustomization.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its `spec.commonMetadata`.
    pub common: Option<&'a CommonMetadata>,
}

/// Puts owner labels and common metadata on an object (kustomize-controller, `SetOwnerLabels`, `SetCommonMetadata`),
/// and leaves out what server-side apply must not send (fluxcd/pkg ssa normalize/normalize.go).
pub fn finish(manifest: &mut Manifest, finish: &Finish<'_>) {
    normalise(manifest);
    manifest.set_metadata("labels", names::OWNER_NAME, finish.name);
    manifest.set_metadata("labels", names::OWNER_NAMESPACE, finish.namespace);
    let Some(common) = finish.common else { return };
    for (key, value) in &common.labels {
        manifest.set_metadata("labels", key, value);
    }
    for (key, value) in &common.annotations {
        manifest.set_metadata("annotations", key, value);
    }
}

fn normalise(manifest: &mut Manifest) {
    let (kind, group) = (manifest.kind().to_owned(), manifest.group().to_owned());
    let value = manifest.value_mut();
    if kind != "CustomResourceDefinition" {
        value.shift_remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in [
            "creationTimestamp",
            "managedFields",
            "resourceVersion",
            "uid",
            "generation",
            "selfLink",
        ] {
            metadata.shift_remove(field);
        }
    }
    match (group.as_str(), kind.as_str()) {
        ("", "Secret") => merge_string_data(value),
        ("", "Service") => default_protocols(value.get_mut("spec"), "ports"),
        _ => {}
    }
    let pod = match (group.as_str(), kind.as_str()) {
        ("", "Pod") => value.get_mut("spec"),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") | ("batch", "Job") => {
            value
                .get_mut("spec")
                .and_then(|spec| spec.get_mut("template")?.get_mut("spec"))
        }
        ("batch", "CronJob") => value.get_mut("spec").and_then(|spec| {
            spec.get_mut("jobTemplate")?
                .get_mut("spec")?
                .get_mut("template")?
                .get_mut("spec")
        }),
        _ => None,
    };
    if let Some(pod) = pod {
        for containers in ["containers", "initContainers"] {
            let list = pod.get_mut(containers).and_then(Value::as_array_mut);
            list.into_iter()
                .flatten()
                .for_each(|container| default_protocols(Some(container), "ports"));
        }
    }
}

/// Apply would never remove a key that came by `stringData`: the API server folds it into `data`, where nobody owns it.
fn merge_string_data(secret: &mut Map<String, Value>) {
    let Some(Value::Object(texts)) = secret.shift_remove("stringData") else {
        return;
    };
    let data = secret.entry("data").or_insert_with(|| json!({}));
    if data.is_null() {
        *data = json!({});
    }
    if let Value::Object(data) = data {
        for (key, text) in texts {
            let text = match &text {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => other.to_string(),
            };
            data.insert(key, Value::String(STANDARD.encode(text)));
        }
    }
}

/// The protocol is part of the merge key, and the API server does not default it there
/// (<https://github.com/kubernetes-sigs/structured-merge-diff/issues/130>).
fn default_protocols(holder: Option<&mut Value>, field: &str) {
    let ports = holder.and_then(|holder| holder.get_mut(field)?.as_array_mut());
    for port in ports.into_iter().flatten() {
        if let Value::Object(port) = port {
            port.entry("protocol").or_insert_with(|| json!("TCP"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(document: Value, common: Option<&CommonMetadata>) -> Value {
        let mut manifest = Manifest::from_document(document, "a").unwrap().remove(0);
        finish(
            &mut manifest,
            &Finish {
                name: "apps",
                namespace: "flux-system",
                common,
            },
        );
        Value::Object(manifest.value().clone())
    }

    #[test]
    fn owner_labels_and_common_metadata_are_put_on() {
        let common = CommonMetadata {
            labels: [("team".to_owned(), "shop".to_owned())].into(),
            annotations: [("a".to_owned(), "b".to_owned())].into(),
        };
        let document = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "labels": {"team": "x", "app": "y"}}});
        let metadata = finished(document, Some(&common))["metadata"].clone();
        assert_eq!(
            metadata,
            json!({"name": "a", "annotations": {"a": "b"}, "labels": {
                "team": "shop", "app": "y",
                "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            }})
        );
    }

    #[test]
    fn string_data_becomes_data() {
        let document = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "creationTimestamp": null},
            "data": {"old": "b2xk", "both": "eA=="}, "stringData": {"new": "new", "both": "y"}, "status": {}});
        let secret = finished(document, None);
        assert_eq!(
            secret["data"],
            json!({"old": "b2xk", "both": "eQ==", "new": "bmV3"})
        );
        assert!(secret.get("stringData").is_none() && secret.get("status").is_none());
        assert!(secret["metadata"].get("creationTimestamp").is_none());
    }

    #[test]
    fn ports_get_their_protocol() {
        let template = json!({"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]}]}});
        let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"template": template}});
        let ports =
            finished(deployment, None)["spec"]["template"]["spec"]["containers"][0]["ports"]
                .clone();
        assert_eq!(
            ports,
            json!([{"containerPort": 80, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}])
        );
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}});
        assert_eq!(
            finished(service, None)["spec"]["ports"],
            json!([{"port": 80, "protocol": "TCP"}])
        );
        let foreign = json!({"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}});
        assert_eq!(
            finished(foreign, None)["spec"]["ports"],
            json!([{"port": 80}])
        );
    }
}
