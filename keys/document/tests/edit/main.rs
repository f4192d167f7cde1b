//! Edits leave every other byte as it is, in every style that a file may have.

#![expect(clippy::unwrap_used, reason = "tests")]

mod cases;
mod generated;
mod properties;
