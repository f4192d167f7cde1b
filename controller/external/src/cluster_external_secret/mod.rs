//! ClusterExternalSecret: one ExternalSecret in many namespaces.
//!
//! No finalizer is put on anything: the ExternalSecrets are owned, so the garbage collector takes
//! them away. The incumbent's finalizers, on the object and on every namespace that it ever
//! matched, are taken away where they would keep something from going.

mod carry_out;
mod plan;
mod watch;

pub(crate) use carry_out::{NAMESPACE_FINALIZER, release};
pub(crate) use plan::{Action, plan};
pub(crate) use watch::run;
