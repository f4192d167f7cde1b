//! What a GitRepository refers to.

use crds::git_repository::GitRepository;
use k8s_openapi::api::core::v1::Secret as CoreSecret;
use kit::redact;
use kube::{Api, Client, ResourceExt as _};

use super::plan::Secret;

/// Reads the Secret with the credentials. Its body is dropped when the reconcile ends.
pub(super) async fn secret(client: &Client, repository: &GitRepository) -> Secret {
    let Some(reference) = &repository.spec.secret_ref else {
        return Secret::None;
    };
    let namespace = repository.namespace().unwrap_or_default();
    let name = &reference.name;
    // A name goes into a path; what is no name of a Secret is not asked for.
    let is_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if name.is_empty() || !name.bytes().all(is_name) {
        return Secret::Missing(format!(
            "{namespace}/{}: not the name of a Secret",
            redact::foreign(name)
        ));
    }
    match Api::<CoreSecret>::namespaced(client.clone(), &namespace)
        .get_opt(name)
        .await
    {
        Ok(Some(secret)) => Secret::Found {
            uid: secret.metadata.uid.unwrap_or_default(),
            data: secret.data.unwrap_or_default(),
        },
        Ok(None) => Secret::Missing(format!("{namespace}/{name}: secrets \"{name}\" not found")),
        Err(error) => Secret::Missing(format!("{namespace}/{name}: {}", redact::api_error(&error))),
    }
}
