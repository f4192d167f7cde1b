//! Lists, page by page.

use crds::external_secret::ExternalSecret;
use kit::{Namespaces, redact};
use kube::{
    Api, Client, Resource,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};
use serde::de::DeserializeOwned;

use super::{AdoptError, Adoption};
use crate::settings::Settings;

/// A page of a listing.
const PAGE: u32 = 250;

/// All objects that an API shows.
///
/// # Errors
/// What the API server said instead.
pub(super) async fn all<K>(api: &Api<K>) -> Result<Vec<K>, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut parameters = ListParams::default().limit(PAGE);
    let mut objects = Vec::new();
    loop {
        let page = api.list(&parameters).await?;
        objects.extend(page.items);
        parameters.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
        if parameters.continue_token.is_none() {
            return Ok(objects);
        }
    }
}

/// All objects of a kind in the namespaces that are looked at.
///
/// # Errors
/// [`AdoptError`] when the API server refuses or does not answer.
pub(super) async fn namespaced<K>(
    client: &Client,
    settings: &Settings,
    what: &'static str,
) -> Result<Vec<K>, AdoptError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let apis: Vec<Api<K>> = match &settings.namespaces {
        Namespaces::All => vec![Api::all(client.clone())],
        Namespaces::Only(names) => names
            .iter()
            .map(|name| Api::namespaced(client.clone(), name))
            .collect(),
    };
    let mut objects = Vec::new();
    for api in apis {
        objects.extend(all(&api).await.map_err(|error| failed(what, &error))?);
    }
    Ok(objects)
}

/// The ExternalSecrets.
///
/// # Errors
/// [`AdoptError`] when the API server refuses or does not answer.
pub(super) async fn external_secrets(
    client: &Client,
    settings: &Settings,
) -> Result<Vec<ExternalSecret>, AdoptError> {
    namespaced(client, settings, "ExternalSecrets").await
}

/// Notes PushSecrets, which nobody would serve.
pub(super) async fn push_secrets(client: &Client, adoption: &mut Adoption) {
    let kind = GroupVersionKind::gvk("external-secrets.io", "v1alpha1", "PushSecret");
    let kinds = [("PushSecrets", kind), {
        let kind = GroupVersionKind::gvk("external-secrets.io", "v1alpha1", "ClusterPushSecret");
        ("ClusterPushSecrets", kind)
    }];
    for (what, kind) in kinds {
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        match all(&api).await {
            Ok(found) if found.is_empty() => {}
            Ok(found) => adoption.problems.push(format!(
                "{} {what}: nobody pushes Secrets to AWS any more",
                found.len()
            )),
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => adoption.remarks.push(format!(
                "whether there are {what} is not known: {}",
                redact::api_error(&error)
            )),
        }
    }
}

/// The error about a list that was not had.
pub(super) fn failed(what: &'static str, error: &kube::Error) -> AdoptError {
    AdoptError::List {
        what,
        cause: redact::api_error(error),
    }
}
