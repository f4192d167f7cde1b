//! The flags of this part. Those of Flux keep their names.

use std::path::PathBuf;

use clap::Args;

/// Flags of the delivering part.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Delivery")]
#[group(id = "delivery")]
pub struct Arguments {
    /// The program signet-kustomize [default: beside this program, else on the PATH].
    #[arg(long, value_name = "FILE", env = "SIGNET_KUSTOMIZE")]
    pub(crate) kustomize: Option<PathBuf>,

    /// Keep fetched repositories here; what is lost is fetched again [default: a temporary directory].
    #[arg(long, value_name = "DIRECTORY", env = "SIGNET_REPOSITORIES")]
    pub(crate) repositories: Option<PathBuf>,

    /// How many GitRepositories, and how many Kustomizations, are worked on at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) delivery_concurrent: u16,

    /// Apply as this ServiceAccount where a Kustomization names none.
    #[arg(long, value_name = "NAME")]
    pub(crate) default_service_account: Option<String>,

    /// Refuse sources in other namespaces than the Kustomization's.
    #[arg(long, action = clap::ArgAction::SetTrue)]
    pub(crate) no_cross_namespace_refs: bool,
}
