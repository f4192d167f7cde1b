//! Sealed files: reading a stream of documents, sealing a Secret, and the record of what an item was
//! sealed with.
//!
//! Text in, text out. The crate reads no file and has no clock; who calls it brings the certificate
//! and the input and carries the output away.

mod edit;
mod examine;
mod form;
pub mod fuzz;
mod go_json;
mod metadata;
mod output;
mod published;
mod record;
mod sealing;
mod secret;
mod stream;

pub use edit::{EditError, Identity, SealedFile};
pub use examine::{Examined, Finding, KnownKeys, Rule, Severity, examine};
pub use form::{Form, FormError};
pub use metadata::scope_in;
pub use output::{Format, UnsupportedFormat, write_json, write_yaml};
pub use published::{
    CONFIG_MAP_NAME, KEYS_FILE, KeyState, PublishedKey, PublishedKeys, certificate_file,
};
pub use record::{Record, RecordedItem, ciphertext_digest, label_digest};
pub use sealing::{SealSecretError, seal_secret};
pub use secret::{Secret, SecretError};
pub use stream::{Document, DocumentKind, StreamError, read, split};
