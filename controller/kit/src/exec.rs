//! The only place where a process starts.
//!
//! No shell, an absolute path, a cleared environment, a process group of its own that is killed as
//! a whole, and limits on time, output, memory and files. Children work on tenant input, so nothing
//! of ours reaches them but what the caller names, and they reach nothing else ([`confine`]).

pub mod confine;
mod places;

use std::{
    ffi::{OsStr, OsString},
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command as Tokio},
};
use tracing::warn;

use self::{
    confine::{Confinement, LaunchError},
    places::Place,
};
use crate::{SecretBytes, redact};

/// How much of what a child says on stderr is kept.
const LONGEST_STDERR: usize = 16 * 1_024;

static LAUNCHER: OnceLock<PathBuf> = OnceLock::new();

/// Starts all children through this program from now on, which must call [`confine::launch`] when
/// it is asked to. A process says this once, at its start: children before it are not confined.
///
/// Logs what this kernel cannot do.
pub fn launch_through(launcher: &Path) {
    if LAUNCHER.set(launcher.to_owned()).is_ok() && !confine::is_enforced() {
        warn!(
            "this kernel has no Landlock, so git and kustomize are limited in memory and files, but can read \
             what this process can: use Linux 5.13 or newer with landlock among its security modules"
        );
    }
}

/// What a process may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From start to exit.
    pub time: Duration,
    /// The most bytes that it may write to its standard output.
    pub output_bytes: usize,
}

impl Default for Limits {
    /// A minute, and 64 MiB.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            output_bytes: 64 * 1_024 * 1_024,
        }
    }
}

/// What a process left behind.
pub struct Output {
    /// Its exit code; `None` if a signal ended it.
    pub status_code: Option<i32>,
    /// All it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to its standard error, fit for a condition.
    pub stderr: String,
}

impl Output {
    /// Whether it exited with zero.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status_code == Some(0)
    }
}

/// Why a process did not come to its own end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It could not be started, or talking to it failed.
    #[error("run {program}")]
    Io {
        /// The file name of the program.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The launcher did not start it.
    #[error("run {program}: {said}")]
    NotConfined {
        /// The file name of the program.
        program: String,
        /// What the launcher said.
        said: String,
    },
    /// The path is not absolute, so it could name anything.
    #[error("run {0}: the path of a program must be absolute")]
    NotAbsolute(String),
    /// It ran longer than its limit and was killed.
    #[error("{program} was ended after {} s, its limit", limit.as_secs())]
    TookTooLong {
        /// The file name of the program.
        program: String,
        /// The limit.
        limit: Duration,
    },
    /// It wrote more than its limit and was killed.
    #[error("{program} was ended after writing {limit} bytes, its limit")]
    WroteTooMuch {
        /// The file name of the program.
        program: String,
        /// The limit in bytes.
        limit: usize,
    },
}

/// A process to be started.
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, EnvironmentValue)>,
    directory: PathBuf,
    stdin: Vec<u8>,
    limits: Limits,
    confinement: Confinement,
    place: Place,
}

enum EnvironmentValue {
    Plain(OsString),
    Secret(SecretBytes),
}

impl Command {
    /// The program at this absolute path, in `/`, with no arguments, no environment, empty input.
    #[must_use]
    pub fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: PathBuf::from("/"),
            stdin: Vec::new(),
            limits: Limits::default(),
            confinement: Confinement::default(),
            place: Place::Here,
        }
    }

    /// Adds an argument. Everybody on the machine can read it: never a secret.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(
            arguments
                .into_iter()
                .map(|argument| argument.as_ref().to_owned()),
        );
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = EnvironmentValue::Plain(value.as_ref().to_owned());
        self.environment.push((name.as_ref().to_owned(), value));
        self
    }

    /// Sets an environment variable to a secret, which only the owner of the process can read.
    #[must_use]
    pub fn secret_env(mut self, name: impl AsRef<OsStr>, value: SecretBytes) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), EnvironmentValue::Secret(value)));
        self
    }

    /// Runs in this directory instead of `/`.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// Feeds these bytes to its standard input and closes it.
    #[must_use]
    pub fn stdin(mut self, input: Vec<u8>) -> Self {
        self.stdin = input;
        self
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Replaces what it has of this machine.
    #[must_use]
    pub fn confined(mut self, confinement: Confinement) -> Self {
        self.confinement = confinement;
        self
    }

    /// It talks to this server, and takes a place among those who do.
    #[must_use]
    pub fn talks_to(mut self, host: &str) -> Self {
        self.place = Place::At(host.to_owned());
        self
    }

    /// Runs it to its end, whatever its exit code.
    ///
    /// Dropping the future kills the process.
    ///
    /// # Errors
    /// [`ExecError`] when it could not be started or had to be ended.
    pub async fn run(self) -> Result<Output, ExecError> {
        let program = self.name();
        let _running = self.place.take().await;
        let limits = self.limits;
        let mut group = self.start()?;
        let work = group.communicate(&program, self.stdin, limits.output_bytes);
        match tokio::time::timeout(limits.time, work).await {
            Ok(result) => result,
            Err(_elapsed) => Err(ExecError::TookTooLong {
                program,
                limit: limits.time,
            }),
        }
    }

    fn name(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        name.to_string_lossy().into_owned()
    }

    fn start(&self) -> Result<Group, ExecError> {
        if !self.program.is_absolute() {
            return Err(ExecError::NotAbsolute(self.program.display().to_string()));
        }
        let mut command = self.launched();
        command
            .args(&self.arguments)
            .env_clear()
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        for (name, value) in &self.environment {
            match value {
                EnvironmentValue::Plain(value) => command.env(name, value),
                EnvironmentValue::Secret(value) => {
                    command.env(name, OsStr::from_bytes(value.expose()))
                }
            };
        }
        let child = command.spawn().map_err(|source| ExecError::Io {
            program: self.name(),
            source,
        })?;
        Ok(Group { child })
    }

    /// The program, or the launcher that becomes it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    fn launched(&self) -> Tokio {
        match LAUNCHER.get() {
            None => Tokio::new(&self.program),
            Some(launcher) => {
                let mut command = Tokio::new(launcher);
                command.args(self.confinement.arguments(&self.program));
                command
            }
        }
    }
}

/// The first file of this name on the `PATH` that may be executed, as an absolute path.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| {
            candidate.is_absolute()
                && std::fs::metadata(candidate)
                    .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
}

/// A child and everything that it started: killed as one when this is dropped.
struct Group {
    child: Child,
}

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // The only failure is that the group is gone, which is what we want.
            let _gone_already =
                rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

impl Group {
    async fn communicate(
        &mut self,
        program: &str,
        input: Vec<u8>,
        output_bytes: usize,
    ) -> Result<Output, ExecError> {
        let failed = |source| ExecError::Io {
            program: program.to_owned(),
            source,
        };
        let stdin = self.child.stdin.take();
        let stdout = self.child.stdout.take();
        let stderr = self.child.stderr.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A child that ends without reading its input is judged by its exit code.
                drop(stdin.write_all(&input).await);
            }
            Ok(())
        };
        let collect = async {
            // One byte more than allowed tells "exactly the limit" from "more".
            let stdout = read(stdout, output_bytes + 1).await.map_err(failed)?;
            if stdout.len() <= output_bytes {
                return Ok(stdout);
            }
            Err(ExecError::WroteTooMuch {
                program: program.to_owned(),
                limit: output_bytes,
            })
        };
        let listen = async { read_all(stderr).await.map_err(failed) };
        // The first error ends the others, so that a flood is stopped at once.
        let ((), stdout, stderr) = tokio::try_join!(feed, collect, listen)?;
        let status = self.child.wait().await.map_err(failed)?;
        let stderr = redact::foreign(&String::from_utf8_lossy(&stderr));
        if status.code() == Some(LaunchError::EXIT_CODE.into())
            && stderr.starts_with(LaunchError::SAID)
        {
            return Err(ExecError::NotConfined {
                program: program.to_owned(),
                said: stderr,
            });
        }
        Ok(Output {
            status_code: status.code(),
            stdout,
            stderr,
        })
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(limit as u64).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// Reads to the end, so that the child is never blocked, and keeps the beginning.
async fn read_all(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let Some(mut pipe) = pipe else {
        return Ok(kept);
    };
    let mut buffer = [0; 4_096];
    loop {
        let count = pipe.read(&mut buffer).await?;
        if count == 0 {
            return Ok(kept);
        }
        let room = LONGEST_STDERR.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        Command::new(Path::new("/bin/sh")).arg("-c").arg(script)
    }

    #[tokio::test]
    async fn a_child_gets_its_input_and_nothing_of_our_environment() {
        let output = shell("cat; env")
            .env("GREETING", "hello")
            .stdin(b"in\n".to_vec())
            .run()
            .await;
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(
            text.starts_with("in\n") && text.contains("GREETING=hello"),
            "{text}"
        );
        assert!(
            !text.contains("HOME=") && !text.contains("PATH=/"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_child_that_takes_too_long_is_killed_with_its_children() {
        let marker = std::env::temp_dir().join(format!("signet-exec-{}", std::process::id()));
        let script = format!("(sleep 2; touch {}) & sleep 60", marker.display());
        let limits = Limits {
            time: Duration::from_millis(200),
            ..Limits::default()
        };
        let result = shell(&script)
            .env("PATH", "/usr/bin:/bin")
            .limits(limits)
            .run()
            .await;
        assert!(matches!(result, Err(ExecError::TookTooLong { .. })));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        assert!(!marker.exists(), "a grandchild outlived its limit");
    }

    #[tokio::test]
    async fn a_child_that_writes_too_much_is_killed() {
        let limits = Limits {
            output_bytes: 10,
            ..Limits::default()
        };
        let result = shell("printf 12345678901; sleep 60")
            .env("PATH", "/usr/bin:/bin")
            .limits(limits)
            .run();
        assert!(matches!(
            result.await,
            Err(ExecError::WroteTooMuch { limit: 10, .. })
        ));
        let exact = shell("printf 1234567890")
            .env("PATH", "/usr/bin:/bin")
            .limits(limits)
            .run()
            .await;
        assert_eq!(exact.unwrap().stdout, b"1234567890");
    }

    #[tokio::test]
    async fn a_relative_path_is_refused() {
        let result = Command::new(Path::new("git")).run().await;
        assert!(matches!(result, Err(ExecError::NotAbsolute(_))));
    }

    #[tokio::test]
    async fn an_exit_code_and_a_redacted_stderr_come_back() {
        let output = shell("echo https://u:p@h/x >&2; exit 3")
            .run()
            .await
            .unwrap();
        assert_eq!((output.status_code, output.is_success()), (Some(3), false));
        assert_eq!(output.stderr, "https://h/x");
    }
}
