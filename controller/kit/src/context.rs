//! What the process hands to each of its parts.

use crate::{Metrics, Shutdown};

/// What the process hands to each of its parts. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Context {
    /// The connection to the API server.
    pub client: kube::Client,
    /// The namespace that the process itself lives in: its key Secrets, its Lease and the
    /// published certificate are there.
    pub namespace: String,
    /// Tells when to end.
    pub shutdown: Shutdown,
    /// Where the part registers what it counts.
    pub metrics: Metrics,
}

/// Which namespaces a part looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// The whole cluster, by cluster-wide lists and watches.
    All,
    /// These, each by a list and a watch of its own. For cluster-scoped kinds the same as `All`.
    Only(Vec<String>),
}
