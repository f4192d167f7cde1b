//! Writing the status of an object.

use kube::{Client, Resource, ResourceExt as _, core::Request, core::params::PostParams};
use serde::{Serialize, de::DeserializeOwned};

/// Replaces the status of an object by PUT on its `/status`, guarded by its resourceVersion, and
/// returns the object as it is then.
///
/// PUT and not a patch, because the incumbents' roles grant `update` alone. Callers write only
/// when the status differs from what is there.
///
/// # Errors
/// Whatever the API server answers: 409 when the object changed meanwhile, 404 when it is gone.
pub async fn replace<K>(client: &Client, object: &K) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone,
{
    let path = K::url_path(&(), object.namespace().as_deref());
    let body = serde_json::to_vec(object).map_err(kube::Error::SerdeError)?;
    let request = Request::new(path)
        .replace_subresource("status", &object.name_any(), &PostParams::default(), body)
        .map_err(kube::Error::BuildRequest)?;
    client.request(request).await
}
