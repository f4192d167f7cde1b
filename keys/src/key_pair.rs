//! A private key with the certificate that publishes its other half.

use crate::{Certificate, Fingerprint, KeyError, KeySize, PrivateKey, PublicKey, Validity};

/// What a key Secret holds: `tls.key` and `tls.crt`.
pub struct KeyPair {
    private: PrivateKey,
    certificate: Certificate,
}

impl KeyPair {
    /// Puts the two together.
    ///
    /// # Errors
    ///
    /// [`KeyError::Mismatch`] when the certificate holds another key. The incumbent does not check
    /// this, and then publishes a certificate whose items it cannot open.
    pub fn new(private: PrivateKey, certificate: Certificate) -> Result<Self, KeyError> {
        if private.public_key().fingerprint() == certificate.public_key().fingerprint() {
            Ok(Self {
                private,
                certificate,
            })
        } else {
            Err(KeyError::Mismatch)
        }
    }

    /// Makes a new key and its self-signed certificate.
    ///
    /// # Errors
    ///
    /// [`KeyError::Make`], see [`PrivateKey::generate`] and [`Certificate::self_signed`].
    pub fn generate(
        size: KeySize,
        validity: Validity,
        common_name: &str,
    ) -> Result<Self, KeyError> {
        let private = PrivateKey::generate(size)?;
        let certificate = Certificate::self_signed(&private, validity, common_name)?;
        Self::new(private, certificate)
    }

    /// Reads both from PEM.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateKey::from_pem`], [`Certificate::from_pem`] and [`KeyPair::new`].
    pub fn from_pem(private: &[u8], certificate: &[u8]) -> Result<Self, KeyError> {
        Self::new(
            PrivateKey::from_pem(private)?,
            Certificate::from_pem(certificate)?,
        )
    }

    /// The half that opens.
    #[must_use]
    pub fn private_key(&self) -> &PrivateKey {
        &self.private
    }

    /// The half that is published.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key that seals.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.private.public_key()
    }

    /// The key's name.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.public_key().fingerprint()
    }

    /// Gives both parts back.
    #[must_use]
    pub fn into_parts(self) -> (PrivateKey, Certificate) {
        (self.private, self.certificate)
    }
}
