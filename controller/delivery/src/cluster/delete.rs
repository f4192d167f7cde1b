//! Deleting one object that a repository no longer has (fluxcd/pkg ssa manager_delete.go).

use crds::kustomization as names;
use kit::redact;
use kube::{
    Client,
    api::{DeleteParams, Preconditions, PropagationPolicy},
    core::{DynamicObject, PartialObjectMeta, params::GetParams},
};
use serde_json::Value;

use super::{Kinds, ObjectError, Why, live::says};
use crate::{inventory::ObjectId, owner::Owner};

/// What became of an object that is no longer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deleted {
    /// It is being deleted by us.
    Now,
    /// It was gone already, with its kind perhaps.
    Before,
    /// It stays, because it is not ours any more or says that it stays.
    Left,
}

/// Deletes the object if its labels say that it is `owner`'s and nothing on it says that it stays.
///
/// # Errors
/// [`ObjectError`] with the object and the cause.
pub async fn delete(
    client: &Client,
    kinds: &Kinds,
    owner: &Owner,
    id: &ObjectId,
    version: &str,
) -> Result<Deleted, ObjectError> {
    let failed = |why| ObjectError {
        id: id.clone(),
        why,
    };
    let from_api = |error: kube::Error| failed(Why::from_api(&error, id.kind == "Secret"));
    let malformed = |error: kube::core::request::Error| {
        failed(Why::Refused(redact::foreign(&error.to_string())))
    };
    if !id.is_addressable() {
        return Ok(Deleted::Left);
    }
    let served = kinds
        .find_in_group(&id.group, version, &id.kind)
        .await
        .map_err(from_api)?;
    let Some(served) = served else {
        return Ok(Deleted::Before);
    };
    let request = served.request(&id.namespace);
    let get = request
        .get_metadata(&id.name, &GetParams::default())
        .map_err(malformed)?;
    let live = match client
        .request::<PartialObjectMeta<DynamicObject>>(get)
        .await
    {
        Ok(live) => live.metadata,
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(Deleted::Before),
        Err(error) => return Err(from_api(error)),
    };
    let stays = says(&live, names::PRUNE, crds::flux::DISABLED)
        || says(&live, names::RECONCILE, crds::flux::DISABLED)
        || says(&live, names::SSA, names::SSA_IGNORE);
    if stays || Owner::in_labels(&live).as_ref() != Some(owner) {
        return Ok(Deleted::Left);
    }
    if live.deletion_timestamp.is_some() {
        return Ok(Deleted::Now);
    }
    let parameters = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        // Exactly the object whose labels we saw: one of the same name that comes now is left alone.
        preconditions: Some(Preconditions {
            uid: live.uid,
            resource_version: live.resource_version,
        }),
        ..DeleteParams::default()
    };
    let delete = request.delete(&id.name, &parameters).map_err(malformed)?;
    match client.request::<Value>(delete).await {
        Ok(_) => Ok(Deleted::Now),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Deleted::Before),
        Err(error) => Err(from_api(error)),
    }
}
