//! ExternalSecret to Secret.
//!
//! # Expected flow
//! 1. [`watch`]: what changed, what is due, what was woken.
//! 2. [`refresh`]: whether the provider has to be asked; mostly it has not.
//! 3. [`gather`]: stores, values, the target as it is.
//! 4. [`assemble`] and [`plan`]: the target as it should be, and what to do.
//! 5. [`carry_out`] and [`status`]: the writes, the events, the status.
//!
//! # Guarantees
//! - Nothing is written that is there already; nothing is asked of AWS that is not due.
//! - A Secret that another controller owns is never taken over.
//! - An error changes nothing that was written before.

mod assemble;
mod carry_out;
mod desired;
mod failure;
mod gather;
mod plan;
mod questions;
mod reconcile;
mod refresh;
mod render;
mod sources;
mod status;
mod view;
mod watch;
mod windows;

pub(crate) use watch::run;
