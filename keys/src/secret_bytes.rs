//! The one type that plaintext and private keys live in.

use zeroize::Zeroizing;

/// Bytes that must never be printed and are wiped when dropped.
///
/// It has neither `Debug` nor `Clone` nor `PartialEq`: a copy is made by name with
/// [`SecretBytes::duplicate`], and the bytes are seen only through [`SecretBytes::expose`], so that
/// every place that touches them can be found by searching for those two words.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over. The vector must not have been grown by reallocation while it held the
    /// secret, for the old allocations are not wiped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none. An empty secret is a legal one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A second copy, wiped on its own.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}
