//! The connection to the API server, and the namespace that the process lives in.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use kube::Client;
use kube::{
    Config,
    client::ClientBuilder,
    config::{KubeConfigOptions, Kubeconfig},
};
use tower::layer::layer_fn;

use crate::pace::{Pace, Paced};

/// Where a pod finds the name of its namespace.
const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A connection that does not stand by then will not come soon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the longest watch that we ask for (290 s), so that only a dead connection ends by it.
const READ_TIMEOUT: Duration = Duration::from_secs(320);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The named kubeconfig could not be used.
    #[error("use the kubeconfig {}", path.display())]
    Kubeconfig {
        /// The file that `--kubeconfig` named.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// No kubeconfig was named and the process does not run in a pod.
    #[error(
        "find the cluster from inside a pod (outside of one, name a kubeconfig with --kubeconfig)"
    )]
    NotInCluster(#[source] kube::config::InClusterError),
    /// The configuration was read, but no client could be made of it.
    #[error("make a client for the API server")]
    Client(#[source] Box<kube::Error>),
}

/// A client, and the namespace of the process.
pub struct Connection {
    /// The client, with timeouts set and, unless a [`Pace`] was asked for, without any rate limit
    /// of its own.
    pub client: Client,
    /// The same without any [`Pace`]: a renewal of the Lease that waits for its turn behind other
    /// calls comes too late.
    pub unpaced: Client,
    /// `POD_NAMESPACE`, else the pod's namespace file, else the kubeconfig's context, else
    /// `default`, as the incumbent does (cmd/controller/main.go, `myNamespace`).
    pub namespace: String,
}

/// Connects with the named kubeconfig, or else as the pod that the process runs in.
///
/// # Errors
/// [`ConnectError`] says which of the two failed and why. The API server need not answer yet.
pub async fn connect(
    kubeconfig: Option<&Path>,
    own_namespace: Option<String>,
    pace: Option<Pace>,
) -> Result<Connection, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(ConnectError::NotInCluster)?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    let namespace = own_namespace
        .or_else(|| std::fs::read_to_string(NAMESPACE_FILE).ok())
        .map(|namespace| namespace.trim().to_owned())
        .filter(|namespace| !namespace.is_empty())
        .unwrap_or_else(|| config.default_namespace.clone());
    let unusable = |error| ConnectError::Client(Box::new(error));
    let unpaced = Client::try_from(config.clone()).map_err(unusable)?;
    let builder = ClientBuilder::try_from(config).map_err(unusable)?;
    let paced = layer_fn(move |inner| Paced::new(inner, pace));
    let client = builder.with_layer(&paced).build();
    Ok(Connection {
        client,
        unpaced,
        namespace,
    })
}

async fn from_file(path: &Path) -> Result<Config, ConnectError> {
    let unusable = |source| ConnectError::Kubeconfig {
        path: path.to_owned(),
        source,
    };
    let kubeconfig = Kubeconfig::read_from(path).map_err(unusable)?;
    Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unusable)
}
