//! The program as its users run it: arguments and input in, output, files and exit code out.
//!
//! Where a test says "upstream", it holds a case of the incumbent's own tests, in our words.

#![expect(clippy::unwrap_used, reason = "tests")]

mod attacks;
mod bench;
mod checking;
mod controller;
mod daily;
mod differing;
mod fetching;
mod killing;
mod merging;
mod profiles;
mod raw;
mod recovery;
mod sealing;
