//! What wakes a reconcile: SealedSecrets, the Secrets of their names, and the keys.
//!
//! Nothing that is kept here carries a ciphertext or a value. A SealedSecret is kept as its
//! metadata and status, a Secret as a few words about it; a body is fetched when there is work, or held
//! from its coming until its first look.

mod allowed;
mod bodies;
mod merged;
mod news;
mod secrets;
mod watched;

/// What is off without SealedSecrets.
pub(crate) const FEATURE: &str = "unsealing";

/// What is off without a watch of Secrets.
pub(crate) const NOTICING: &str = "noticing edited and deleted Secrets";

pub(crate) use bodies::Bodies;
pub(crate) use merged::sealed_secrets;
pub(crate) use news::{News, watch_secrets};
#[cfg(test)]
pub(crate) use secrets::Sighting;
pub(crate) use secrets::{Look, SecretIndex};
pub(crate) use watched::{Watched, scope_of};
