//! Programs that are run to their end for what they print.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness starts processes by itself"
)]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::Failure;

/// A program to run, with only the environment that is given to it.
pub struct Invocation {
    command: Command,
    line: String,
    input: Vec<u8>,
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Invocation {
    /// A program by path, or by name through `PATH` (only those that README names).
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self {
            command,
            line: program.as_ref().to_string_lossy().into_owned(),
            input: Vec::new(),
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        for argument in arguments {
            self.line.push(' ');
            self.line.push_str(&argument.as_ref().to_string_lossy());
            self.command.arg(argument);
        }
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Passes on those variables of our own environment whose names start with one of the prefixes.
    #[must_use]
    pub fn envs_starting_with(mut self, prefixes: &[&str]) -> Self {
        for (name, value) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
                self.command.env(name, value);
            }
        }
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// Gives it something to read on standard input.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it, whatever the exit code.
    ///
    /// # Errors
    /// If it does not start, or still runs after two minutes.
    pub async fn outcome(self) -> Result<Outcome, Failure> {
        let Self {
            mut command,
            line,
            input,
        } = self;
        let start = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| Failure::from(error).while_doing(&format!("start {line}")))?;
        let mut stdin = child.stdin.take();
        let feed = async move {
            if let Some(stdin) = &mut stdin {
                // A program may end without reading all of its input.
                let _closed = stdin.write_all(&input).await;
            }
            drop(stdin);
        };
        let run = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(LIMIT, run)
            .await
            .map_err(|_late| Failure::new(format!("{line} still runs after two minutes")))??;
        Ok(Outcome {
            status: output.status,
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: start.elapsed(),
        })
    }

    /// Runs it and gives its standard output.
    ///
    /// # Errors
    /// As [`Invocation::outcome`], and if it ends with another exit code than 0.
    pub async fn stdout(self) -> Result<String, Failure> {
        let line = self.line.clone();
        let outcome = self.outcome().await?;
        if outcome.status.success() {
            return Ok(String::from_utf8(outcome.stdout)?);
        }
        let (status, stderr) = (outcome.status, outcome.stderr);
        Err(Failure::new(format!(
            "{line} ended with {status}: {stderr}"
        )))
    }
}

const LIMIT: Duration = Duration::from_secs(120);
