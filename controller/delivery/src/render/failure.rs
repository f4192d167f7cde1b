//! Why a path does not render.

use super::{
    budget::ReadError, kustomize::KustomizeError, manifest::ManifestError,
    substitute::SubstitutionError,
};
use crate::tree::InvalidPath;

/// Why there are no objects.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// Two objects of the same name.
    #[error("{subject} is in {first} and again in {second}")]
    Twice {
        /// `Kind/namespace/name`
        subject: String,
        /// Where it is first.
        first: String,
        /// Where it is again.
        second: String,
    },
    /// kustomize failed.
    #[error(transparent)]
    Kustomize(#[from] KustomizeError),
    /// A document is no object.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// `signet-kustomize` is not installed.
    #[error(
        "{0} needs kustomize, and the program signet-kustomize was not found (flag --kustomize)"
    )]
    NoKustomize(String),
    /// There is no such directory in this revision.
    #[error("kustomization path not found: the revision has no directory {0}")]
    NoPath(String),
    /// The path cannot be one.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// A variable cannot be put in.
    #[error("{subject}: {cause}")]
    Substitution {
        /// `Kind/namespace/name`
        subject: String,
        /// What is wrong.
        cause: SubstitutionError,
    },
    /// A file cannot be read, or the files are too many.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file is not YAML.
    #[error("{origin}: {message}")]
    Yaml {
        /// The file and the place in it.
        origin: String,
        /// What is wrong there.
        message: String,
    },
}
