//! The bare repositories: one for each (URL, credential identity), so that nobody reads what others were shown.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::sync::RwLock;
use tracing::{debug, info, warn};

use crate::hex;

use super::{
    Oid,
    credentials::Credentials,
    disk,
    failure::GitError,
    objects::{self, Listed},
    process::{CA_FILE, Git},
    reference::Reference,
    remote::{self, Remote},
    url::RemoteUrl,
};

/// Who asks: a repository is shared only among those who are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody in particular: what everybody may read.
    Anonymous,
    /// Who this Secret says. Its content may change; access is proved anew at every reconcile.
    Secret {
        /// The namespace of the Secret.
        namespace: String,
        /// Its uid, so that another Secret of the same name is another identity.
        uid: String,
    },
    /// Who the URL of this object says.
    Url {
        /// The uid of the GitRepository.
        uid: String,
    },
}

/// All bare repositories of the process, under one directory that can be lost without harm.
pub struct Repositories {
    git: Git,
    root: PathBuf,
    budget: Budget,
    open: Mutex<HashMap<PathBuf, Arc<Repository>>>,
}

/// What one repository may take of the disk.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The most bytes of one fetch.
    pub pack_bytes: u64,
    /// The most bytes of all that was fetched; over it, what no reference needs any more goes, and then all of it.
    pub repository_bytes: u64,
}

impl Default for Budget {
    /// 512 MiB and 1 GiB. One commit of the Linux kernel takes 250 MiB.
    fn default() -> Self {
        Self {
            pack_bytes: 512 << 20,
            repository_bytes: 1 << 30,
        }
    }
}

/// One bare repository.
pub struct Repository {
    git: Git,
    directory: PathBuf,
    budget: Budget,
    /// Fetching adds and readers may go on; making anew and packing exclude them.
    state: RwLock<State>,
    /// One fetch at a time: they share lock files.
    fetching: tokio::sync::Mutex<()>,
}

/// What is on the disk.
#[derive(Default)]
struct State {
    initialised: bool,
}

impl Repositories {
    /// Repositories under `root`, which is made if it is missing.
    ///
    /// # Errors
    /// What the file system says.
    pub fn new(git: Git, root: &Path) -> Result<Self, GitError> {
        std::fs::create_dir_all(root)?;
        let root = root.canonicalize()?;
        Ok(Self {
            git,
            root,
            budget: Budget::default(),
            open: Mutex::default(),
        })
    }

    /// Allows each repository this much of the disk.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// The program.
    #[must_use]
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// The repository of this URL for this identity.
    #[must_use]
    pub fn repository(&self, url: &RemoteUrl, identity: &Identity) -> Arc<Repository> {
        let directory = self.root.join(directory_name(url, identity));
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let repository = open.entry(directory.clone()).or_insert_with(|| {
            Arc::new(Repository {
                git: self.git.clone(),
                directory,
                budget: self.budget,
                state: RwLock::default(),
                fetching: tokio::sync::Mutex::default(),
            })
        });
        Arc::clone(repository)
    }

    /// Removes the repositories that nobody but us holds, and directories that no repository is open for.
    pub fn sweep(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, repository| Arc::strong_count(repository) > 1);
        let Ok(entries) = std::fs::read_dir(&self.root) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let ours = entry.file_name().to_string_lossy().ends_with(SUFFIX);
            if !ours || open.contains_key(&path) {
                continue;
            }
            if let Err(error) = std::fs::remove_dir_all(&path) {
                debug!(%error, "a directory that is not used any more could not be removed");
            }
        }
    }
}

impl Repository {
    /// Asks the server what `reference` means and fetches it if it is not here. Returns what was chosen, and the commit.
    ///
    /// # Errors
    /// [`GitError`]. A local repository that `git` does not like is made anew once.
    pub async fn update(
        &self,
        url: &RemoteUrl,
        credentials: &Credentials,
        reference: &Reference,
        timeout: Duration,
    ) -> Result<(Reference, Oid), GitError> {
        let _one = self.fetching.lock().await;
        self.prepare(credentials).await?;
        let remote = Remote {
            git: &self.git,
            url,
            credentials,
            timeout,
            largest_pack: self.budget.pack_bytes,
        };
        let (reference, commit) = remote.resolve(&self.directory, reference).await?;
        if remote::kept(&self.git, &self.directory, &reference).await? == Some(commit) {
            return Ok((reference, commit));
        }
        self.make_room(credentials).await?;
        let fetched = remote.fetch(&self.directory, &reference).await;
        match fetched.map_err(|error| self.explained(url, error)) {
            Err(GitError::Local(said)) => {
                warn!(error = %said, "the local copy of a repository is made anew");
                self.make_anew(credentials).await?;
                let commit = remote.fetch(&self.directory, &reference).await?;
                Ok((reference, commit))
            }
            Err(error) => {
                disk::remove_unfinished(&self.directory);
                Err(error)
            }
            Ok(commit) => {
                if disk::packs(&self.directory) >= MOST_PACKS {
                    self.pack().await;
                }
                Ok((reference, commit))
            }
        }
    }

    /// All files of a commit.
    ///
    /// # Errors
    /// [`GitError::NoObject`] if the commit is not here any more.
    pub async fn list(&self, commit: Oid) -> Result<Vec<Listed>, GitError> {
        let _reading = self.state.read().await;
        objects::list(&self.git, &self.directory, commit).await
    }

    /// The content of files, in the same order; `bytes` is the sum of their sizes.
    ///
    /// # Errors
    /// [`GitError::NoObject`] if one is not here any more, [`GitError::TooLarge`] over the limit.
    pub async fn read(&self, oids: &[Oid], bytes: u64) -> Result<Vec<Vec<u8>>, GitError> {
        let _reading = self.state.read().await;
        objects::read(&self.git, &self.directory, oids, bytes).await
    }

    /// The message of a commit.
    ///
    /// # Errors
    /// [`GitError::NoObject`] if it is not here any more.
    pub async fn message_of(&self, commit: Oid) -> Result<String, GitError> {
        let _reading = self.state.read().await;
        remote::message_of(&self.git, &self.directory, commit).await
    }

    async fn prepare(&self, credentials: &Credentials) -> Result<(), GitError> {
        let mut state = self.state.write().await;
        // A directory for temporary files may be swept under us.
        if !state.initialised || !self.directory.join("HEAD").exists() {
            self.initialise().await?;
            state.initialised = true;
        }
        self.write_ca(credentials)
    }

    async fn make_anew(&self, credentials: &Credentials) -> Result<(), GitError> {
        let _alone = self.state.write().await;
        disk::remove_directory(&self.directory)?;
        self.initialise().await?;
        self.write_ca(credentials)
    }

    /// Makes the repository, or takes over what an earlier process left; its lock files are of processes that are gone.
    async fn initialise(&self) -> Result<(), GitError> {
        std::fs::create_dir_all(&self.directory)?;
        for lock in [
            "shallow.lock",
            "packed-refs.lock",
            "HEAD.lock",
            "config.lock",
        ] {
            disk::remove_file(&self.directory.join(lock))?;
        }
        let command = self
            .git
            .housekeeping(&self.directory, LONGEST_SETTING)
            .args(["init", "--quiet", "--bare", "--template="]);
        let output = command.run().await?;
        if output.is_success() {
            return Ok(());
        }
        Err(GitError::Local(output.stderr))
    }

    fn write_ca(&self, credentials: &Credentials) -> Result<(), GitError> {
        let Some(ca) = &credentials.ca else {
            return Ok(());
        };
        let path = self.directory.join(CA_FILE);
        if std::fs::read(&path).is_ok_and(|old| &old == ca) {
            return Ok(());
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
        std::io::Write::write_all(&mut file, ca)?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// `git` says nothing of a pack that the kernel cut off: the pack itself tells.
    fn explained(&self, url: &RemoteUrl, error: GitError) -> GitError {
        let limit = self.budget.pack_bytes;
        if disk::longest_unfinished(&self.directory) < limit {
            return error;
        }
        GitError::PackTooLarge {
            url: url.to_string(),
            limit,
        }
    }

    /// Sees to it that one more fetch is within the budget. The caller is the only one who fetches.
    async fn make_room(&self, credentials: &Credentials) -> Result<(), GitError> {
        disk::remove_unfinished(&self.directory);
        let is_full = || {
            let after = disk::size(&self.directory).saturating_add(self.budget.pack_bytes);
            after > self.budget.repository_bytes
        };
        if is_full() {
            self.pack().await;
        }
        if is_full() {
            info!(
                repository = %self.directory.display(),
                "what was fetched is over its budget on the disk and is fetched anew"
            );
            self.make_anew(credentials).await?;
        }
        Ok(())
    }

    /// Each fetch leaves a pack. Many packs are slow and hold what no reference needs any more.
    async fn pack(&self) {
        let _alone = self.state.write().await;
        let command = self
            .git
            .housekeeping(&self.directory, self.budget.repository_bytes)
            .args(["gc", "--quiet", "--prune=now"]);
        if let Err(error) = command.run().await {
            debug!(%error, "a repository could not be packed");
        }
    }
}

fn directory_name(url: &RemoteUrl, identity: &Identity) -> String {
    let identity = match identity {
        Identity::Anonymous => String::from("anonymous"),
        Identity::Secret { namespace, uid } => format!("secret\0{namespace}\0{uid}"),
        Identity::Url { uid } => format!("url\0{uid}"),
    };
    let digest = Sha256::digest(format!("{url}\0{identity}").as_bytes());
    format!("{}{SUFFIX}", hex::lower(&digest[..16]))
}

/// What our directories end in; others under the same root are left alone.
const SUFFIX: &str = ".git";

/// Of what `git init` writes.
const LONGEST_SETTING: u64 = 1 << 20;

/// So many fetches go by before a repository is packed.
const MOST_PACKS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_shared_only_among_the_same() {
        let url = |text: &str| RemoteUrl::parse(text).ok().unwrap().0;
        let secret = |namespace: &str, uid: &str| Identity::Secret {
            namespace: namespace.into(),
            uid: uid.into(),
        };
        let names = [
            directory_name(&url("https://h/a"), &Identity::Anonymous),
            directory_name(&url("https://h/b"), &Identity::Anonymous),
            directory_name(&url("https://h/a"), &secret("x", "1")),
            directory_name(&url("https://h/a"), &secret("y", "1")),
            directory_name(&url("https://h/a"), &secret("x", "2")),
            directory_name(&url("https://h/a"), &Identity::Url { uid: "1".into() }),
        ];
        let distinct: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert_eq!(
            names[0],
            directory_name(&url("https://H/a"), &Identity::Anonymous)
        );
    }
}
