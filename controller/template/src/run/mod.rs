//! From the tree and the values to the result (`text/template/exec.go`).

mod arguments;
mod builtins;
mod compare;
mod failure;
mod fields;
mod pipeline;
mod state;

pub(crate) use builtins::BUILTINS;
pub(crate) use failure::Failure;
pub(crate) use state::{Missing, Stopped, run};
