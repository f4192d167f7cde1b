//! The API types that Signet serves, and the one configured YAML reader.
//!
//! One module per kind. Each holds the kind's spec and status as the incumbent's Go types have them,
//! and beside them the names that go with the kind: labels, annotations, finalizers, condition types
//! and reasons. Nothing here talks to a cluster.
//!
//! The types are lenient where one undecodable object would stall the watch of all its siblings: a
//! list that fails to decode fails whole. What is wrong inside an object is said by the reconciler,
//! in that object's own condition.

mod lenient;
mod open_enum;
mod written;

pub mod cluster_external_secret;
pub mod definitions;
pub mod duration;
pub mod external_secret;
pub mod flux;
pub mod generator;
pub mod git_repository;
pub mod kustomization;
pub mod sealed_secret;
pub mod secret_store;
pub mod yaml;

pub use definitions::all;
