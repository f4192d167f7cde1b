//! The one YAML reader and writer of the project. Nothing else may parse YAML, or it would read `no`,
//! `0644` or `1e3` differently from kubectl.
//!
//! It reads what `sigs.k8s.io/yaml` reads (kubectl, the API server's clients, kubeseal, Flux), YAML 1.1
//! scalars included, and writes what it writes, byte for byte; golden files made by the Go library hold
//! both. Where Go is careless we are not: by default a key that appears twice is an error, and so are
//! `!!binary` values that are not UTF-8, which Go mangles. Depth, nodes and alias expansion are bounded.
//! No error quotes what was read: it may be a Secret.
//!
//! It stands on `granit-parser`, the parser under `serde-saphyr`, and not on `serde-saphyr` itself: that
//! decodes into types by YAML 1.2's rules, has no legacy octal by default, drops the types of keys, and
//! cannot tell where a document begins.

mod compose;
mod entries;
mod error;
mod float;
mod json;
mod key_order;
mod read;
mod scalar;
mod style;
mod text;
mod write;

pub use error::Error;
pub use read::{Document, Duplicates, documents, documents_with, from_bytes, from_str};
pub use text::text;
pub use write::to_string;
