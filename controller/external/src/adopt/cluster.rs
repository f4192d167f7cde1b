//! The ClusterExternalSecrets: what would be written to the ExternalSecrets that they made.

use std::collections::BTreeMap;

use crds::{cluster_external_secret::ClusterExternalSecret, external_secret::ExternalSecret};
use k8s_openapi::api::core::v1::Namespace;
use kit::{
    adopt::{Adoption, ListError, all},
    redact,
};
use kube::{Api, Client, ResourceExt as _, api::ListParams};

use crate::{
    cluster_external_secret::{Action, plan},
    key::Key,
};

/// Looks at every ClusterExternalSecret. `objects` are the ExternalSecrets that are there.
///
/// # Errors
/// [`ListError`] when namespaces cannot be listed.
pub(super) async fn look(
    client: &Client,
    objects: &[ExternalSecret],
    adoption: &mut Adoption,
) -> Result<(), ListError> {
    let clusters = match all(
        &Api::<ClusterExternalSecret>::all(client.clone()),
        ListParams::default(),
    )
    .await
    {
        Ok(clusters) => clusters,
        Err(error) => {
            adoption.remarks.push(format!(
                "whether there are ClusterExternalSecrets is not known: {}",
                redact::api_error(&error)
            ));
            return Ok(());
        }
    };
    if clusters.is_empty() {
        return Ok(());
    }
    let namespaces = namespaces(client).await?;
    let there: BTreeMap<Key, &ExternalSecret> = objects
        .iter()
        .map(|object| (Key::of(object), object))
        .collect();
    for cluster in &clusters {
        let plan = plan(cluster, &namespaces, &|namespace, name| {
            there
                .get(&Key::new(namespace, name))
                .map(|found| (*found).clone())
        });
        let name = cluster.name_any();
        let changes = plan.actions.iter().map(|(namespace, action)| {
            let what = describe(action);
            format!("ExternalSecret in {namespace}, of ClusterExternalSecret {name}, {what}")
        });
        adoption.changes.extend(changes);
        let failed = plan.failed.iter().map(|(namespace, cause)| {
            format!("ClusterExternalSecret {name} in {namespace}: {cause}")
        });
        adoption.problems.extend(failed);
    }
    adoption
        .remarks
        .push(format!("{} ClusterExternalSecrets", clusters.len()));
    Ok(())
}

fn describe(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "would be created",
        Action::Replace(_) => "would be changed",
        Action::Delete(_) => "would be deleted",
    }
}

/// The labels of the namespaces that are not being deleted.
async fn namespaces(
    client: &Client,
) -> Result<BTreeMap<String, BTreeMap<String, String>>, ListError> {
    let listed = all(
        &Api::<Namespace>::all(client.clone()),
        ListParams::default(),
    )
    .await
    .map_err(|error| ListError::new("Namespaces", &error))?;
    let alive = listed
        .into_iter()
        .filter(|namespace| namespace.metadata.deletion_timestamp.is_none());
    Ok(alive
        .map(|namespace| (namespace.name_any(), namespace.labels().clone()))
        .collect())
}
