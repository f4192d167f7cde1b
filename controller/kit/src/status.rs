//! Writing the status of an object.

use kube::{
    Client, Resource, ResourceExt as _,
    core::{ObjectMeta, Request, TypeMeta, object::HasStatus, params::PostParams},
};
use serde::{Serialize, de::DeserializeOwned};

/// Replaces the status of an object by PUT on its `/status`, guarded by its uid and resourceVersion,
/// and returns the object as it is then.
///
/// PUT and not a patch, because the incumbents' roles grant `update` alone. Callers write only
/// when the status differs from what is there.
///
/// # Errors
/// Whatever the API server answers: 409 when the object changed meanwhile, 404 when it is gone.
pub async fn replace<K>(client: &Client, object: &K) -> Result<K, kube::Error>
where
    K: Resource<DynamicType = ()> + HasStatus<Status: Serialize> + DeserializeOwned,
{
    let path = K::url_path(&(), object.namespace().as_deref());
    let body = serde_json::to_vec(&StatusOnly::of(object)).map_err(kube::Error::SerdeError)?;
    let request = Request::new(path)
        .replace_subresource("status", &object.name_any(), &PostParams::default(), body)
        .map_err(kube::Error::BuildRequest)?;
    client.request(request).await
}

/// What the API server takes from a PUT on `/status`. It keeps the rest as it has it
/// (apiextensions-apiserver, `statusStrategy.PrepareForUpdate`), so the rest is not sent: a
/// SealedSecret's ciphertexts alone would be most of what it has to decode.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusOnly<'a, S> {
    #[serde(flatten)]
    types: TypeMeta,
    metadata: ObjectMeta,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a S>,
}

impl<'a, S> StatusOnly<'a, S> {
    fn of<K: Resource<DynamicType = ()> + HasStatus<Status = S>>(object: &'a K) -> Self {
        let known = object.meta();
        Self {
            types: TypeMeta {
                api_version: K::api_version(&()).into_owned(),
                kind: K::kind(&()).into_owned(),
            },
            metadata: ObjectMeta {
                name: known.name.clone(),
                namespace: known.namespace.clone(),
                uid: known.uid.clone(),
                resource_version: known.resource_version.clone(),
                ..ObjectMeta::default()
            },
            status: object.status(),
        }
    }
}
