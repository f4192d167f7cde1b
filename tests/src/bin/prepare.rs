//! Builds what the tests, the demo and the benchmark need into the cache; does nothing where it is.

use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "a command that shows its progress")]
fn main() -> ExitCode {
    match tests::preparation::prepare(&mut |line| eprintln!("prepare: {line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("prepare: failed to {failure}");
            ExitCode::FAILURE
        }
    }
}
