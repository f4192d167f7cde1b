//! Kustomization: rendering a directory of a source, applying it, pruning what left it, and keeping it so.

mod carry_out;
mod failure;
mod fights;
mod finalize;
mod gather;
mod plan;
mod remembered;
mod served;
mod settle;
mod siblings;
mod status;
mod waiting;
mod watch;
mod work;

pub use failure::ApplyFailure;
pub use watch::{Applying, Parts, Policy, controller, run};
