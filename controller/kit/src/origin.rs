//! Who would bring an object back, or change it back, after somebody has scaled or deleted it by hand.

use kube::ResourceExt;

/// What keeps this object as it is, in words that follow "kept by": a Kustomization or a HelmRelease of
/// Flux, an Application of Argo CD, or a release of Helm. `None` where it carries no such mark.
pub fn keeper(object: &impl ResourceExt) -> Option<String> {
    let label = |name: &str| object.labels().get(name).map(String::as_str);
    let annotation = |name: &str| object.annotations().get(name).map(String::as_str);
    let place = |name: &str, namespace: Option<&str>| match namespace {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    };
    if let Some(name) = label(KUSTOMIZATION_NAME) {
        let place = place(name, label(KUSTOMIZATION_NAMESPACE));
        return Some(format!("the Kustomization {place} of Flux"));
    }
    // A release of Flux is one of Helm as well, so that it is asked for first.
    if let Some(name) = label(HELM_RELEASE_NAME) {
        let place = place(name, label(HELM_RELEASE_NAMESPACE));
        return Some(format!("the HelmRelease {place} of Flux"));
    }
    let tracked = annotation(ARGO_TRACKING).and_then(|id| id.split(':').next());
    if let Some(name) = tracked.or_else(|| label(ARGO_INSTANCE)) {
        return Some(format!("the Application {name} of Argo CD"));
    }
    let name = annotation(HELM_NAME)?;
    let place = place(name, annotation(HELM_NAMESPACE));
    Some(format!("the release {place} of Helm"))
}

const KUSTOMIZATION_NAME: &str = "kustomize.toolkit.fluxcd.io/name";
const KUSTOMIZATION_NAMESPACE: &str = "kustomize.toolkit.fluxcd.io/namespace";
const HELM_RELEASE_NAME: &str = "helm.toolkit.fluxcd.io/name";
const HELM_RELEASE_NAMESPACE: &str = "helm.toolkit.fluxcd.io/namespace";
const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";
const ARGO_INSTANCE: &str = "argocd.argoproj.io/instance";
const HELM_NAME: &str = "meta.helm.sh/release-name";
const HELM_NAMESPACE: &str = "meta.helm.sh/release-namespace";

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::{Value, json};

    use super::*;

    fn kept_by(labels: Value, annotations: Value) -> Option<String> {
        let metadata = json!({"name": "x", "labels": labels, "annotations": annotations});
        let object: ConfigMap = serde_json::from_value(json!({ "metadata": metadata })).unwrap();
        keeper(&object)
    }

    #[test]
    fn each_keeper_is_known_by_its_mark() {
        let nothing = || json!({});
        let helm = json!({HELM_NAME: "ss", HELM_NAMESPACE: "kube-system"});
        for (labels, annotations, keeper) in [
            (
                json!({KUSTOMIZATION_NAME: "infra", KUSTOMIZATION_NAMESPACE: "flux-system"}),
                nothing(),
                "the Kustomization flux-system/infra of Flux",
            ),
            (
                json!({HELM_RELEASE_NAME: "ss", HELM_RELEASE_NAMESPACE: "flux-system"}),
                helm.clone(),
                "the HelmRelease flux-system/ss of Flux",
            ),
            (
                json!({ARGO_INSTANCE: "secrets"}),
                nothing(),
                "the Application secrets of Argo CD",
            ),
            (
                nothing(),
                json!({ARGO_TRACKING: "secrets:apps/Deployment:kube-system/c"}),
                "the Application secrets of Argo CD",
            ),
            (nothing(), helm, "the release kube-system/ss of Helm"),
        ] {
            assert_eq!(kept_by(labels, annotations).as_deref(), Some(keeper));
        }
        let managed = json!({"app.kubernetes.io/managed-by": "somebody"});
        assert_eq!(kept_by(managed, nothing()), None);
    }
}
