//! Why an ExternalSecret is not in step.

use std::time::Duration;

use crds::external_secret::REASON_SECRET_SYNCED_ERROR;
use kit::reconcile::{Failure, Retry};

/// What was tried when it failed. The text is the incumbent's condition message
/// (externalsecret_controller.go, `msgError...`); the cause is put behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The manifest itself cannot be served.
    Spec,
    /// Values were asked for.
    Data,
    /// The target was to be deleted.
    Delete,
    /// A target of an earlier name was to be deleted.
    DeleteOrphaned,
    /// The target was to be written.
    Update,
    /// The target is immutable.
    Immutable,
    /// The target was to become ours.
    BecomeOwner,
    /// The target is another ExternalSecret's.
    IsOwned,
}

impl Stage {
    /// What the condition says first.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Spec => "invalid ExternalSecret",
            Self::Data => "could not get secret data from provider",
            Self::Delete => "could not delete secret",
            Self::DeleteOrphaned => "could not delete orphaned secrets",
            Self::Update => "could not update secret",
            Self::Immutable => "could not update secret, target is immutable",
            Self::BecomeOwner => "failed to take ownership of target secret",
            Self::IsOwned => "target is owned by another ExternalSecret",
        }
    }

    /// Whether trying again can help while nothing changes. Whoever waits for a change is woken by
    /// that of the target, too.
    fn retry(self) -> Retry {
        match self {
            Self::Data | Self::Delete | Self::DeleteOrphaned | Self::Update => Retry::Backoff,
            Self::Spec | Self::Immutable | Self::BecomeOwner | Self::IsOwned => {
                Retry::WaitForChange
            }
        }
    }
}

/// Why an ExternalSecret is not in step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SyncFailure {
    /// It could not be brought in step, and its condition says so.
    #[error("{}: {cause}", .stage.message())]
    Failed {
        /// What was tried.
        stage: Stage,
        /// What came of it.
        cause: String,
        /// Whether trying again cannot help, whatever the stage.
        hopeless: bool,
    },
    /// Something changed while we were at it; tried again at once, and not worth a word.
    #[error("{0}")]
    Overtaken(&'static str),
    /// The provider asks us to come back later; the last value is still good enough.
    #[error("the provider asks to slow down: {0}")]
    Throttled(String),
    /// The store is new and has not been looked at yet.
    #[error("the store {0} has not been validated yet")]
    StoreNotYet(String),
    /// The status could not be written.
    #[error("the status could not be written: {0}")]
    Status(String),
}

impl SyncFailure {
    /// A failure at this stage, tried again where that can help.
    pub(crate) fn at(stage: Stage, cause: impl Into<String>) -> Self {
        Self::Failed {
            stage,
            cause: cause.into(),
            hopeless: false,
        }
    }

    /// A failure that no trying again can mend.
    pub(crate) fn hopeless(stage: Stage, cause: impl Into<String>) -> Self {
        Self::Failed {
            stage,
            cause: cause.into(),
            hopeless: true,
        }
    }
}

impl Failure for SyncFailure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Failed { .. } => REASON_SECRET_SYNCED_ERROR,
            Self::Overtaken(_) => "Overtaken",
            Self::Throttled(_) => "Throttled",
            Self::StoreNotYet(_) => "StoreNotYetValidated",
            Self::Status(_) => "StatusNotWritten",
        }
    }

    fn retry(&self) -> Retry {
        /// Soon, and not at once: the watch has to show us what overtook us.
        const SOON: Duration = Duration::from_millis(200);
        /// A store that is validated wakes us; this is for one whose waking was missed.
        const STORE: Duration = Duration::from_secs(2);
        match self {
            Self::Failed { hopeless: true, .. } => Retry::WaitForChange,
            Self::Failed { stage, .. } => stage.retry(),
            Self::Overtaken(_) => Retry::After(SOON),
            Self::StoreNotYet(_) => Retry::After(STORE),
            Self::Throttled(_) | Self::Status(_) => Retry::Backoff,
        }
    }
}
