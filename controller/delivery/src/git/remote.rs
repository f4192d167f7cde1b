//! Asking a server what it has, and fetching it.

use std::{path::Path, time::Duration};

use kit::exec::{ExecError, Limits, Output};
use sha2::{Digest as _, Sha256};

use crate::hex;

use super::{
    Oid, address, credentials::Credentials, failure::GitError, process::Git, reference::Reference,
    url::RemoteUrl,
};

/// A repository on a server, with what opens it.
pub struct Remote<'a> {
    /// The program.
    pub git: &'a Git,
    /// Where it is.
    pub url: &'a RemoteUrl,
    /// Who we are there.
    pub credentials: &'a Credentials,
    /// How long one operation may take.
    pub timeout: Duration,
    /// How many bytes the pack of one fetch may have.
    pub largest_pack: u64,
}

/// One line of a server's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertised {
    /// What it points at.
    pub oid: Oid,
    /// The reference; of an annotated tag a second time with `^{}` behind, for its commit.
    pub name: String,
}

impl Remote<'_> {
    /// What `reference` stands for now, and its commit. It proves our access, so it comes before every read.
    ///
    /// # Errors
    /// [`GitError`] tells a missing reference from an empty repository and from a server that does not let us in.
    pub async fn resolve(
        &self,
        directory: &Path,
        reference: &Reference,
    ) -> Result<(Reference, Oid), GitError> {
        // HEAD is asked for too: it tells a repository without this branch from one without any commit.
        let url = self.url.to_string();
        let pin = address::resolve(self.url).await?;
        let mut command = self
            .git
            .remote(directory, self.url, self.credentials, pin.as_ref(), 0)
            .args(["ls-remote", "--quiet", "--", &url, "HEAD"]);
        if let Some(name) = reference.remote_name() {
            command = command.arg(&name).arg(format!("{name}^{{}}"));
        } else if matches!(reference, Reference::Semver(_)) {
            command = command.arg("refs/tags/*");
        }
        let output = self.finish(command.limits(self.limits(LONGEST_LIST)).run().await)?;
        let list = advertised_in(&output.stdout)?;
        let chosen = reference.chosen_in(&list);
        let commit = chosen.as_ref().and_then(|chosen| chosen.commit_in(&list));
        chosen.zip(commit).ok_or_else(|| {
            if list.is_empty() {
                GitError::Empty(url)
            } else {
                GitError::NoReference {
                    url,
                    reference: reference.described(),
                }
            }
        })
    }

    /// Fetches what `reference` means, one commit deep, and keeps it under a reference of ours. Returns the commit that
    /// came: the branch may have moved on since it was resolved.
    ///
    /// # Errors
    /// [`GitError`], of the server or of the local repository.
    pub async fn fetch(&self, directory: &Path, reference: &Reference) -> Result<Oid, GitError> {
        let source = match reference {
            Reference::Commit(commit) => commit.to_string(),
            Reference::Branch(_)
            | Reference::Name(_)
            | Reference::Semver(_)
            | Reference::Tag(_) => reference.remote_name().unwrap_or_default(),
        };
        let pin = address::resolve(self.url).await?;
        let refspec = format!("+{source}:{}", kept_under(reference));
        let command = self
            .git
            .remote(
                directory,
                self.url,
                self.credentials,
                pin.as_ref(),
                self.largest_pack,
            )
            .args([
                "fetch",
                "--quiet",
                "--force",
                "--depth=1",
                "--no-tags",
                "--no-write-fetch-head",
            ])
            .args([
                "--no-recurse-submodules",
                "--no-auto-maintenance",
                "--",
                &self.url.to_string(),
                &refspec,
            ]);
        self.finish(command.limits(self.limits(LONGEST_LIST)).run().await)?;
        kept(self.git, directory, reference)
            .await?
            .ok_or(GitError::Strange("the fetched reference is not there"))
    }

    fn limits(&self, output_bytes: usize) -> Limits {
        Limits {
            time: self.timeout,
            output_bytes,
        }
    }

    fn finish(&self, result: Result<Output, ExecError>) -> Result<Output, GitError> {
        match result {
            Ok(output) if output.is_success() => Ok(output),
            Ok(output) => Err(GitError::from_remote(&self.url.to_string(), &output.stderr)),
            Err(ExecError::TookTooLong { limit, .. }) => Err(GitError::TimedOut {
                url: self.url.to_string(),
                limit,
            }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The commit that was fetched last for `reference`, if any.
///
/// # Errors
/// [`GitError::Exec`] when `git` does not run.
pub async fn kept(
    git: &Git,
    directory: &Path,
    reference: &Reference,
) -> Result<Option<Oid>, GitError> {
    let name = format!("{}^{{commit}}", kept_under(reference));
    let command = git.local(directory).args([
        "rev-parse",
        "--quiet",
        "--verify",
        "--end-of-options",
        &name,
    ]);
    let output = command.run().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(Oid::parse(text.trim()).filter(|_| output.is_success()))
}

/// The first line of a commit's message, and all the rest.
///
/// # Errors
/// [`GitError::NoObject`] if the commit is not there.
pub async fn message_of(git: &Git, directory: &Path, commit: Oid) -> Result<String, GitError> {
    let command = git
        .local(directory)
        .args([
            "log",
            "--max-count=1",
            "--no-show-signature",
            "--format=%B",
            &commit.to_string(),
            "--",
        ])
        .limits(Limits {
            output_bytes: LONGEST_LIST,
            ..Limits::default()
        });
    let output = command.run().await?;
    if !output.is_success() {
        return Err(GitError::NoObject(commit.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A reference of ours for one of theirs. Hashed, so that no name of theirs becomes a path of ours.
fn kept_under(reference: &Reference) -> String {
    let digest = Sha256::digest(reference.described().as_bytes());
    format!("refs/signet/{}", hex::lower(&digest[..16]))
}

/// Parses the output of `git ls-remote`: object name, tab, reference.
fn advertised_in(output: &[u8]) -> Result<Vec<Advertised>, GitError> {
    let text = std::str::from_utf8(output)
        .map_err(|_| GitError::Strange("a reference that is not UTF-8"))?;
    text.lines()
        .map(|line| {
            let (oid, name) = line
                .split_once('\t')
                .ok_or(GitError::Strange("a line without a tab"))?;
            let oid =
                Oid::parse(oid).ok_or(GitError::Strange("an object name that is not SHA-1"))?;
            Ok(Advertised {
                oid,
                name: name.to_owned(),
            })
        })
        .collect()
}

/// Bounds the list of references: 16 MiB are about 200,000 of them.
const LONGEST_LIST: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_references_is_parsed() {
        let one = "1".repeat(40);
        let output = format!("{one}\tHEAD\n{one}\trefs/tags/v1\n{one}\trefs/tags/v1^{{}}\n");
        let names: Vec<String> = advertised_in(output.as_bytes())
            .unwrap()
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["HEAD", "refs/tags/v1", "refs/tags/v1^{}"]);
        assert!(advertised_in(b"").unwrap().is_empty());
        for strange in [
            "x\trefs/heads/a\n".to_owned(),
            one,
            format!("{}\tHEAD", "1".repeat(64)),
        ] {
            assert!(advertised_in(strange.as_bytes()).is_err(), "{strange}");
        }
    }

    #[test]
    fn two_references_are_kept_apart_and_no_name_becomes_a_path() {
        let main = kept_under(&Reference::Branch("main".into()));
        assert_ne!(main, kept_under(&Reference::Tag("main".into())));
        assert_eq!(main.len(), "refs/signet/".len() + 32);
    }
}
