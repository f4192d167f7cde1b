//! What a bare repository takes of the disk.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

/// The bytes of all files in a directory and below it. What goes away meanwhile counts nothing.
pub(super) fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

/// How many packs a repository has.
pub(super) fn packs(repository: &Path) -> usize {
    let entries = std::fs::read_dir(repository.join(PACKS));
    entries.map_or(0, |entries| {
        let packs = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|kind| kind == "pack"));
        packs.count()
    })
}

/// How long the longest is of what a fetch did not come to the end of.
pub(super) fn longest_unfinished(repository: &Path) -> u64 {
    let sizes = unfinished(repository)
        .into_iter()
        .map(|path| std::fs::metadata(path).map_or(0, |file| file.len()));
    sizes.max().unwrap_or_default()
}

/// Removes what a fetch that was ended left behind. Nobody may be fetching.
pub(super) fn remove_unfinished(repository: &Path) {
    for path in unfinished(repository) {
        // What stays counts in the size, so a failure is seen there.
        drop(std::fs::remove_file(path));
    }
}

fn unfinished(repository: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository.join(PACKS));
    let entries = entries.into_iter().flatten().flatten();
    let found = entries.filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(UNFINISHED)
    });
    found.map(|entry| entry.path()).collect()
}

/// Removes a directory, if it is there.
pub(super) fn remove_directory(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

const PACKS: &str = "objects/pack";
/// How git begins the names of packs, indexes and the like that are not whole yet.
const UNFINISHED: &str = "tmp_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_goes_and_the_rest_counts() {
        let repository = tempfile::tempdir().unwrap();
        let packs_in = repository.path().join(PACKS);
        std::fs::create_dir_all(&packs_in).unwrap();
        for (name, bytes) in [("tmp_pack_x1", 100), ("pack-1.pack", 10), ("pack-1.idx", 5)] {
            std::fs::write(packs_in.join(name), vec![0; bytes]).unwrap();
        }
        assert_eq!(
            (size(repository.path()), packs(repository.path())),
            (115, 1)
        );
        assert_eq!(longest_unfinished(repository.path()), 100);
        remove_unfinished(repository.path());
        assert_eq!(longest_unfinished(repository.path()), 0);
        assert_eq!((size(repository.path()), packs(repository.path())), (15, 1));
        assert_eq!(size(&repository.path().join("missing")), 0);
    }
}
