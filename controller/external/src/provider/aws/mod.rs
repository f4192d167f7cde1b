//! AWS Secrets Manager.
//!
//! There is one HTTP client for all, and one client and one cache of credentials for each identity.
//! Nothing here logs or prints a credential or a value.

mod account;
mod clients;
mod credentials;
mod error;
mod identity;
mod registry;
mod secrets_manager;

pub use clients::Endpoints;
pub(crate) use clients::{Clients, Retries, Tokens};
pub(crate) use identity::{Assume, Base, Identity, Principal, StaticKeys, WebIdentity};
pub(crate) use secrets_manager::SecretsManager;
