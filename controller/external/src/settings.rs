//! How the part runs.

use std::time::Duration;

use kit::Namespaces;

use crate::provider::aws::Endpoints;

/// How the part runs. The names in brackets are the incumbent's flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The class of stores that are ours, besides those of no class (`--controller-class`).
    pub class: String,
    /// Which namespaces are looked at (`--namespace`).
    pub namespaces: Namespaces,
    /// How many ExternalSecrets are worked on at the same time, in each of two lanes: what is new or
    /// changed, and what is due. (`--concurrent`; almost all of that work is waiting.)
    pub concurrency: u16,
    /// How often a store that says nothing itself is validated (`--store-requeue-interval`).
    pub store_interval: Duration,
    /// Whether ClusterSecretStores are served (`--enable-cluster-store-reconciler`).
    pub cluster_stores: bool,
    /// Whether ClusterExternalSecrets are served (`--enable-cluster-external-secret-reconciler`).
    pub cluster_external_secrets: bool,
    /// Whether an ExternalSecret waits until its store is ready (`--enable-flood-gate`).
    pub flood_gate: bool,
    /// Whether Secrets may be made that mint tokens (`--allow-privileged-secret-types`).
    pub privileged_types: bool,
    /// What stands around an action of a template (`--template-left-delimiter`,
    /// `--template-right-delimiter`).
    pub delimiters: (String, String),
    /// Where AWS is (`AWS_SECRETSMANAGER_ENDPOINT`, `AWS_STS_ENDPOINT`).
    pub endpoints: Endpoints,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            class: "default".to_owned(),
            namespaces: Namespaces::All,
            concurrency: 256,
            store_interval: Duration::from_secs(5 * 60),
            cluster_stores: true,
            cluster_external_secrets: true,
            flood_gate: true,
            privileged_types: false,
            delimiters: ("{{".to_owned(), "}}".to_owned()),
            endpoints: Endpoints::default(),
        }
    }
}
