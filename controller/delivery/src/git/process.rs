//! Starting `git` so that neither the machine's configuration nor a repository's content decides what it does.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kit::{
    SecretBytes,
    exec::{self, Command, Limits, confine::Confinement},
};

use super::{address::Pin, credentials::Credentials, failure::GitError, url::RemoteUrl};

/// The `git` of this machine.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    /// Where it keeps the programs that it starts itself.
    libexec: PathBuf,
}

impl Git {
    /// The oldest version that has what we use: protocol v2 by default, `fetch --no-write-fetch-head` (2.29),
    /// `GIT_CONFIG_COUNT` (2.31), `-c safe.*` fixes of 2.38; Debian 12 has 2.39.
    pub const MINIMUM: (u32, u32) = (2, 39);

    /// Finds it on the `PATH` and asks for its version.
    ///
    /// # Errors
    /// [`GitError::Missing`] or [`GitError::TooOld`].
    pub async fn find() -> Result<Self, GitError> {
        let program = exec::find("git").ok_or(GitError::Missing)?;
        let text = ask(&program, "--version").await?;
        let version = version_in(&text);
        if version.is_none_or(|version| version < Self::MINIMUM) {
            return Err(GitError::TooOld(text));
        }
        let libexec = PathBuf::from(ask(&program, "--exec-path").await?);
        Ok(Self { program, libexec })
    }

    /// A command that reads the bare repository in `directory`, without any way to the network.
    pub(super) fn local(&self, directory: &Path) -> Command {
        let confinement = self.confinement().reads(directory);
        self.local_in(directory, confinement)
    }

    /// A command that changes the bare repository in `directory`, without any way to the network.
    pub(super) fn housekeeping(&self, directory: &Path, longest_file: u64) -> Command {
        let confinement = self.confinement().writes(directory);
        self.local_in(directory, confinement.longest_file(longest_file))
    }

    fn local_in(&self, directory: &Path, confinement: Confinement) -> Command {
        let command = self.command(directory).confined(confinement);
        Settings::default().local().apply(command)
    }

    /// A command on the bare repository in `directory` that may talk to this server alone, and write no file that is
    /// longer.
    pub(super) fn remote(
        &self,
        directory: &Path,
        url: &RemoteUrl,
        credentials: &Credentials,
        pin: Option<&Pin>,
        longest_file: u64,
    ) -> Command {
        let confinement = self.confinement().writes(directory).with_network();
        let command = self
            .command(directory)
            .confined(confinement.longest_file(longest_file))
            .talks_to(&url.origin());
        Settings::default()
            .local()
            .remote(directory, url, credentials)
            .pinned(pin)
            .apply(command)
    }

    fn confinement(&self) -> Confinement {
        let own = Confinement::default().memory(MOST_MEMORY);
        own.with_libraries().runs(&self.program).runs(&self.libexec)
    }

    fn command(&self, directory: &Path) -> Command {
        let command = Command::new(&self.program).directory(directory);
        ENVIRONMENT
            .iter()
            .fold(command, |command, (name, value)| command.env(name, value))
            .env("GIT_DIR", directory)
            .env("HOME", directory)
    }
}

/// What `git` says about itself.
async fn ask(program: &Path, question: &str) -> Result<String, GitError> {
    let command = Command::new(program).arg(question).limits(Limits {
        time: Duration::from_secs(10),
        output_bytes: 4_096,
    });
    let confinement = Confinement::default().with_libraries();
    let output = command.confined(confinement).run().await?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Configuration handed over in the environment: off the disk, and secrets off the argument list.
#[derive(Default)]
struct Settings {
    plain: Vec<(String, String)>,
    secret: Vec<(String, SecretBytes)>,
}

impl Settings {
    fn set(mut self, key: &str, value: &str) -> Self {
        self.plain.push((key.to_owned(), value.to_owned()));
        self
    }

    fn local(self) -> Self {
        CONFIGURATION
            .iter()
            .fold(self, |settings, (key, value)| settings.set(key, value))
    }

    fn remote(self, directory: &Path, url: &RemoteUrl, credentials: &Credentials) -> Self {
        let authorization = credentials.authorization();
        // curl sends our header to wherever it is redirected, so with one it must not follow (T37).
        let follow = if authorization.is_some() {
            "false"
        } else {
            "initial"
        };
        let protocol = format!("protocol.{}.allow", url.scheme().name());
        let mut settings = self
            .set(&protocol, "always")
            .set("http.followRedirects", follow);
        if url.scheme() == super::url::Scheme::Http {
            // A public http URL that redirects to https is common.
            settings = settings.set("protocol.https.allow", "always");
        }
        if credentials.ca.is_some() {
            let file = directory.join(CA_FILE);
            settings = settings.set("http.sslCAInfo", &file.to_string_lossy());
        }
        if let Some(header) = authorization {
            let key = format!("http.{}.extraHeader", url.origin());
            settings.secret.push((key, header));
        }
        settings
    }

    fn pinned(self, pin: Option<&Pin>) -> Self {
        match pin {
            Some(Pin(addresses)) => self.set("http.curloptResolve", addresses),
            None => self,
        }
    }

    fn apply(self, mut command: Command) -> Command {
        let count = self.plain.len() + self.secret.len();
        command = command.env("GIT_CONFIG_COUNT", count.to_string());
        let mut index = 0_usize;
        for (key, value) in self.plain {
            command = command
                .env(format!("GIT_CONFIG_KEY_{index}"), key)
                .env(format!("GIT_CONFIG_VALUE_{index}"), value);
            index += 1;
        }
        for (key, value) in self.secret {
            command = command
                .env(format!("GIT_CONFIG_KEY_{index}"), key)
                .secret_env(format!("GIT_CONFIG_VALUE_{index}"), value);
            index += 1;
        }
        command
    }
}

fn version_in(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("git version ")?.split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.parse().ok()?;
    Some((major, minor))
}

/// Where the certificates of a Secret are kept, beside the objects of the repository that they lead to.
pub(super) const CA_FILE: &str = "ca.pem";

/// Unpacking what a server sends takes a window of deltas and the largest file that is no large one (`core.bigFileThreshold`).
const MOST_MEMORY: u64 = 512 << 20;

const ENVIRONMENT: &[(&str, &str)] = &[
    ("GIT_ASKPASS", ""),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_NO_REPLACE_OBJECTS", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PROTOCOL_FROM_USER", "0"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
    ("SSH_ASKPASS", ""),
];

const CONFIGURATION: &[(&str, &str)] = &[
    ("core.askPass", ""),
    ("core.bigFileThreshold", "1m"),
    ("core.fsmonitor", "false"),
    ("core.hooksPath", "/dev/null"),
    ("credential.helper", ""),
    ("fetch.recurseSubmodules", "false"),
    // All that comes with a fetch is one pack: one file, whose length is limited.
    ("fetch.unpackLimit", "1"),
    // Flaws of old, honest histories; the objects are only ever read, never checked out.
    ("fetch.fsck.badTimezone", "ignore"),
    ("fetch.fsck.missingSpaceBeforeDate", "ignore"),
    ("fetch.fsck.zeroPaddedFilemode", "ignore"),
    ("gc.auto", "0"),
    ("http.userAgent", "signet"),
    ("maintenance.auto", "false"),
    ("pack.threads", "1"),
    ("protocol.allow", "never"),
    ("submodule.recurse", "false"),
    ("transfer.fsckObjects", "true"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_all_builds() {
        for (text, version) in [
            ("git version 2.39.5", Some((2, 39))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.45.2.windows.1", Some((2, 45))),
            ("git version 3.0.0-rc1", Some((3, 0))),
            ("hub version 2", None),
        ] {
            assert_eq!(version_in(text), version, "{text}");
        }
        assert!((2, 9) < Git::MINIMUM && (3, 0) > Git::MINIMUM);
    }

    #[tokio::test]
    async fn a_command_sees_our_configuration_alone() {
        let git = Git::find().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (url, info) = RemoteUrl::parse("https://bob:hunter2@git.example/x")
            .ok()
            .unwrap();
        let credentials = Credentials::from_url(info.as_ref()).unwrap();
        let command = git.remote(directory.path(), &url, &credentials, None, 0);
        let output = command
            .arg("config")
            .arg("--list")
            .arg("--show-scope")
            .run()
            .await
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.lines().all(|line| line.starts_with("command\t")),
            "{text}"
        );
        for line in [
            "protocol.allow=never",
            "protocol.https.allow=always",
            "http.followredirects=false",
            "http.https://git.example/.extraheader=Authorization: Basic Ym9iOmh1bnRlcjI=",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
