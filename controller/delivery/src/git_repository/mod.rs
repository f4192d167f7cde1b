//! GitRepository: asking a server for news, fetching them, and saying so as Flux's source-controller does.

mod carry_out;
mod gather;
mod plan;
mod status;
mod watch;

pub use watch::{Fetching, controller, run};
