//! ExternalSecret to Secret, from AWS Secrets Manager.
//!
//! The API is that of the External Secrets Operator; the engine is not. [`run`] is the part; the
//! rest is what it is made of:
//!
//! ```text
//! watches --> external_secret: refresh? --> gather --> assemble --> plan --> carry out --> status
//!                                             |
//!             store: as whom? ----------------+--> fetch: gathered, shared, batched --> provider
//! ```
//!
//! # Invariants
//! - Plaintext lives in [`kit::SecretBytes`] from the provider to the write of the target, and no
//!   longer. Nothing caches it.
//! - What was read for one principal never reaches another.
//! - Nothing is asked that is not due, and nothing is written that is there already.
//!
//! It knows no Git and no sealing.

mod adopt;
mod arguments;
mod cluster_external_secret;
mod config_maps;
mod dependents;
mod external_secret;
mod fetch;
mod generator;
mod go_json;
mod hash;
mod key;
mod memory;
mod metrics;
mod names;
mod namespaces;
mod observed;
mod part;
mod provider;
mod quota;
mod run;
mod schedule;
mod secrets;
mod settings;
mod sightings;
mod store;
mod template;
mod values;
mod wakes;

pub use adopt::adopt;
pub use arguments::Arguments;
pub use provider::aws::Endpoints;
pub use run::{run, run_with};
pub use settings::Settings;
