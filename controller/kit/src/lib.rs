//! What every reconciler needs, and nothing that knows a kind of ours: running reconciles,
//! waiting for a kind to be served, leadership, backoff, events, the writing of target Secrets,
//! processes and redaction.
//!
//! A part (sealed, external, delivery) is built from a [`Context`] and runs until
//! [`Context::shutdown`] is requested.

pub mod adopt;
pub mod backoff;
pub mod client;
mod context;
pub mod events;
pub mod exec;
pub mod lease;
pub mod metrics;
pub mod origin;
pub mod pace;
pub mod presence;
pub mod reconcile;
pub mod redact;
pub mod relisting;
mod shutdown;
pub mod status;
pub mod target;

pub use context::{Context, Namespaces};
pub use keys::SecretBytes;
pub use metrics::Metrics;
pub use shutdown::{Shutdown, Stopped};
