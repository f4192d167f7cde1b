//! `Kustomization` (`kustomize.toolkit.fluxcd.io/v1`): what of a source is applied, and how.
//!
//! Field for field the types of kustomize-controller `api/v1/kustomization_types.go` (v1.9) and
//! fluxcd/pkg `apis/kustomize`, plus `status.written` of our own. Every field is here, whether we serve it
//! or not: the reconciler says so in a condition.

mod names;
mod overlay;
mod spec;
mod status;

pub use names::*;
pub use overlay::*;
pub use spec::*;
pub use status::*;
