//! The files of a tree that may hold sealed documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// The files themselves that are named, and the JSON and YAML files below the directories. Directories
/// whose name begins with a dot hold Git's data and tools' settings; links are not followed.
pub(super) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| Failure::file("open", path, &error))?;
        if metadata.is_dir() {
            below(path, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        let failed = |error: std::io::Error| Failure::file("open", &directory, &error);
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            let hidden = name.to_string_lossy().starts_with('.');
            // `./x` is printed as `x`.
            let path = match directory.strip_prefix(".") {
                Ok(rest) => rest.join(&name),
                Err(_) => entry.path(),
            };
            if kind.is_dir() && !hidden && name != "node_modules" {
                open.push(path);
            } else if kind.is_file() && is_manifest(&path) {
                found.push(path);
            }
        }
    }
    Ok(())
}

fn is_manifest(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    matches!(extension.as_deref(), Some("yaml" | "yml" | "json"))
        || path.file_name().is_some_and(|name| name == "Kustomization")
}
