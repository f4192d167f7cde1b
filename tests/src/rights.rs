//! The identities that a controller can be given: with our own rights, or with an incumbent's.

use crate::{ControlPlane, Failure, Kubeconfig, cache};

/// An identity and the namespace that its controller lives in.
#[derive(Clone)]
pub struct Identity {
    /// A ServiceAccount with a token.
    pub kubeconfig: Kubeconfig,
    /// Where that account is, and with it keys, Leases and published certificates.
    pub namespace: &'static str,
}

/// The rights that `deploy/base` grants.
///
/// # Errors
/// If the API server refuses its manifests.
pub async fn ours(plane: &ControlPlane) -> Result<Identity, Failure> {
    let base = cache::repository().join("deploy/base");
    let mut manifests = Vec::new();
    for file in OURS {
        manifests.push(std::fs::read_to_string(base.join(file))?);
    }
    grant(plane, &manifests, "sealed-secrets").await
}

/// The rights that the incumbent's own manifest grants to the sealed-secrets controller.
///
/// # Errors
/// If the API server refuses its manifest.
pub async fn sealed_secrets(plane: &ControlPlane) -> Result<Identity, Failure> {
    let file = cache::repository().join("tests/incumbents/sealed-secrets.yaml");
    grant(plane, &[std::fs::read_to_string(file)?], "kube-system").await
}

async fn grant(
    plane: &ControlPlane,
    manifests: &[String],
    namespace: &'static str,
) -> Result<Identity, Failure> {
    let cluster = plane.cluster().await?;
    for manifest in manifests {
        cluster.apply(manifest).await?;
    }
    let account = "sealed-secrets-controller";
    let kubeconfig = plane
        .kubeconfig_for_service_account(namespace, account)
        .await?;
    Ok(Identity {
        kubeconfig,
        namespace,
    })
}

/// All of `deploy/base` but the Deployment, which needs a node.
const OURS: [&str; 7] = [
    "namespace.yaml",
    "account.yaml",
    "cluster-role.yaml",
    "delivery-role.yaml",
    "role.yaml",
    "sealing-roles.yaml",
    "services.yaml",
];
