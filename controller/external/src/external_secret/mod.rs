//! ExternalSecret to Secret.
//!
//! # Expected flow
//! 1. [`watch`]: what changed, what is due, what was woken.
//! 2. [`refresh`]: whether the provider has to be asked; mostly it has not.
//! 3. [`stores`] and [`gather`]: who is asked, and what they say.
//! 4. [`attempt`]: [`assemble`] and [`plan`] say what the target should be, and what to do.
//! 5. [`carry_out`], [`report`] and [`status`]: the writes, the events, the status.
//!
//! [`reconcile`] goes through all of it and knows who waits where.
//!
//! # Guarantees
//! - Nothing is written that is there already; nothing is asked of AWS that is not due.
//! - A Secret that another controller owns is never taken over.
//! - An error changes nothing that was written before.

mod assemble;
mod attempt;
mod carry_out;
mod desired;
mod digest;
mod failure;
mod foresee;
mod gather;
mod plan;
mod questions;
mod reconcile;
mod refresh;
mod render;
mod report;
mod sources;
mod spec;
mod status;
mod stores;
mod target;
mod view;
mod watch;
mod windows;

pub(crate) use foresee::{Ask, Foreseen, Foresight, foresee, target_of};
pub(crate) use questions::{generators, stores};
pub(crate) use watch::run;
