//! ExternalSecret to Secret, from AWS Secrets Manager.
#![expect(dead_code, reason = "the pieces come before what uses them")]

mod fetch;
mod go_json;
mod hash;
mod key;
mod names;
mod provider;
mod quota;
mod values;
