//! What a Kustomization is made from: the revision of its source, and the objects in it.

use std::collections::HashMap;

use crds::{
    git_repository::GitRepository,
    kustomization::{Dependency, Kustomization, SubstituteReference, SubstituteStrategy},
};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kit::{SecretBytes, redact};
use kube::{
    Api, Client,
    runtime::reflector::{ObjectRef, Store},
};
use sha2::{Digest as _, Sha256};

use super::{failure::ApplyFailure, plan::Desired};
use crate::{
    cluster::{Kinds, Served},
    conditions::find,
    hex,
    owner::Owner,
    render::{Finish, Manifest, Variables, finish},
    sources::{SourceName, Sources},
};

/// The newest revision of the source.
pub(super) fn source(
    sources: &Sources,
    repositories: &Store<GitRepository>,
    name: &SourceName,
) -> Result<std::sync::Arc<crate::sources::Fetched>, ApplyFailure> {
    let reference = ObjectRef::new(&name.name).within(&name.namespace);
    let Some(repository) = repositories.get(&reference) else {
        return Err(ApplyFailure::Artifact(format!(
            "Source 'GitRepository/{name}' not found"
        )));
    };
    if let Some(fetched) = sources.find(name) {
        return Ok(fetched);
    }
    let status = repository.status.as_ref();
    let fails =
        status.and_then(|status| find(&status.conditions, crds::git_repository::FETCH_FAILED));
    match fails {
        Some(condition) => {
            let said = &condition.message;
            Err(ApplyFailure::Artifact(format!(
                "Source 'GitRepository/{name}' has no artifact: {said}"
            )))
        }
        None if repository.spec.suspend => Err(ApplyFailure::Artifact(format!(
            "Source 'GitRepository/{name}' is suspended and was not fetched since the controller \
             started; resume it"
        ))),
        None => Err(ApplyFailure::NotFetchedYet(format!("GitRepository/{name}"))),
    }
}

/// Whether the Kustomizations that this one depends on are ready, at the same revision where they have the same source
/// (kustomize-controller, `checkDependencies`). Asked for live: our own writes are not in any cache yet.
pub(super) async fn dependencies(
    client: &Client,
    object: &Kustomization,
    namespace: &str,
    revision: &str,
) -> Result<(), ApplyFailure> {
    for dependency in &object.spec.depends_on {
        let Dependency {
            name,
            namespace: other,
            ..
        } = dependency;
        let owner = Owner {
            namespace: if other.is_empty() {
                namespace.to_owned()
            } else {
                other.clone()
            },
            name: name.clone(),
        };
        let found = Api::<Kustomization>::namespaced(client.clone(), &owner.namespace)
            .get_opt(name)
            .await;
        let found = found.map_err(|error| ApplyFailure::Api {
            doing: "read a dependency",
            said: redact::api_error(&error),
        })?;
        let is_ready = found.is_some_and(|found| is_ready(&found, object, revision));
        if !is_ready {
            return Err(ApplyFailure::Dependency(owner.to_string()));
        }
    }
    Ok(())
}

fn is_ready(dependency: &Kustomization, dependent: &Kustomization, revision: &str) -> bool {
    let Some(status) = &dependency.status else {
        return false;
    };
    let ready =
        find(&status.conditions, crds::flux::READY).is_some_and(|ready| ready.status == "True");
    let namespace = |object: &Kustomization| {
        let named = &object.spec.source_ref.namespace;
        if named.is_empty() {
            object.metadata.namespace.clone().unwrap_or_default()
        } else {
            named.clone()
        }
    };
    let reference = |object: &Kustomization| {
        let reference = &object.spec.source_ref;
        (
            reference.kind.clone(),
            reference.name.clone(),
            namespace(object),
        )
    };
    let same_source = reference(dependency) == reference(dependent);
    ready
        && status.observed_generation == dependency.metadata.generation
        && (!same_source || status.last_applied_revision == revision)
}

/// The variables of `spec.postBuild`, and which versions of what they come from (fluxcd/pkg kustomize
/// kustomize_varsub.go, `LoadVariables`). They are read as ourselves, not as a tenant, as in Flux.
pub(super) async fn variables(
    client: &Client,
    object: &Kustomization,
    namespace: &str,
) -> Result<(Variables, String), ApplyFailure> {
    let Some(post_build) = &object.spec.post_build else {
        return Ok((Variables::default(), String::new()));
    };
    let always = post_build.substitute_strategy == SubstituteStrategy::Always;
    let mut variables = Variables::new(always);
    let mut versions = String::new();
    let refused = |reference: &SubstituteReference, said: String| {
        let SubstituteReference { kind, name, .. } = reference;
        ApplyFailure::Variables(format!("substitute from '{kind}/{name}' error: {said}"))
    };
    for reference in &post_build.substitute_from {
        let found = values_of(client, namespace, reference)
            .await
            .map_err(|said| refused(reference, said))?;
        let Some((version, values)) = found else {
            if reference.optional {
                versions.push_str("-;");
                continue;
            }
            return Err(refused(reference, "not found".to_owned()));
        };
        versions.push_str(&version);
        versions.push(';');
        for (name, value) in values {
            let value = String::from_utf8_lossy(value.expose());
            variables
                .set(&name, &value)
                .map_err(|error| refused(reference, error.to_string()))?;
        }
    }
    for (name, value) in &post_build.substitute {
        let set = variables.set(name, value);
        set.map_err(|error| {
            ApplyFailure::Variables(format!("spec.postBuild.substitute: {error}"))
        })?;
    }
    Ok((variables, versions))
}

/// uid and resourceVersion, and what is in it.
type Values = (String, Vec<(String, SecretBytes)>);

async fn values_of(
    client: &Client,
    namespace: &str,
    reference: &SubstituteReference,
) -> Result<Option<Values>, String> {
    let name = &reference.name;
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err("this is not a name".to_owned());
    }
    let version = |metadata: &ObjectMeta| {
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!(
            "{}/{}",
            part(&metadata.uid),
            part(&metadata.resource_version)
        )
    };
    match reference.kind.as_str() {
        "ConfigMap" => {
            let found = Api::<ConfigMap>::namespaced(client.clone(), namespace)
                .get_opt(name)
                .await;
            let found = found.map_err(|error| redact::api_error(&error))?;
            Ok(found.map(|found| {
                let values = found.data.unwrap_or_default().into_iter();
                let values = values.map(|(key, value)| (key, SecretBytes::new(value.into_bytes())));
                (version(&found.metadata), values.collect())
            }))
        }
        "Secret" => {
            let found = Api::<Secret>::namespaced(client.clone(), namespace)
                .get_opt(name)
                .await;
            let found = found.map_err(|error| redact::api_error(&error))?;
            Ok(found.map(|found| {
                let values = found.data.unwrap_or_default().into_iter();
                let values = values.map(|(key, value)| (key, SecretBytes::new(value.0)));
                (version(&found.metadata), values.collect())
            }))
        }
        _ => Err("the kind must be ConfigMap or Secret".to_owned()),
    }
}

/// The objects as they will be applied, with the namespaces that their kinds really have, and the kinds that are served.
pub(super) async fn desired(
    kinds: &Kinds,
    object: &Kustomization,
    owner: &Owner,
    manifests: Vec<Manifest>,
) -> Result<(Vec<Desired>, Vec<Served>), ApplyFailure> {
    let what = Finish {
        name: &owner.name,
        namespace: &owner.namespace,
        common: object.spec.common_metadata.as_ref(),
    };
    let mut served: HashMap<(String, String), Option<Served>> = HashMap::new();
    let mut desired = Vec::with_capacity(manifests.len());
    for mut manifest in manifests {
        finish(&mut manifest, &what);
        let key = (
            manifest.api_version().to_owned(),
            manifest.kind().to_owned(),
        );
        if !served.contains_key(&key) {
            let found = kinds
                .find(&key.0, &key.1)
                .await
                .map_err(|error| ApplyFailure::Api {
                    doing: "ask which kinds are served",
                    said: redact::api_error(&error),
                })?;
            served.insert(key.clone(), found);
        }
        let mut id = manifest.id();
        if served
            .get(&key)
            .and_then(Option::as_ref)
            .is_some_and(|served| !served.namespaced)
        {
            id.namespace.clear();
        }
        let content = serde_json::to_vec(manifest.value()).unwrap_or_default();
        let digest = hex::lower(&Sha256::digest(&content)[..12]);
        desired.push(Desired {
            id,
            manifest,
            digest,
        });
    }
    Ok((desired, served.into_values().flatten().collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn kustomization(source: &str, status: Value) -> Kustomization {
        serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "k", "namespace": "ns", "generation": 2},
            "spec": {"interval": "1m", "prune": true, "sourceRef": {"kind": "GitRepository", "name": source}},
            "status": status,
        }))
        .unwrap()
    }

    fn condition(status: &str) -> Value {
        json!([{"type": "Ready", "status": status, "reason": "x", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}])
    }

    #[test]
    fn a_dependency_is_ready_for_its_generation_and_for_our_revision() {
        let us = kustomization("one", json!({}));
        let ready = json!({"observedGeneration": 2, "lastAppliedRevision": "r1", "conditions": condition("True")});
        assert!(is_ready(&kustomization("one", ready.clone()), &us, "r1"));
        assert!(!is_ready(&kustomization("one", ready.clone()), &us, "r2"));
        assert!(is_ready(&kustomization("other", ready), &us, "r2"));
        let older = json!({"observedGeneration": 1, "lastAppliedRevision": "r1", "conditions": condition("True")});
        assert!(!is_ready(&kustomization("one", older), &us, "r1"));
        let failed = json!({"observedGeneration": 2, "lastAppliedRevision": "r1", "conditions": condition("False")});
        assert!(!is_ready(&kustomization("one", failed), &us, "r1"));
        assert!(!is_ready(&kustomization("one", json!({})), &us, "r1"));
    }
}
