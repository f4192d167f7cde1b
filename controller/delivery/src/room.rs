//! Where the repositories are kept on the disk.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// A directory of our own. A temporary one is removed in the end; one that a process left behind when it was killed is
/// removed by the next, which finds its lock free.
pub(crate) struct Room {
    path: PathBuf,
    _temporary: Option<Temporary>,
}

struct Temporary {
    _directory: TempDir,
    /// Held as long as the process lives, however it ends.
    _lock: File,
}

impl Room {
    /// The named directory, which outlives us, or a temporary one.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn open(named: Option<&Path>) -> io::Result<Self> {
        match named {
            Some(path) => Ok(Self {
                path: path.to_owned(),
                _temporary: None,
            }),
            None => Self::temporary_in(&std::env::temp_dir()),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn temporary_in(parent: &Path) -> io::Result<Self> {
        remove_left_behind(parent);
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create_new(directory.path().join(LOCK))?;
        lock.lock()?;
        let path = directory.path().to_owned();
        let temporary = Temporary {
            _directory: directory,
            _lock: lock,
        };
        Ok(Self {
            path,
            _temporary: Some(temporary),
        })
    }
}

fn remove_left_behind(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let is_room = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_room && is_free(&entry.path()) {
            // Somebody else may be as quick, or it may not be ours: both leave it to others.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// A directory without a lock is being made just now, or is not a room.
fn is_free(room: &Path) -> bool {
    let Ok(lock) = File::open(room.join(LOCK)) else {
        return false;
    };
    !matches!(
        lock.try_lock(),
        Err(TryLockError::WouldBlock | TryLockError::Error(_))
    )
}

const PREFIX: &str = "signet-repositories-";
const LOCK: &str = "lock";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_left_behind_is_removed_and_one_in_use_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let in_use = Room::temporary_in(parent.path()).unwrap();
        let left = parent.path().join("signet-repositories-left");
        std::fs::create_dir(&left).unwrap();
        drop(File::create_new(left.join(LOCK)).unwrap());
        let foreign = parent.path().join("other");
        std::fs::create_dir(&foreign).unwrap();
        let second = Room::temporary_in(parent.path()).unwrap();
        assert!(in_use.path().exists() && second.path().exists() && foreign.exists());
        assert!(!left.exists());
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
