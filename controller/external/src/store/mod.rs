//! SecretStore and ClusterSecretStore: whether they can be used, and as whom they ask.

mod any;
mod carry_out;
mod gather;
mod plan;
mod status;
mod watch;

pub(crate) use any::{AnyStore, Stores};
pub(crate) use gather::{GeneratorIdentity, Identities, OpenError, TokenRequests};
pub(crate) use plan::{admits, checked, is_ours, is_ready};
pub(crate) use watch::run;
