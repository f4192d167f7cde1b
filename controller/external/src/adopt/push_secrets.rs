//! The PushSecrets, which nobody would serve.

use kit::{
    adopt::{Adoption, all},
    redact,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

/// Looks whether there are any, of a namespace or of the cluster.
pub(super) async fn look(client: &Client, adoption: &mut Adoption) {
    for kind in ["PushSecret", "ClusterPushSecret"] {
        let what = format!("{kind}s");
        let kind = GroupVersionKind::gvk("external-secrets.io", "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        match all(&api, ListParams::default()).await {
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
