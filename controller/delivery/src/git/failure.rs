//! What can go wrong between us and a repository, and how `git` says it.

use std::time::Duration;

use kit::exec::ExecError;

/// Why a Git operation failed. What `git` said comes redacted from `kit::exec`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    /// The server wants other credentials.
    #[error("authentication failed: {url} refuses the credentials: {said}")]
    Authentication {
        /// The repository.
        url: String,
        /// What `git` said.
        said: String,
    },
    /// The repository holds no commit.
    #[error("the repository {0} is empty")]
    Empty(String),
    /// The process could not run to its end.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// A file of the repository could not be written or read.
    #[error("use the directory of the repository")]
    Io(#[from] std::io::Error),
    /// The name of the host leads to a link-local address.
    #[error(
        "{0} leads to a link-local address, where machines keep their credentials, and no repository"
    )]
    LinkLocal(String),
    /// `git` did not like its own repository; it is made anew.
    #[error("git failed on its local repository: {0}")]
    Local(String),
    /// There is no `git`.
    #[error("find git on the PATH (at least version 2.39 is needed)")]
    Missing,
    /// An object that was there is not: a newer revision has taken its place.
    #[error("object {0} is not in the local repository any more")]
    NoObject(String),
    /// The reference is not there.
    #[error("the repository {url} has no {reference}")]
    NoReference {
        /// The repository.
        url: String,
        /// What was asked for.
        reference: String,
    },
    /// There is no repository at that URL, or it does not show itself to these credentials.
    #[error("there is no repository at {url}, or it needs other credentials: {said}")]
    NoRepository {
        /// The repository.
        url: String,
        /// What `git` said.
        said: String,
    },
    /// The server sends us elsewhere, and we carry credentials.
    #[error(
        "{url} redirects; credentials are not sent to another place: put the new URL into spec.url ({said})"
    )]
    Redirected {
        /// The repository.
        url: String,
        /// What `git` said.
        said: String,
    },
    /// The server sends more than we take.
    #[error(
        "{url} sends more than {} MiB for this revision, the limit of one fetch: keep large files out of the repository, or split it",
        limit >> 20
    )]
    PackTooLarge {
        /// The repository.
        url: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Anything else that `git` said about the server.
    #[error("git could not read {url}: {said}")]
    Remote {
        /// The repository.
        url: String,
        /// What `git` said.
        said: String,
    },
    /// An output that we do not understand.
    #[error("git answered something unexpected: {0}")]
    Strange(&'static str),
    /// The server did not answer in time.
    #[error("{url} did not answer within {} s (spec.timeout)", limit.as_secs())]
    TimedOut {
        /// The repository.
        url: String,
        /// The limit.
        limit: Duration,
    },
    /// The tree is over a limit.
    #[error("the tree is too large: {0}")]
    TooLarge(String),
    /// `git` is older than we need.
    #[error("this is {0}, and at least version 2.39 is needed")]
    TooOld(String),
    /// No connection.
    #[error("{url} cannot be reached: {said}")]
    Unreachable {
        /// The repository.
        url: String,
        /// What `git` said.
        said: String,
    },
}

impl GitError {
    /// Reads what `git` said on stderr about a server.
    #[must_use]
    pub fn from_remote(url: &str, said: &str) -> Self {
        let url = url.to_owned();
        let said = said.trim().to_owned();
        let lower = said.to_ascii_lowercase();
        let any = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
        if any(AUTHENTICATION) {
            Self::Authentication { url, said }
        } else if any(REDIRECTED) {
            Self::Redirected { url, said }
        } else if any(UNREACHABLE) {
            Self::Unreachable { url, said }
        } else if any(NO_REPOSITORY) {
            Self::NoRepository { url, said }
        } else if any(LOCAL) {
            Self::Local(said)
        } else {
            Self::Remote { url, said }
        }
    }
}

const AUTHENTICATION: &[&str] = &[
    "authentication failed",
    "authentication required",
    "could not read username",
    "could not read password",
    "invalid username or password",
    "terminal prompts disabled",
    "requested url returned error: 401",
    "requested url returned error: 403",
    "permission denied (publickey",
];
const REDIRECTED: &[&str] = &[
    "unable to update url base from redirection",
    "requested url returned error: 301",
    "requested url returned error: 302",
    "requested url returned error: 303",
    "requested url returned error: 307",
    "requested url returned error: 308",
];
const UNREACHABLE: &[&str] = &[
    "could not resolve host",
    "could not resolve proxy",
    "couldn't connect to server",
    "failed to connect",
    "connection refused",
    "connection reset",
    "connection timed out",
    "network is unreachable",
    "no route to host",
    "ssl certificate problem",
    "server certificate verification failed",
    "gnutls_handshake",
    "ssl_connect",
    "host key verification failed",
];
const NO_REPOSITORY: &[&str] = &[
    "not found",
    "requested url returned error: 404",
    "does not appear to be a git repository",
    "not valid: is this a git repository",
];
const LOCAL: &[&str] = &[
    ".lock': file exists",
    "unable to write",
    "no space left on device",
    "not a git repository",
    "is corrupt",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from git 2.39.5.
    #[test]
    fn what_git_says_is_told_apart() {
        for (said, kind) in [
            (
                "fatal: could not read Username for 'http://127.0.0.1:8080': terminal prompts disabled",
                "authentication",
            ),
            (
                "remote: Invalid username or password. fatal: Authentication failed for 'https://h/x/'",
                "authentication",
            ),
            (
                "fatal: unable to access 'http://h/x/': The requested URL returned error: 403",
                "authentication",
            ),
            (
                "fatal: unable to access 'http://h/x/': The requested URL returned error: 301",
                "redirected",
            ),
            (
                "fatal: unable to access 'http://h/x/': Could not resolve host: h",
                "unreachable",
            ),
            (
                "fatal: unable to access 'http://127.0.0.1:1/x/': Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server",
                "unreachable",
            ),
            (
                "fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate",
                "unreachable",
            ),
            ("fatal: repository 'http://h/x/' not found", "repository"),
            (
                "fatal: Unable to create '/tmp/x/shallow.lock': File exists.",
                "local",
            ),
            ("fatal: the remote end hung up unexpectedly", "remote"),
        ] {
            let found = match GitError::from_remote("http://h/x", said) {
                GitError::Authentication { .. } => "authentication",
                GitError::Redirected { .. } => "redirected",
                GitError::Unreachable { .. } => "unreachable",
                GitError::NoRepository { .. } => "repository",
                GitError::Local(_) => "local",
                _ => "remote",
            };
            assert_eq!(found, kind, "{said}");
        }
    }
}
