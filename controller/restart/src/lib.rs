//! Workloads that are restarted when a Secret that they read has changed.
//!
//! A Deployment, StatefulSet or DaemonSet with the annotation `signet.dev/restart: "true"` gets a keyed
//! digest of the Secrets that its pods read, as an annotation on its pod template. When a Secret
//! changes, the digest does, and Kubernetes rolls the workload out. Whose Secret it is does not matter.
//!
//! # Invariants
//! - The digest is an HMAC under a key that stays in the controller's namespace: who reads the
//!   workload cannot test guesses of a value.
//! - One annotation is written, by a field manager of its own, and nothing else.
//! - Bodies of Secrets are read when a digest is made, and dropped.
//!
//! The first digest is a change of the pod template, so opting in rolls a workload out once.

mod digest;
mod key;
mod pods;
mod reconcile;
mod run;
mod secrets;
mod workload;

pub use run::run;
