//! `ExternalSecret` (`external-secrets.io/v1`, and `v1beta1` in the same shape): a Secret kept in step
//! with a cloud's secret store.
//!
//! Field for field the types of external-secrets `apis/externalsecrets/v1/externalsecret_types.go`
//! (v2.9.0), plus `status.written` of our own.

mod names;
mod source;
mod spec;
mod status;
mod target;

pub use names::*;
pub use source::*;
pub use spec::*;
pub use status::*;
pub use target::*;
