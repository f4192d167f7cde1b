//! Standard output and standard error. Results go to the one, everything else to the other.

use std::io::{self, Write as _};

use crate::error::Failure;

/// Writes the result to standard output.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // Whoever reads us has read enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| Failure::work(format!("write /dev/stdout: {error}"))),
    }
}

/// Says something beside the result.
#[expect(clippy::print_stderr, reason = "the one place for remarks")]
pub(crate) fn remark(text: &str) {
    eprintln!("{text}");
}

/// Says why the program ends.
#[expect(clippy::print_stderr, reason = "the one place for errors")]
pub(crate) fn complain(failure: &Failure) {
    eprintln!("error: {failure}");
}
