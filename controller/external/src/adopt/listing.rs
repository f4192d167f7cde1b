//! The lists of what is looked at.

use crds::external_secret::ExternalSecret;
use kit::{
    adopt::{Adoption, ListError, all, everywhere},
    redact,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
};

use crate::settings::Settings;

/// The ExternalSecrets.
///
/// # Errors
/// [`ListError`] when the API server refuses or does not answer.
pub(super) async fn external_secrets(
    client: &Client,
    settings: &Settings,
) -> Result<Vec<ExternalSecret>, ListError> {
    let all = ListParams::default();
    everywhere(client, &settings.namespaces, "ExternalSecrets", &all).await
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
