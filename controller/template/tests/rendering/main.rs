//! Templates from the source to the result.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod functions;
mod golden;
mod limits;
mod properties;
mod shared;
