//! Directories for data and logs that are gone when the test run is.
//!
//! What a whole test process shares lives in statics, which are never dropped, so its directory
//! cannot be removed by a destructor. Instead each directory holds a locked file, and the next run
//! removes the directories whose lock is free: their process has ended, however it did.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::Failure;

/// A directory of its own for data and logs. Removed on drop, else by a later run; kept for looking
/// at where `SIGNET_KEEP` is set.
pub struct Scratch {
    path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Makes an empty directory; `name` says in its path what it is for.
    ///
    /// # Errors
    /// If the directory for temporary files cannot be written to.
    pub fn new(name: &str) -> Result<Self, Failure> {
        static SWEPT: OnceLock<()> = OnceLock::new();
        SWEPT.get_or_init(sweep);
        let directory = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{name}-"))
            .tempdir()?
            .keep();
        let lock = File::create(directory.join(LOCK))?;
        lock.lock()?;
        Ok(Self {
            path: directory,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if std::env::var_os("SIGNET_KEEP").is_none() {
            // A later run sweeps up what cannot be removed now.
            let _left = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn sweep() {
    if std::env::var_os("SIGNET_KEEP").is_some() {
        return;
    }
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes());
        if ours
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            let _somebody_else_removes_it = std::fs::remove_dir_all(entry.path());
        }
    }
}

const PREFIX: &str = "signet-";
const LOCK: &str = ".lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_somebody_holds_is_not_swept() {
        let held = Scratch::new("held").unwrap();
        let left = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .unwrap()
            .keep();
        std::fs::write(left.join(LOCK), "").unwrap();
        sweep();
        assert!(held.path().is_dir());
        assert!(!left.exists());
    }
}
