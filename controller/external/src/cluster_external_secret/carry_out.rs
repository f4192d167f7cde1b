//! Bringing the ExternalSecrets of a ClusterExternalSecret in step.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crds::{cluster_external_secret::ClusterExternalSecret, external_secret::ExternalSecret};
use k8s_openapi::api::core::v1::Namespace;
use kit::{
    reconcile::{Failure, Next, Reconcile, Retry},
    redact,
};
use kube::{
    Api, Resource, ResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tracing::info;

use super::plan::{self, Action, Plan, plan};
use crate::{dependents::Named, key::Key, part::Part};

/// How often the namespaces are looked through where the manifest says nothing. Changes of
/// namespaces and of ExternalSecrets wake it anyway.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// The incumbent's finalizer on the object (`ClusterExternalSecretFinalizer`).
const FINALIZER: &str = "externalsecrets.external-secrets.io/clusterexternalsecret-cleanup";
/// What the incumbent's finalizers on namespaces begin with; the object's name follows.
pub(crate) const NAMESPACE_FINALIZER: &str = "externalsecrets.external-secrets.io/ces-";
/// The field manager that the incumbent's binary has.
const FIELD_MANAGER: &str = "external-secrets";

/// Keeps ExternalSecrets in step with ClusterExternalSecrets.
pub(crate) struct ClusterExternalSecrets(pub(crate) Arc<Part>);

/// Why not every namespace has what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterFailure {
    /// Some namespaces failed, and the status says which.
    #[error("one or more namespaces failed: {0}")]
    Namespaces(String),
    /// The API server did not do what was asked.
    #[error("{0}")]
    Api(String),
}

impl Failure for ClusterFailure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Namespaces(_) => "NamespacesFailed",
            Self::Api(_) => "ApiServer",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

impl Reconcile for ClusterExternalSecrets {
    type Kind = ClusterExternalSecret;
    type Failure = ClusterFailure;

    async fn reconcile(&self, object: Arc<ClusterExternalSecret>) -> Result<Next, ClusterFailure> {
        let part = &self.0;
        if object.metadata.deletion_timestamp.is_some() {
            return let_go(part, &object).await;
        }
        let namespaces = part.namespaces.alive();
        let plan = plan(&object, &namespaces, &|namespace, name| {
            part.object(&Key::new(namespace, name))
        });
        depend(part, &object, &plan, &namespaces);
        let mut failed = plan.failed.clone();
        for (namespace, action) in &plan.actions {
            if let Err(reason) = act(part, &object, namespace, action).await {
                failed.insert(namespace.clone(), reason);
            }
        }
        report(part, &object, &plan, &failed).await?;
        if failed.is_empty() {
            let asked = object
                .spec
                .refresh_interval
                .as_deref()
                .map(crds::duration::parse);
            let asked = asked.and_then(Result::ok).filter(|asked| !asked.is_zero());
            return Ok(Next::After(asked.unwrap_or(INTERVAL)));
        }
        let failed = failed
            .into_iter()
            .map(|(namespace, reason)| format!("{namespace}: {reason}"));
        Err(ClusterFailure::Namespaces(
            failed.collect::<Vec<_>>().join(", "),
        ))
    }
}

/// Notes what wakes the object: its ExternalSecrets, those in its way, and every namespace.
fn depend(
    part: &Part,
    object: &ClusterExternalSecret,
    plan: &Plan,
    namespaces: &BTreeMap<String, BTreeMap<String, String>>,
) {
    let name = plan::name_of(object);
    let concerned = plan.provisioned.iter().chain(plan.failed.keys());
    let objects = concerned.map(|namespace| Named::ExternalSecret {
        namespace: namespace.clone(),
        name: name.clone(),
    });
    let namespaces = namespaces
        .keys()
        .map(|name| Named::Namespace { name: name.clone() });
    let names: BTreeSet<Named> = objects.chain(namespaces).collect();
    part.cluster_dependents.set(&Key::of(object), names);
}

async fn act(
    part: &Part,
    object: &ClusterExternalSecret,
    namespace: &str,
    action: &Action,
) -> Result<(), String> {
    let api: Api<ExternalSecret> = Api::namespaced(part.context.client.clone(), namespace);
    let parameters = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let _call = part.calls.acquire().await;
    let (done, word) = match action {
        Action::Create(wanted) => (api.create(&parameters, wanted).await.map(drop), "created"),
        Action::Replace(wanted) => (
            api.replace(&wanted.name_any(), &parameters, wanted)
                .await
                .map(drop),
            "updated",
        ),
        Action::Delete(name) => {
            let found = part.object(&Key::new(namespace, name));
            let found = found.filter(|found| plan::is_owned(found, object));
            let uid = found.and_then(|found| found.uid());
            let preconditions = Some(Preconditions {
                uid,
                resource_version: None,
            });
            let parameters = DeleteParams {
                preconditions,
                ..DeleteParams::default()
            };
            let done = api.delete(name, &parameters).await.map(drop);
            (
                done.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) }),
                "deleted",
            )
        }
    };
    done.map_err(|error| redact::api_error(&error))?;
    info!(namespace, "external secret {word}");
    Ok(())
}

async fn report(
    part: &Part,
    object: &ClusterExternalSecret,
    plan: &Plan,
    failed: &BTreeMap<String, String>,
) -> Result<(), ClusterFailure> {
    let status = plan::status(object, plan, failed);
    if object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let changed = ClusterExternalSecret {
        status: Some(status),
        ..object.clone()
    };
    let _call = part.calls.acquire().await;
    let written = kit::status::replace(&part.context.client, &changed).await;
    written
        .map(drop)
        .map_err(|error| ClusterFailure::Api(redact::api_error(&error)))
}

/// Takes the incumbent's finalizers away. The ExternalSecrets follow their owner.
async fn let_go(part: &Part, object: &ClusterExternalSecret) -> Result<Next, ClusterFailure> {
    let client = &part.context.client;
    let on_namespace = format!("{NAMESPACE_FINALIZER}{}", object.name_any());
    for namespace in part.namespaces.held_by(&on_namespace) {
        release(
            part,
            &Api::<Namespace>::all(client.clone()),
            &namespace,
            &on_namespace,
        )
        .await?;
    }
    if object.finalizers().iter().any(|name| name == FINALIZER) {
        let api = Api::<ClusterExternalSecret>::all(client.clone());
        release(part, &api, &object.name_any(), FINALIZER).await?;
    }
    part.cluster_dependents.forget(&Key::of(object));
    Ok(Next::WaitForChange)
}

/// Takes one finalizer away from an object, whatever else it carries.
///
/// # Errors
/// When the API server refuses. An object that is gone is no error.
pub(crate) async fn release<K>(
    part: &Part,
    api: &Api<K>,
    name: &str,
    finalizer: &str,
) -> Result<(), ClusterFailure>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let failed = |error: &kube::Error| ClusterFailure::Api(redact::api_error(error));
    let _call = part.calls.acquire().await;
    let found = api
        .get_metadata_opt(name)
        .await
        .map_err(|error| failed(&error))?;
    let Some(found) = found else { return Ok(()) };
    let all = found.metadata.finalizers.clone().unwrap_or_default();
    let rest: Vec<&String> = all.iter().filter(|other| *other != finalizer).collect();
    if rest.len() == all.len() {
        return Ok(());
    }
    let patch = json!({"metadata": {
        "finalizers": rest, "resourceVersion": found.metadata.resource_version,
    }});
    match api
        .patch_metadata(name, &PatchParams::default(), &Patch::Merge(patch))
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if is_gone(&error) => Ok(()),
        Err(error) => Err(failed(&error)),
    }
}

fn is_gone(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
