//! `SecretStore` and `ClusterSecretStore` (`external-secrets.io/v1`, and `v1beta1` in the same shape):
//! where secrets are read from, and as whom.
//!
//! The types of external-secrets `apis/externalsecrets/v1/secretstore_types.go` and
//! `secretstore_aws_types.go` (v2.9.0). Of the providers only `aws` has a type; the fields of the others
//! are kept as they came.

mod aws;
mod spec;
mod status;

pub use aws::*;
pub use spec::*;
pub use status::*;
