//! The cluster that things are applied to: which kinds it serves, applying and deleting one object, and what is known
//! of the objects that were applied.

mod apply;
mod delete;
mod failure;
mod fingerprint;
mod impersonate;
mod kinds;
mod live;
mod memory;
mod takeover;
mod watched;

pub use apply::{Applied, Applier, Change, Expectation};
pub use delete::{Deleted, delete};
pub use failure::{ObjectError, Why};
pub use fingerprint::Fingerprint;
pub use impersonate::impersonating;
pub use kinds::{Kinds, Served};
pub use live::Live;
pub use memory::{Known, State};
pub use watched::Watched;
