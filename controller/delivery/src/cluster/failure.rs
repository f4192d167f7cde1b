//! What can go wrong with one object.

use kit::redact;

use crate::inventory::ObjectId;

/// One object that could not be applied or deleted. Never quotes a value of a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", id.subject())]
pub struct ObjectError {
    /// The object.
    pub id: ObjectId,
    /// What went wrong.
    pub why: Why,
}

/// What went wrong with one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Why {
    /// Another Kustomization has it and still wants it.
    #[error(
        "belongs to the Kustomization {0}, which still has it in its revision; remove it there first"
    )]
    Claimed(String),
    /// An object of a namespaced kind without a namespace.
    #[error(
        "namespace not specified: set metadata.namespace, or spec.targetNamespace of the Kustomization"
    )]
    NoNamespace,
    /// The API server does not serve the kind (yet).
    #[error(
        "no matches for kind {kind} in version {api_version}: is its CustomResourceDefinition installed?"
    )]
    NoSuchKind {
        /// `group/version`
        api_version: String,
        /// The kind.
        kind: String,
    },
    /// It cannot be changed in place, and may not be replaced.
    #[error(
        "cannot be changed in place ({0}); delete it, or allow its replacement with spec.force"
    )]
    Immutable(String),
    /// The API server said no.
    #[error("{0}")]
    Refused(String),
    /// The API server could not be asked, or an error of its own came back.
    #[error("{0}")]
    Unanswered(String),
    /// It stays although it was deleted: a finalizer holds it.
    #[error("was deleted and is still there: {0}")]
    Lingers(String),
}

impl Why {
    /// Reads an answer of the API server. Of Secrets, whose values it quotes, only fields and reasons are kept.
    #[must_use]
    pub fn from_api(error: &kube::Error, is_secret: bool) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Unanswered(redact::api_error(error));
        };
        let text = if is_secret || status.message.is_empty() {
            redact::api_error(error)
        } else {
            redact::foreign(&status.message)
        };
        match status.code {
            409 | 429 | 500.. => Self::Unanswered(text),
            422 if is_immutable(&status.message) => Self::Immutable(text),
            _ => Self::Refused(text),
        }
    }

    /// Whether the object can come in as soon as its kind does.
    #[must_use]
    pub fn waits_for_kind(&self) -> bool {
        matches!(self, Self::NoSuchKind { .. })
    }
}

/// Flux also takes every conflict and every 422 for this (fluxcd/pkg ssa errors/immutable.go), and then deletes objects for
/// an ordinary typing error. The words alone are enough.
fn is_immutable(message: &str) -> bool {
    message.contains("is immutable")
        || message.contains("immutable field")
        || message.contains("updates to statefulset spec for fields other than")
        || message.contains("may not change once set")
}

#[cfg(test)]
mod tests {
    use kube::core::{
        Status,
        response::{StatusCause, StatusDetails},
    };

    use super::*;

    fn answer(code: u16, message: &str) -> kube::Error {
        let cause = StatusCause {
            reason: "FieldValueInvalid".into(),
            message: message.into(),
            field: "data.password".into(),
        };
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: vec![cause],
            retry_after_seconds: 0,
        };
        kube::Error::Api(Box::new(Status {
            code,
            message: message.into(),
            reason: "Invalid".into(),
            details: Some(details),
            ..Status::default()
        }))
    }

    #[test]
    fn answers_are_told_apart() {
        let immutable =
            "Service \"a\" is invalid: spec.clusterIP: Invalid value: \"x\": field is immutable";
        assert!(matches!(
            Why::from_api(&answer(422, immutable), false),
            Why::Immutable(_)
        ));
        assert!(matches!(
            Why::from_api(&answer(422, "spec.replicas: Invalid value: -1"), false),
            Why::Refused(_)
        ));
        assert!(matches!(
            Why::from_api(&answer(403, "deployments is forbidden"), false),
            Why::Refused(_)
        ));
        assert!(matches!(
            Why::from_api(&answer(500, "etcd"), false),
            Why::Unanswered(_)
        ));
    }

    #[test]
    fn t26_an_invalid_secret_is_reported_without_its_data() {
        let error = answer(
            422,
            "Secret \"a\" is invalid: data.password: Invalid value: \"hunter2\"",
        );
        let text = Why::from_api(&error, true).to_string();
        assert!(
            !text.contains("hunter2") && text.contains("data.password"),
            "{text}"
        );
        assert!(
            Why::from_api(&error, false)
                .to_string()
                .contains("Invalid value")
        );
    }
}
