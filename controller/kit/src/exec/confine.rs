//! What a child may use and reach, and the launcher that sees to it.
//!
//! Code of ours cannot run between fork and exec without `unsafe`. So our own program is started again, takes everything
//! from itself that the child is not to have, and becomes the child: [`launch`]. What it took cannot be had back.
//!
//! Memory is limited by `RLIMIT_DATA`, what a process can write to, and not by its address space: Go reserves a gigabyte
//! that it never touches, and git maps its packs.

use std::{
    convert::Infallible,
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};

/// What a child has of this machine. A new one has its standard streams, its own program, and a little memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confinement {
    memory_bytes: u64,
    file_bytes: u64,
    network: Network,
    runs: Vec<PathBuf>,
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Closed,
    Open,
}

impl Default for Confinement {
    fn default() -> Self {
        Self {
            memory_bytes: USUAL_MEMORY,
            file_bytes: 0,
            network: Network::Closed,
            runs: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }
}

impl Confinement {
    /// Each of its processes may have this much memory of its own.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// No file that it writes may be longer.
    #[must_use]
    pub fn longest_file(mut self, bytes: u64) -> Self {
        self.file_bytes = bytes;
        self
    }

    /// It may connect to others, and read what that takes: how names are resolved, and who is trusted.
    #[must_use]
    pub fn with_network(mut self) -> Self {
        self.network = Network::Open;
        self.reads.extend(NETWORK_FILES.map(PathBuf::from));
        self
    }

    /// It may load the libraries of this system.
    #[must_use]
    pub fn with_libraries(mut self) -> Self {
        self.runs.extend(LIBRARIES.map(PathBuf::from));
        self.reads.extend(LOADER_FILES.map(PathBuf::from));
        self
    }

    /// It may read and run what is at this path, or below it.
    #[must_use]
    pub fn runs(mut self, path: &Path) -> Self {
        self.runs.push(path.to_owned());
        self
    }

    /// It may read what is at this path, or below it.
    #[must_use]
    pub fn reads(mut self, path: &Path) -> Self {
        self.reads.push(path.to_owned());
        self
    }

    /// It may read and change what is at this path, or below it. The path must be there when it is started.
    #[must_use]
    pub fn writes(mut self, path: &Path) -> Self {
        self.writes.push(path.to_owned());
        self
    }

    /// The arguments with which the launcher is started; those of the program follow.
    pub(super) fn arguments(&self, program: &Path) -> Vec<OsString> {
        let mut arguments = vec![
            OsString::from(LAUNCH),
            self.memory_bytes.to_string().into(),
            self.file_bytes.to_string().into(),
        ];
        if self.network == Network::Open {
            arguments.push(NETWORK.into());
        }
        for (word, paths) in [
            (RUN, &self.runs),
            (READ, &self.reads),
            (WRITE, &self.writes),
        ] {
            for path in paths {
                arguments.extend([word.into(), path.clone().into_os_string()]);
            }
        }
        arguments.extend(["--".into(), program.as_os_str().to_owned()]);
        arguments
    }

    /// Reads the arguments after [`LAUNCH`] up to `--`.
    fn parse(arguments: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut number = || arguments.next()?.to_str()?.parse().ok();
        let mut confinement = Self {
            memory_bytes: number()?,
            file_bytes: number()?,
            ..Self::default()
        };
        loop {
            let word = arguments.next()?;
            let paths = match word.to_str()? {
                "--" => return Some(confinement),
                NETWORK => {
                    confinement.network = Network::Open;
                    continue;
                }
                RUN => &mut confinement.runs,
                READ => &mut confinement.reads,
                WRITE => &mut confinement.writes,
                _ => return None,
            };
            paths.push(arguments.next()?.into());
        }
    }

    fn limit(&self) -> io::Result<()> {
        for (resource, bytes) in [
            (Resource::Core, 0),
            (Resource::Data, self.memory_bytes),
            (Resource::Fsize, self.file_bytes),
        ] {
            let limit = Some(bytes);
            setrlimit(
                resource,
                Rlimit {
                    current: limit,
                    maximum: limit,
                },
            )?;
        }
        Ok(())
    }

    /// Closes everything else to this thread and what it becomes, as far as the kernel can. Takes new privileges from it too.
    fn close(&self, program: &Path) -> Result<(), RulesetError> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let run = AccessFs::from_read(KNOWN);
        let write = AccessFs::from_all(KNOWN) & !BitFlags::from(AccessFs::Execute);
        let mut rules = Ruleset::default()
            .handle_access(AccessFs::from_all(KNOWN))?
            .scope(Scope::from_all(KNOWN))?;
        if self.network == Network::Closed {
            rules = rules.handle_access(AccessNet::from_all(KNOWN))?;
        }
        // What is not there is no error: systems keep these files in different places.
        rules
            .create()?
            .add_rules(path_beneath_rules(DEVICES, read | AccessFs::WriteFile))?
            .add_rules(path_beneath_rules(&self.reads, read))?
            .add_rules(path_beneath_rules(&self.writes, write))?
            .add_rules(path_beneath_rules(&self.runs, run))?
            .add_rules(path_beneath_rules([program], run))?
            .restrict_self()?;
        Ok(())
    }
}

/// Whether this kernel can confine what a child reaches. It needs Landlock, of Linux 5.13, switched on.
#[must_use]
pub fn is_enforced() -> bool {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1));
    rules.is_ok_and(|rules| rules.create().is_ok())
}

/// Whether these arguments of our own program, its name first, ask it to be a launcher.
#[must_use]
pub fn is_launch(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().nth(1).as_deref() == Some(OsStr::new(LAUNCH))
}

/// Confines this process as its arguments say, and becomes the program that they name. Returns only if it cannot.
///
/// The caller must not have started a thread: what is taken is taken from the calling one.
///
/// # Errors
/// [`LaunchError`]; nothing was run then.
pub fn launch(arguments: impl IntoIterator<Item = OsString>) -> Result<Infallible, LaunchError> {
    let mut arguments = arguments.into_iter().skip(2);
    let confinement = Confinement::parse(&mut arguments).ok_or(LaunchError::Arguments)?;
    let program = arguments.next().ok_or(LaunchError::Arguments)?;
    let path = Path::new(&program);
    confinement.close(path)?;
    confinement.limit().map_err(LaunchError::Limit)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the other end of kit::exec: this process becomes the child"
    )]
    let error = Command::new(&program).args(arguments).exec();
    Err(LaunchError::Run(path.to_owned(), error))
}

/// Why the launcher did not become the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// They are not ours.
    #[error("its arguments are not understood")]
    Arguments,
    /// The kernel refused a limit.
    #[error("limit memory and files: {0}")]
    Limit(#[source] io::Error),
    /// The kernel has Landlock and refused our rules.
    #[error("close everything but its own to it: {0}")]
    Close(#[from] RulesetError),
    /// The program is not there, or cannot be run.
    #[error("run {}: {}", .0.display(), .1)]
    Run(PathBuf, #[source] io::Error),
}

impl LaunchError {
    /// The exit code of a launcher that failed.
    pub const EXIT_CODE: u8 = 125;
    /// What it says before the cause.
    pub const SAID: &str = "cannot be confined";
}

/// The first argument of a launcher.
const LAUNCH: &str = "confined";
const NETWORK: &str = "network";
const READ: &str = "read";
const RUN: &str = "run";
const WRITE: &str = "write";

/// The newest rights that we know and have tested. An older kernel enforces those that it knows.
const KNOWN: ABI = ABI::V6;

/// For a program that only answers a question.
const USUAL_MEMORY: u64 = 256 << 20;

const DEVICES: [&str; 2] = ["/dev/null", "/dev/urandom"];
const LIBRARIES: [&str; 6] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
];
const LOADER_FILES: [&str; 4] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.preload",
    "/etc/ld-musl-x86_64.path",
    "/etc/ld-musl-aarch64.path",
];
const NETWORK_FILES: [&str; 16] = [
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/gai.conf",
    "/etc/gnutls",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/usr/share/ca-certificates",
    "/usr/share/p11-kit",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_reads_what_it_is_told() {
        let told = Confinement::default()
            .memory(7)
            .longest_file(9)
            .with_network()
            .with_libraries()
            .runs(Path::new("/opt/git core"))
            .reads(Path::new("/etc/x"))
            .writes(Path::new("--"));
        let mut arguments = told.arguments(Path::new("/bin/sh")).into_iter();
        assert!(is_launch(
            std::iter::once("controller".into()).chain(arguments.clone())
        ));
        assert_eq!(arguments.next().unwrap(), LAUNCH);
        assert_eq!(Confinement::parse(&mut arguments), Some(told));
        assert_eq!(arguments.next().unwrap(), "/bin/sh");
        assert_eq!(arguments.next(), None);
    }

    #[test]
    fn arguments_that_are_not_ours_are_refused() {
        for strange in [
            &["controller", LAUNCH][..],
            &["controller", LAUNCH, "1", "1"],
            &["controller", LAUNCH, "1", "1", "--"],
            &["controller", LAUNCH, "much", "1", "--", "/bin/true"],
            &["controller", LAUNCH, "1", "1", "read", "--"],
            &[
                "controller",
                LAUNCH,
                "1",
                "1",
                "everything",
                "--",
                "/bin/true",
            ],
        ] {
            let arguments = strange.iter().map(OsString::from);
            assert!(matches!(launch(arguments), Err(LaunchError::Arguments)));
        }
        assert!(!is_launch(["controller".into(), "adopt".into()]));
    }
}
