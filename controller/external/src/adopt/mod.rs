//! What taking a cluster over would change: `controller adopt --dry-run`. Nothing is written, and AWS
//! is not asked: whether its values are still those of the Secrets is seen when they are due.

mod cluster;
mod incumbents;
mod listing;
mod objects;
mod stores;

use kit::adopt::{Adoption, ListError};
use kube::Client;

use crate::{Arguments, settings::Settings};

/// Looks at everything with the eyes of a controller that starts with these arguments.
///
/// # Errors
/// [`ListError`] when what it is about cannot be listed.
pub async fn adopt(client: &Client, arguments: Arguments) -> Result<Adoption, ListError> {
    adopt_with(client, &arguments.settings(false)).await
}

async fn adopt_with(client: &Client, settings: &Settings) -> Result<Adoption, ListError> {
    let mut adoption = Adoption::default();
    incumbents::look(client, &mut adoption).await;
    let stores = stores::look(client, settings, &mut adoption).await?;
    let objects = listing::external_secrets(client, settings).await?;
    objects::look(client, settings, &stores, &objects, &mut adoption).await;
    if settings.cluster_external_secrets {
        cluster::look(client, &objects, &mut adoption).await?;
    }
    listing::push_secrets(client, &mut adoption).await;
    Ok(adoption)
}
