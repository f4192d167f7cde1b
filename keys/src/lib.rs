//! The sealing format: key pairs, certificates, labels, and sealing and opening one item.
//!
//! Bytes in, bytes out. The crate knows no Kubernetes object, reads no file, has no clock (time is
//! an argument) and starts no task.

mod secret_bytes;

pub use secret_bytes::SecretBytes;
