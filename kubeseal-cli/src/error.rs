//! What ends the program early, and with which exit code.

use std::io;
use std::path::Path;
use std::process::ExitCode;

/// A failure as the user sees it: `error: ` and the text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// `check` found so many errors, and has printed them: exit code 3.
    #[error("{0} errors were found")]
    Findings(usize),
    /// The command line is wrong: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Anything else: exit code 1.
    #[error("{0}")]
    Work(String),
}

impl Failure {
    /// A failure of the work itself.
    pub(crate) fn work(text: impl ToString) -> Self {
        Self::Work(text.to_string())
    }

    /// A file that could not be used. The text is the one that Go's `os.PathError` has, since scripts
    /// look for it.
    pub(crate) fn file(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::Work(format!("{action} {}: {}", path.display(), go_text(error)))
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Findings(_) => ExitCode::from(3),
            Self::Usage(_) => ExitCode::from(2),
            Self::Work(_) => ExitCode::FAILURE,
        }
    }
}

/// What Go prints for the usual errors of the system; Rust's text ends with a number in brackets.
pub(crate) fn go_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "read-only file system".to_owned(),
        io::ErrorKind::StorageFull => "no space left on device".to_owned(),
        _ => error.to_string(),
    }
}
