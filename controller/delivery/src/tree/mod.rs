//! The files of a revision, in memory: which there are, what is ignored, where links lead.

pub(crate) mod glob;
mod ignore;
mod links;
mod path;
mod snapshot;

#[cfg(test)]
pub(crate) use snapshot::tests;

pub use ignore::{Ignore, IgnoreFile};
pub use path::{InvalidPath, TreePath};
pub use snapshot::{Blob, Snapshot, Source, TreeError};
