//! What taking a cluster over would change: `controller adopt --dry-run`. Nothing is written, and AWS
//! is not asked: whether its values are still those of the Secrets is seen when they are due.

mod cluster;
mod incumbents;
mod objects;
mod push_secrets;
mod stores;

use kit::adopt::{Adoption, ListError, everywhere};
use kube::{Client, api::ListParams};

use crate::Arguments;

/// Looks at everything with the eyes of a controller that starts with these arguments.
///
/// # Errors
/// [`ListError`] when what it is about cannot be listed.
pub async fn adopt(client: &Client, arguments: Arguments) -> Result<Adoption, ListError> {
    let settings = &arguments.settings(false);
    let mut adoption = Adoption::default();
    incumbents::look(client, &mut adoption).await;
    let stores = stores::look(client, settings, &mut adoption).await?;
    let (namespaces, selected) = (&settings.namespaces, ListParams::default());
    let objects = everywhere(client, namespaces, "ExternalSecrets", &selected).await?;
    objects::look(client, settings, &stores, &objects, &mut adoption).await;
    if settings.cluster_external_secrets {
        cluster::look(client, &objects, &mut adoption).await?;
    }
    push_secrets::look(client, &mut adoption).await;
    Ok(adoption)
}
