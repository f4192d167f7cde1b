//! The program as its users run it: arguments and input in, output, files and exit code out.
//!
//! Where a test says "upstream", it holds a case of the incumbent's own tests, in our words.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bench;
mod controller;
mod fetching;
mod merging;
mod raw;
mod recovery;
mod sealing;
