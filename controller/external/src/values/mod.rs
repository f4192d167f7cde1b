//! From what a provider returned to the keys and values of a Secret, without any I/O.

mod decoding;
mod keys;
mod rewrite;
#[cfg(test)]
mod vector_tests;

pub(crate) use decoding::{decode, decode_all};
pub(crate) use keys::{convert_all, validate};
pub(crate) use rewrite::apply as rewrite;

use std::collections::BTreeMap;

use kit::SecretBytes;

/// Keys and values on their way into a Secret.
pub(crate) type Values = BTreeMap<String, SecretBytes>;
