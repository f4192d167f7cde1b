//! How much of its repository one build may read, over everything that its path leads to.

use crate::tree::{Blob, TreeError, TreePath};

/// What is left for one build.
pub(super) struct Budget {
    path: String,
    files: usize,
    bytes: u64,
}

/// Why a build does not get its files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It wants too much.
    #[error(
        "{path} and what it refers to are more than {limit}, the limit of one build: divide it among several Kustomizations"
    )]
    OverBudget {
        /// The path of the Kustomization.
        path: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl Budget {
    /// The budget of a build of this directory.
    pub(super) fn of(directory: &TreePath) -> Self {
        Self {
            path: directory.to_string(),
            files: MOST_FILES,
            bytes: MOST_BYTES,
        }
    }

    /// Takes these files out of it.
    ///
    /// # Errors
    /// [`ReadError::OverBudget`], before anything of them is read.
    pub(super) fn take(&mut self, files: &[(TreePath, Blob)]) -> Result<(), ReadError> {
        let over = |limit: String| ReadError::OverBudget {
            path: self.path.clone(),
            limit,
        };
        let bytes = files.iter().map(|(_, blob)| blob.size);
        let bytes = bytes.fold(0, u64::saturating_add);
        let files = self.files.checked_sub(files.len());
        self.files = files.ok_or_else(|| over(format!("{MOST_FILES} files")))?;
        let bytes = self.bytes.checked_sub(bytes);
        self.bytes = bytes.ok_or_else(|| over(format!("{} MiB", MOST_BYTES >> 20)))?;
        Ok(())
    }
}

/// The manifests of a large cluster are a few thousand files.
const MOST_FILES: usize = 20_000;
/// They are a few megabytes. Ten Kustomizations are worked on at the same time.
const MOST_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Oid;

    fn files(count: usize, size: u64) -> Vec<(TreePath, Blob)> {
        let oid = Oid::parse(&"a".repeat(40)).unwrap();
        vec![(TreePath::of_user("apps/x").unwrap(), Blob { oid, size }); count]
    }

    fn budget() -> Budget {
        Budget::of(&TreePath::of_user("apps").unwrap())
    }

    #[test]
    fn what_was_taken_before_counts() {
        let mut bytes = budget();
        for _ in 0..64 {
            bytes.take(&files(1, 1 << 20)).unwrap();
        }
        assert_eq!(
            bytes.take(&files(1, 1)).unwrap_err().to_string(),
            "apps and what it refers to are more than 64 MiB, the limit of one build: divide it among several Kustomizations"
        );
        let mut many = budget();
        many.take(&files(MOST_FILES - 1, 1)).unwrap();
        many.take(&files(1, 1)).unwrap();
        let error = many.take(&files(1, 0)).unwrap_err().to_string();
        assert!(
            error.starts_with("apps and ") && error.contains("20000 files"),
            "{error}"
        );
        assert!(budget().take(&files(2, u64::MAX)).is_err());
    }
}
