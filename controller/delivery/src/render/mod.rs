//! From the files of a revision to the objects that it asks for.
//!
//! A directory without a kustomization file is rendered by us ([`plain`]); everything else by the real kustomize
//! ([`kustomize`]), which is fed the files over a pipe. Both end in [`Manifest`]s.

mod ambiguous;
mod aside;
mod budget;
mod finish;
pub mod kustomize;
mod manifest;
mod plain;
mod references;
mod scan;
mod substitute;

pub use budget::ReadError;
pub use finish::{Finish, finish};
pub use manifest::{Manifest, ManifestError};
pub use plain::{RenderError, Rendering, plan};
pub use references::kustomization_file;
pub use substitute::{SubstitutionError, Variables};
