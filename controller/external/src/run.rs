//! The part as a whole.

use std::sync::Arc;

use kit::Context;
use tracing::info;

use crate::{
    Arguments, cluster_external_secret, config_maps, external_secret, metrics, namespaces,
    part::Part, secrets, settings::Settings, store,
};

/// Keeps Secrets in step with AWS Secrets Manager until the shutdown is requested. To be called by
/// whoever leads.
pub async fn run(context: Context, arguments: Arguments) {
    Box::pin(run_with(context, arguments.settings(false))).await;
}

/// The same with settings instead of flags.
pub async fn run_with(context: Context, settings: Settings) {
    let part = Part::new(context, settings);
    metrics::register(&part);
    info!("external secrets: started");
    tokio::join!(
        secrets::watch(Arc::clone(&part)),
        config_maps::watch(Arc::clone(&part)),
        namespaces::watch(Arc::clone(&part)),
        store::run(Arc::clone(&part)),
        external_secret::run(Arc::clone(&part)),
        cluster_external_secret::run(Arc::clone(&part)),
    );
    info!("external secrets: ended");
}
