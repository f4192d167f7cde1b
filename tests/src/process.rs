//! Processes that end with the harness.

#![expect(
    clippy::disallowed_methods,
    reason = "the harness starts processes by itself"
)]

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::Failure;
use crate::eventually::last_lines;

/// What to start: a program by its path, with an environment of its own.
#[derive(Clone, Debug)]
pub struct ProcessBuilder {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    directory: Option<PathBuf>,
}

impl ProcessBuilder {
    /// A program to start. `name` is for messages and for the log file. The environment holds only
    /// `PATH` and `HOME` unless [`ProcessBuilder::env`] adds to it.
    pub fn new(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(self, arguments: I) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Adds `--flag=value`.
    #[must_use]
    pub fn flag(self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        let mut argument = OsString::from(format!("--{flag}="));
        argument.push(value);
        self.arg(argument)
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let variable = (name.as_ref().to_owned(), value.as_ref().to_owned());
        self.environment.push(variable);
        self
    }

    /// Adds an environment variable unless it is there already.
    #[must_use]
    pub fn env_if_unset(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        if self.environment.iter().any(|(known, _value)| known == name) {
            self
        } else {
            self.env(name, value)
        }
    }

    /// Sets the working directory.
    #[must_use]
    pub fn directory(mut self, directory: &Path) -> Self {
        self.directory = Some(directory.to_owned());
        self
    }

    /// Starts it; what it prints, on both streams, goes to `NAME.log` in `logs`, appended.
    ///
    /// # Errors
    /// If the program or the log file cannot be opened.
    pub fn start(self, logs: &Path) -> Result<Process, Failure> {
        let log = logs.join(format!("{}.log", self.name));
        let file = File::options().create(true).append(true).open(&log)?;
        let command = self.command(file)?;
        let child = spawn_on_the_lasting_thread(command)
            .map_err(|error| Failure::from(error).while_doing(&format!("start {}", self.name)))?;
        Ok(Process {
            name: self.name,
            child,
            log,
            ended: None,
        })
    }

    /// `setpriv` tells the kernel to kill the program when the harness is gone, however it went.
    fn command(&self, log: File) -> Result<Command, Failure> {
        if !self.program.is_file() {
            let program = self.program.display();
            return Err(Failure::new(format!(
                "start {}: there is no {program}",
                self.name
            )));
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", std::env::var_os("HOME").unwrap_or_default())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        Ok(command)
    }
}

/// A running process with its log. Dropping it kills it and what it left in its process group; when
/// the drop is part of a failing test, the end of the log is printed.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds what it printed.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// What it printed until now.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn output(&self) -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&std::fs::read(&self.log)?).into_owned())
    }

    /// The last lines of what it printed.
    pub fn tail(&self) -> String {
        last_lines(&self.output().unwrap_or_default())
    }

    /// Resident memory now, in KiB, from `/proc`.
    ///
    /// # Errors
    /// If it does not run.
    pub fn resident_kib(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
        let number = number.ok_or_else(|| Failure::new(format!("{} has ended", self.name)))?;
        Ok(number.trim().parse()?)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Fails with the end of the log if it has ended.
    ///
    /// # Errors
    /// If it does not run any more.
    pub fn must_run(&mut self) -> Result<(), Failure> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "{} ended with {status}; the end of its log:\n{}",
                self.name,
                self.tail()
            ))),
        }
    }

    /// Kills it with SIGKILL, as a crash would end it, and reaps it.
    ///
    /// # Errors
    /// If it cannot be reaped.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.signal(Signal::KILL);
        self.ended = Some(self.child.wait()?);
        Ok(())
    }

    /// Asks it to end with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// If it still runs after `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        self.signal(Signal::TERM);
        self.wait(limit).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// If it still runs after `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(Failure::new(format!(
            "{} still runs after {} s; the end of its log:\n{}",
            self.name,
            limit.as_secs(),
            self.tail()
        )))
    }

    /// Sends a signal, to this process only.
    pub fn signal(&self, signal: Signal) {
        if self.ended.is_none()
            && let Some(pid) = self.pid()
        {
            // It may have ended by itself just now, which is as good.
            let _gone = kill_process(pid, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "a failing test shows why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of {}:\n{}", self.log.display(), self.tail());
        }
        if let (None, Some(group)) = (self.ended, self.pid()) {
            let _gone = kill_process_group(group, Signal::KILL);
            let _reaped = self.child.wait();
        }
    }
}

/// The kernel's parent-death signal speaks of the thread that started the child, and test threads
/// end with their test; so one thread that lives as long as the harness starts them all.
fn spawn_on_the_lasting_thread(command: Command) -> std::io::Result<Child> {
    static THREAD: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (sender, orders) = channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _nobody_waits = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, spawned) = channel();
    let gone = || std::io::Error::other("the thread that starts processes has ended");
    thread
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .send((command, answer))
        .map_err(|_order| gone())?;
    spawned.recv().map_err(|_closed| gone())?
}

type Order = (Command, Sender<std::io::Result<Child>>);

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(logs: &Path) -> Process {
        ProcessBuilder::new("sleep", Path::new("/bin/sleep"))
            .arg("60")
            .start(logs)
            .unwrap()
    }

    #[test]
    fn dropping_a_process_ends_it() {
        let logs = tempfile::tempdir().unwrap();
        let process = sleeper(logs.path());
        let proc = format!("/proc/{}", process.id());
        assert!(Path::new(&proc).exists());
        drop(process);
        assert!(!Path::new(&proc).exists());
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it() {
        let logs = tempfile::tempdir().unwrap();
        let path = logs.path().to_owned();
        let mut process = std::thread::spawn(move || sleeper(&path)).join().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        process.must_run().unwrap();
    }

    #[tokio::test]
    async fn a_process_that_ended_fails_with_its_log() {
        let logs = tempfile::tempdir().unwrap();
        let shell = ProcessBuilder::new("shell", Path::new("/bin/sh"));
        let mut process = shell
            .arg("-c")
            .arg("echo broken; exit 3")
            .start(logs.path())
            .unwrap();
        process.wait(Duration::from_secs(60)).await.unwrap();
        let failure = process.must_run().unwrap_err();
        assert!(failure.message().contains("exit status: 3"), "{failure}");
        assert!(failure.message().ends_with("broken"), "{failure}");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let logs = tempfile::tempdir().unwrap();
        let started = ProcessBuilder::new("ghost", Path::new("/no/such/ghost")).start(logs.path());
        let Err(failure) = started else {
            unreachable!("it started");
        };
        assert_eq!(failure.message(), "start ghost: there is no /no/such/ghost");
    }
}
