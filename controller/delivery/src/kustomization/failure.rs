//! Why a Kustomization is not as its source wants it.

use crds::{
    flux::{REASON_ACCESS_DENIED, REASON_FAILED, REASON_FEATURE_GATE_DISABLED},
    kustomization::{
        REASON_ARTIFACT_FAILED, REASON_BUILD_FAILED, REASON_DEPENDENCY_NOT_READY,
        REASON_HEALTH_CHECK_FAILED, REASON_PRUNE_FAILED, REASON_RECONCILIATION_FAILED,
    },
};
use kit::reconcile::Retry;

use crate::{cluster::ObjectError, render::RenderError};

/// Why a Kustomization is not as its source wants it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyFailure {
    /// A source in another namespace, where that is not allowed.
    #[error("can't access '{0}', cross-namespace references have been blocked")]
    AccessDenied(String),
    /// The API server could not be asked for something of our own.
    #[error("{doing}: {said}")]
    Api {
        /// What we were doing.
        doing: &'static str,
        /// What it said.
        said: String,
    },
    /// The source has nothing to apply.
    #[error("{0}")]
    Artifact(String),
    /// It does not render.
    #[error("{0}")]
    Build(#[from] RenderError),
    /// Another Kustomization has to come first.
    #[error("dependency '{0}' is not ready")]
    Dependency(String),
    /// A duration cannot be one.
    #[error("spec.{field}: {message}")]
    Duration {
        /// The field.
        field: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Something that was applied is not healthy.
    #[error("{0}")]
    Health(String),
    /// Nobody to act as.
    #[error("spec.serviceAccountName: {0}")]
    Identity(String),
    /// This process has not fetched the source yet. Nothing is said about it: it takes a moment after a start.
    #[error("the source '{0}' is being fetched")]
    NotFetchedYet(String),
    /// Something that we do not do.
    #[error("{0} is not served")]
    NotServed(&'static str),
    /// Some objects could not be applied; the others were.
    #[error("{}", listed(.0))]
    Objects(Vec<ObjectError>),
    /// The variables of `spec.postBuild` cannot be had.
    #[error("{0}")]
    Variables(String),
    /// Some objects could not be deleted; the others were.
    #[error("prune failed: {}", listed(.0))]
    Prune(Vec<ObjectError>),
}

impl ApplyFailure {
    /// Whether only a change of the object can help.
    pub(super) fn is_stalled(&self) -> bool {
        matches!(
            self,
            Self::AccessDenied(_) | Self::NotServed(_) | Self::Duration { .. } | Self::Identity(_)
        )
    }

    /// The same failure once more, for one who only borrows it.
    pub(super) fn again(&self) -> Self {
        Self::Health(self.to_string())
    }

    /// The reason of the conditions and events.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::AccessDenied(_) => REASON_ACCESS_DENIED,
            Self::Api { .. } | Self::Objects(_) => REASON_RECONCILIATION_FAILED,
            Self::Artifact(_)
            | Self::NotFetchedYet(_)
            | Self::Build(RenderError::NoPath(_) | RenderError::Path(_)) => REASON_ARTIFACT_FAILED,
            Self::Build(_) | Self::Variables(_) => REASON_BUILD_FAILED,
            Self::Dependency(_) => REASON_DEPENDENCY_NOT_READY,
            Self::Duration { .. } | Self::Identity(_) => REASON_FAILED,
            Self::Health(_) => REASON_HEALTH_CHECK_FAILED,
            Self::NotServed(_) => REASON_FEATURE_GATE_DISABLED,
            Self::Prune(_) => REASON_PRUNE_FAILED,
        }
    }
}

/// What the runner is told: the failure, and when to try again.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub struct Ended {
    #[source]
    pub(super) failure: ApplyFailure,
    pub(super) retry: Retry,
}

impl kit::reconcile::Failure for Ended {
    fn reason(&self) -> &'static str {
        self.failure.reason()
    }

    fn retry(&self) -> Retry {
        self.retry
    }
}

/// All errors in one line, up to a number that people read.
fn listed(errors: &[ObjectError]) -> String {
    let mut text: Vec<String> = errors
        .iter()
        .take(MOST_LISTED)
        .map(ToString::to_string)
        .collect();
    if errors.len() > MOST_LISTED {
        text.push(format!("and {} more", errors.len() - MOST_LISTED));
    }
    text.join("; ")
}

const MOST_LISTED: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Why;

    #[test]
    fn all_errors_are_told_up_to_a_number_that_people_read() {
        let error = |name: u8| ObjectError {
            id: format!("shop_{name}__ConfigMap").parse().unwrap(),
            why: Why::Refused("no".into()),
        };
        let two = ApplyFailure::Objects(vec![error(1), error(2)]);
        assert_eq!(
            two.to_string(),
            "ConfigMap/shop/1: no; ConfigMap/shop/2: no"
        );
        let many = ApplyFailure::Prune((0..13).map(error).collect());
        assert!(
            many.to_string()
                .starts_with("prune failed: ConfigMap/shop/0: no; ")
        );
        assert!(many.to_string().ends_with("; and 3 more"));
    }
}
