//! From the files of a revision to the objects that it asks for.
//!
//! A directory without a kustomization file is rendered by us ([`plain`]); everything else by the real kustomize
//! ([`kustomize`]), which is fed the files over a pipe. Both end in [`Manifest`]s.

mod ambiguous;
mod aside;
mod budget;
mod failure;
mod finish;
pub mod kustomize;
mod manifest;
mod plain;
mod references;
mod rendering;
mod scan;
mod substitute;

pub use budget::ReadError;
pub use failure::RenderError;
pub use finish::{Finish, finish};
pub use manifest::{Manifest, ManifestError};
pub use references::kustomization_file;
pub use rendering::{Rendering, plan};
pub use substitute::{SubstitutionError, Variables};
