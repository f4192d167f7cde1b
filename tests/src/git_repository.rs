//! A repository on the server, with a work tree to change it from.

use std::path::{Path, PathBuf};

use crate::{Failure, Invocation};

/// A bare repository and a work tree whose commits go to its branch `main`.
pub struct GitRepository {
    url: String,
    bare: PathBuf,
    work: PathBuf,
}

impl GitRepository {
    pub(crate) async fn create(url: String, bare: PathBuf, work: PathBuf) -> Result<Self, Failure> {
        std::fs::create_dir_all(&work)?;
        let this = Self { url, bare, work };
        let bare = this.bare.display().to_string();
        this.git(&["init", "--quiet", "--bare", "--initial-branch=main", &bare])
            .await?;
        this.git(&["-C", &bare, "config", "http.receivepack", "true"])
            .await?;
        // As the large hosters allow it, so that a fetch may name a commit.
        this.git(&[
            "-C",
            &bare,
            "config",
            "uploadpack.allowAnySHA1InWant",
            "true",
        ])
        .await?;
        this.git(&["-C", &bare, "config", "uploadpack.allowFilter", "true"])
            .await?;
        this.git(&["init", "--quiet", "--initial-branch=main"])
            .await?;
        this.git(&["remote", "add", "origin", &bare]).await?;
        Ok(this)
    }

    /// Its URL on the server, without credentials.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The work tree.
    pub fn directory(&self) -> &Path {
        &self.work
    }

    /// Writes a file in the work tree, with the directories that it needs.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<(), Failure> {
        let file = self.work.join(path);
        if let Some(directory) = file.parent() {
            std::fs::create_dir_all(directory)?;
        }
        std::fs::write(file, content)?;
        Ok(())
    }

    /// The text of a file in the work tree.
    ///
    /// # Errors
    /// If it is not there.
    pub fn read(&self, path: &str) -> Result<String, Failure> {
        let read = std::fs::read_to_string(self.work.join(path));
        read.map_err(|error| Failure::from(error).while_doing(&format!("read {path}")))
    }

    /// Changes a text in a file that holds it.
    ///
    /// # Errors
    /// If the file does not hold it.
    pub fn replace(&self, path: &str, old: &str, new: &str) -> Result<(), Failure> {
        let text = self.read(path)?;
        if !text.contains(old) {
            return Err(Failure::new(format!("{path} does not hold {old}")));
        }
        self.write(path, text.replace(old, new))
    }

    /// Removes a file or directory from the work tree.
    ///
    /// # Errors
    /// If it is not there.
    pub fn remove(&self, path: &str) -> Result<(), Failure> {
        let file = self.work.join(path);
        let removed = if file.is_dir() {
            std::fs::remove_dir_all(file)
        } else {
            std::fs::remove_file(file)
        };
        removed.map_err(|error| Failure::from(error).while_doing(&format!("remove {path}")))
    }

    /// Copies a directory into the work tree.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn copy(&self, from: &Path) -> Result<(), Failure> {
        copy_into(from, &self.work)
    }

    /// Commits the whole work tree and pushes it to `main`; gives the commit's id.
    ///
    /// # Errors
    /// If git fails.
    pub async fn commit(&self, message: &str) -> Result<String, Failure> {
        self.commit_locally(message).await?;
        self.git(&["push", "--quiet", "origin", "HEAD:main"])
            .await?;
        self.head().await
    }

    /// Commits the whole work tree without pushing it.
    ///
    /// # Errors
    /// If git fails.
    pub async fn commit_locally(&self, message: &str) -> Result<(), Failure> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message])
            .await?;
        Ok(())
    }

    /// The commit that the work tree is at.
    ///
    /// # Errors
    /// If git fails.
    pub async fn head(&self) -> Result<String, Failure> {
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Runs git in the work tree, without the user's configuration, and gives what it prints.
    ///
    /// # Errors
    /// If git fails.
    pub async fn git(&self, arguments: &[&str]) -> Result<String, Failure> {
        hermetic_git()
            .directory(&self.work)
            .args(arguments)
            .stdout()
            .await
    }
}

/// Git without anybody's configuration.
pub(crate) fn hermetic_git() -> Invocation {
    Invocation::new("git")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_AUTHOR_NAME", "A Developer")
        .env("GIT_AUTHOR_EMAIL", "developer@example.com")
        .env("GIT_COMMITTER_NAME", "A Developer")
        .env("GIT_COMMITTER_EMAIL", "developer@example.com")
}

fn copy_into(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_into(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
