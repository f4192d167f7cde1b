//! Why a key or certificate cannot be used.

/// A key or certificate that cannot be read, made or used. The texts hold no part of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The certificate is not X.509 as this crate reads it.
    #[error("the certificate cannot be read: {0}")]
    Certificate(#[source] der::Error),
    /// The certificate and the private key belong to different keys.
    #[error("the certificate belongs to another key than the private key")]
    Mismatch,
    /// There is no certificate in the PEM text. The text is that of client-go's
    /// `cert.ParseCertsPEM`.
    #[error("data does not contain any valid RSA or ECDSA certificates")]
    NoCertificate,
    /// There is no private key in the PEM text. The text is that of client-go's
    /// `keyutil.ParsePrivateKeyPEM`.
    #[error("data does not contain a valid RSA or ECDSA private key")]
    NoPrivateKey,
    /// The certificate's key is of another kind.
    #[error("expected RSA public key but found {0}")]
    NotRsaPublicKey(String),
    /// The private key is of another kind.
    #[error("private key is not an RSA key")]
    NotRsaPrivateKey,
    /// The private key is encrypted with a passphrase.
    #[error("the private key is encrypted; decrypt it first (openssl rsa -in KEY)")]
    Encrypted,
    /// The public key has a size or form that cannot be used.
    #[error("the RSA public key cannot be used: it must have 2048 to 8192 bits")]
    PublicKey,
    /// The private key has a size or form that cannot be used, or contradicts itself.
    #[error("the RSA private key cannot be used: it must be consistent and have 2048 to 8192 bits")]
    PrivateKey,
    /// The text is longer than any key or certificate.
    #[error("data is too long for a key or certificate ({0} bytes)")]
    TooLong(usize),
    /// A new key or certificate could not be made.
    #[error("cannot make a key or certificate: {0}")]
    Make(String),
}
