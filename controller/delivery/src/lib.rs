//! GitRepository and Kustomization: fetch, render, apply, prune.
//!
//! The part does what Flux's source-controller and kustomize-controller do, in one process: no archive travels between
//! them, and an object that somebody changes is put back when it changes, not at the next interval.
//!
//! ```text
//! git_repository   asks the server (proof of access), fetches into a bare repository, publishes the revision
//!      | wakes, when the revision is new
//! kustomization    gather: the revision's files, rendered by us or by the real kustomize
//!                    plan: what is new, other, changed by somebody, no longer wanted       pure
//!                      record what will be ours, then apply, then prune
//!      ^ wakes, when an applied object is not as it was left
//! cluster          one object: apply, delete, how it was left and how it is
//! ```
//!
//! # Invariants
//! - What will be ours is recorded before the first write of it, and taken out after the last.
//! - Only what the inventory has and the owner labels confirm is deleted, and nothing that another Kustomization wants.
//! - Nothing is checked out; no process sees more of the machine than its arguments; a password is in no argument.
//! - Looking and finding nothing to do writes nothing.

mod arguments;
pub mod claims;
pub mod cluster;
mod conditions;
mod finalizer;
pub mod git;
pub mod git_repository;
pub mod health;
mod hex;
pub mod inventory;
pub mod kustomization;
pub mod order;
pub mod owner;
pub mod render;
mod room;
mod run;
pub mod sources;
mod status_patch;
pub mod tree;
pub mod trigger;
pub mod wake;

pub use arguments::Arguments;
pub use run::run;
