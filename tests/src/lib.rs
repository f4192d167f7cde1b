//! The harness: real components that a test, the demo or the benchmark starts and ends.
//!
//! Nothing here stands in for something else. The API server, etcd, the controller manager, kubectl,
//! the real kubeseal and kustomize are built from their Go modules ([`cache`], [`preparation`]), AWS
//! is moto, Git is git's own `http-backend`. What is between them and the controller can be counted
//! and disturbed: [`ApiProxy`] before the API server, [`Moto`] before AWS, [`GitServer`] before Git.
//!
//! ```text
//!   test ── Controller ──▶ ApiProxy ──▶ ControlPlane (kube-apiserver, etcd, kube-controller-manager)
//!               ├────────▶ Moto     (counts, errors, delays) ──▶ moto_server
//!               └────────▶ GitServer (password, errors)       ──▶ git http-backend
//! ```
//!
//! Rules that the harness keeps:
//! - A missing component is a [`Failure`], never a skipped test.
//! - It ends exactly the processes that it started, and these end with it even when it is killed.
//! - Nothing is found through `PATH` but `git`, `python3`, `go`, `ip` and util-linux's `setpriv` and
//!   `unshare`, which README names.
//! - It waits for conditions ([`eventually`]), never for a fixed time.

mod api_proxy;
pub mod cache;
mod cluster;
mod control_plane;
mod controller;
mod eventually;
mod failure;
mod faults;
mod git_repository;
mod git_server;
mod invocation;
mod kubeconfig;
pub mod module_file;
mod moto;
pub mod objects;
pub mod own_network;
pub mod preparation;
mod process;
mod real_controller;
mod real_kubeseal;
pub mod rights;
mod scratch;
mod share;
pub mod shop;
mod upstream;

pub use api_proxy::{ApiProxy, Write};
pub use cluster::{Cluster, Coordinates};
pub use control_plane::{ControlPlane, definitions};
pub use controller::{Controller, ControllerBuilder, adoption};
pub use eventually::{Observation, eventually, eventually_within};
pub use failure::Failure;
pub use faults::{Fault, Faults};
pub use git_repository::GitRepository;
pub use git_server::{Credentials, GitServer};
pub use invocation::{Invocation, Outcome};
pub use kubeconfig::Kubeconfig;
pub use moto::{Call, Moto, REGION};
pub use process::{Process, ProcessBuilder};
pub use real_controller::RealController;
pub use real_kubeseal::RealKubeseal;
pub use scratch::Scratch;
pub use share::{Shared, share};
pub use upstream::get;
