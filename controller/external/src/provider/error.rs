//! Why a provider did not give a value.

/// Why a provider did not give a value. The texts carry no payload, no request id and no credential,
/// so that the same failure has the same text each time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    /// There is no such secret, or it is marked for deletion: the one lack that a deletion policy
    /// speaks of. The text is the incumbent's.
    #[error("Secret does not exist")]
    Missing,
    /// The policy does not let us read this, or not in this way.
    #[error("{0}")]
    Denied(String),
    /// We have no credentials, or they are not accepted.
    #[error("{0}")]
    Refused(String),
    /// Too many requests. Tried again later.
    #[error("{0}")]
    Throttled(String),
    /// The provider could not be reached, or failed by itself. Tried again later.
    #[error("{0}")]
    Unavailable(String),
    /// The provider says that the request cannot be answered: a version that is not there, a value
    /// that does not decrypt.
    #[error("{0}")]
    Rejected(String),
    /// We are ending, so what was asked will not be answered.
    #[error("the controller is ending")]
    Ended,
}

impl ReadError {
    /// Whether other reads by the same identity will fail in the same way now, so that trying
    /// them one by one only makes it worse.
    #[must_use]
    pub(crate) fn concerns_everything(&self) -> bool {
        matches!(
            self,
            Self::Refused(_) | Self::Throttled(_) | Self::Unavailable(_) | Self::Ended
        )
    }
}
