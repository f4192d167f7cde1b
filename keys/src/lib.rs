//! The sealing format: key pairs, certificates, labels, and sealing and opening one item.
//!
//! Bytes in, bytes out. The crate knows no Kubernetes object, reads no file, has no clock (time is
//! an argument) and starts no task.
//!
//! ```text
//! item   = base64( u16be(len(RSA_CT)) || RSA_CT || AES_CT )
//! K      = 32 random bytes, used once
//! RSA_CT = RSA-OAEP(SHA-256, MGF1 SHA-256, label = LABEL, message = K)
//! AES_CT = AES-256-GCM(key = K, nonce = 12 zero bytes, no associated data, plaintext) || tag
//! ```
//!
//! What is bound to an item is its [`Label`] and nothing else: not the item's name, not the type or
//! the metadata of the Secret, not the sender. That is the format of Sealed Secrets
//! (`pkg/crypto/crypto.go`), read and written here so that either side can be replaced by it.

mod base64;
mod certificate;
mod envelope;
mod fingerprint;
pub mod fuzz;
mod key_error;
mod key_pair;
mod keyring;
mod pem;
mod private_key;
mod public_key;
mod scope;
mod secret_bytes;

pub use base64::{NotBase64, decode as decode_base64, encode as encode_base64};
pub use certificate::{Certificate, Validity};
pub use envelope::{MAX_PLAINTEXT_BYTES, SealError, seal, sealed_sizes};
pub use fingerprint::{Fingerprint, InvalidFingerprint};
pub use key_error::KeyError;
pub use key_pair::KeyPair;
pub use keyring::{Entry, Keyring, OpenError, Opened};
pub use private_key::{KeySize, PrivateKey};
pub use public_key::PublicKey;
pub use scope::{InvalidScope, Label, Scope};
pub use secret_bytes::SecretBytes;
