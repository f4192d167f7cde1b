//! Holding an object until what it made is gone.

use kube::{
    Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    core::Request,
};
use serde_json::{Value, json};

/// Adds a finalizer, if it is not there.
///
/// # Errors
/// What the API server says: 409 when the object changed meanwhile.
pub(crate) async fn add<K: Resource<DynamicType = ()>>(
    client: &Client,
    object: &K,
    name: &str,
) -> Result<(), kube::Error> {
    if object.finalizers().iter().any(|known| known == name) {
        return Ok(());
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(name.to_owned());
    write(client, object, &finalizers).await
}

/// Removes a finalizer, if it is there. An object that is gone is no error.
///
/// # Errors
/// What the API server says: 409 when the object changed meanwhile.
pub(crate) async fn remove<K: Resource<DynamicType = ()>>(
    client: &Client,
    object: &K,
    name: &str,
) -> Result<(), kube::Error> {
    let finalizers: Vec<String> = object
        .finalizers()
        .iter()
        .filter(|known| *known != name)
        .cloned()
        .collect();
    if finalizers.len() == object.finalizers().len() {
        return Ok(());
    }
    match write(client, object, &finalizers).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other,
    }
}

/// The list is replaced whole, so the resourceVersion guards what others put into it.
async fn write<K: Resource<DynamicType = ()>>(
    client: &Client,
    object: &K,
    finalizers: &[String],
) -> Result<(), kube::Error> {
    let metadata = object.meta();
    let patch = json!({"metadata": {
        "uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": finalizers,
    }});
    let request = Request::new(K::url_path(&(), object.namespace().as_deref()))
        .patch(
            &object.name_any(),
            &PatchParams::default(),
            &Patch::Merge(patch),
        )
        .map_err(kube::Error::BuildRequest)?;
    client.request::<Value>(request).await.map(drop)
}
