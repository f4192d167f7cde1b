//! Lists, page by page.

use kube::{Api, Client, Resource, api::ListParams};
use serde::de::DeserializeOwned;

use crate::{Namespaces, redact};

/// A page of a listing.
const PAGE: u32 = 250;

/// A list was not had.
#[derive(Debug, thiserror::Error)]
#[error("list {what}: {cause}")]
pub struct ListError {
    /// The kind.
    pub what: &'static str,
    /// What the API server said.
    pub cause: String,
}

impl ListError {
    /// The error about a list of `what`.
    pub fn new(what: &'static str, error: &kube::Error) -> Self {
        let cause = redact::api_error(error);
        Self { what, cause }
    }
}

/// All objects that an API shows and `parameters` select.
///
/// # Errors
/// What the API server said instead.
pub async fn all<K>(api: &Api<K>, mut parameters: ListParams) -> Result<Vec<K>, kube::Error>
where
    K: Clone + DeserializeOwned + std::fmt::Debug,
{
    parameters.limit = Some(PAGE);
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

/// All objects of a kind in the namespaces that are looked at; `what` names the kind in the error.
///
/// # Errors
/// [`ListError`] when the API server refuses or does not answer.
pub async fn everywhere<K>(
    client: &Client,
    namespaces: &Namespaces,
    what: &'static str,
    parameters: &ListParams,
) -> Result<Vec<K>, ListError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let apis: Vec<Api<K>> = match namespaces {
        Namespaces::All => vec![Api::all(client.clone())],
        Namespaces::Only(names) => names
            .iter()
            .map(|name| Api::namespaced(client.clone(), name))
            .collect(),
    };
    let mut objects = Vec::new();
    for api in apis {
        let found = all(&api, parameters.clone()).await;
        objects.extend(found.map_err(|error| ListError::new(what, &error))?);
    }
    Ok(objects)
}
