//! Writing the Secrets that a SealedSecret or an ExternalSecret makes.
//!
//! They are created by POST and then replaced by PUT with resourceVersion, under the incumbents'
//! field manager names. Server-side apply would leave keys behind that an older manager owns.

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, Preconditions},
    core::Status,
};

use crate::{
    reconcile::{Failure, Retry},
    redact,
};

/// What a write left in the cluster: remembered, so that a later change by others is noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The uid of the Secret.
    pub uid: String,
    /// Its resourceVersion after the write.
    pub resource_version: String,
}

/// Why a Secret was not read or written. No variant carries data of the Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Somebody created it between our read and our write.
    #[error("a Secret of this name has appeared meanwhile")]
    AlreadyExists,
    /// Somebody changed it between our read and our write.
    #[error("the Secret was changed by somebody else meanwhile")]
    Conflict,
    /// We may not.
    #[error("{0}")]
    Forbidden(String),
    /// It, or its namespace, is gone.
    #[error("{0}")]
    Gone(String),
    /// It is immutable, so its data can only change by deleting it.
    #[error("the Secret is immutable; delete it to let it be made anew")]
    Immutable,
    /// The API server refuses its content.
    #[error("{0}")]
    Invalid(String),
    /// The API server could not be asked, or did not answer in time.
    #[error("{0}")]
    Unanswered(String),
}

impl Failure for WriteError {
    fn reason(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Forbidden(_) => "Forbidden",
            Self::Gone(_) => "Gone",
            Self::Immutable => "Immutable",
            Self::Invalid(_) => "Invalid",
            Self::Unanswered(_) => "Unanswered",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

/// The Secret of this name, or `None` if there is none.
///
/// # Errors
/// [`WriteError`] when the API server refuses or does not answer.
pub async fn read(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Secret>, WriteError> {
    api(client, namespace).get_opt(name).await.map_err(classify)
}

/// Creates a Secret. Its metadata names it and its namespace.
///
/// # Errors
/// [`WriteError::AlreadyExists`] if there is one of this name, else as the API server answers.
pub async fn create(
    client: &Client,
    secret: &Secret,
    field_manager: &str,
) -> Result<Written, WriteError> {
    let api = api(
        client,
        secret.metadata.namespace.as_deref().unwrap_or_default(),
    );
    let written = api
        .create(&parameters(field_manager), secret)
        .await
        .map_err(classify)?;
    Ok(Written::from(&written))
}

/// Replaces a Secret that carries the resourceVersion it was read with.
///
/// # Errors
/// [`WriteError::Conflict`] if it was changed since, else as the API server answers.
pub async fn replace(
    client: &Client,
    secret: &Secret,
    field_manager: &str,
) -> Result<Written, WriteError> {
    let api = api(
        client,
        secret.metadata.namespace.as_deref().unwrap_or_default(),
    );
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let written = api
        .replace(name, &parameters(field_manager), secret)
        .await
        .map_err(classify)?;
    Ok(Written::from(&written))
}

/// Deletes exactly the Secret that was read: one of the same name that came later is left alone.
///
/// # Errors
/// [`WriteError::Conflict`] if it was changed since. One that is gone already is no error.
pub async fn delete(client: &Client, secret: &Secret) -> Result<(), WriteError> {
    let api = api(
        client,
        secret.metadata.namespace.as_deref().unwrap_or_default(),
    );
    let name = secret.metadata.name.as_deref().unwrap_or_default();
    let preconditions = Preconditions {
        uid: secret.metadata.uid.clone(),
        resource_version: secret.metadata.resource_version.clone(),
    };
    let parameters = DeleteParams {
        preconditions: Some(preconditions),
        ..DeleteParams::default()
    };
    match api.delete(name, &parameters).await.map_err(classify) {
        Ok(_) | Err(WriteError::Gone(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl From<&Secret> for Written {
    fn from(secret: &Secret) -> Self {
        Self {
            uid: secret.metadata.uid.clone().unwrap_or_default(),
            resource_version: secret.metadata.resource_version.clone().unwrap_or_default(),
        }
    }
}

fn api(client: &Client, namespace: &str) -> Api<Secret> {
    Api::namespaced(client.clone(), namespace)
}

fn parameters(field_manager: &str) -> PostParams {
    PostParams {
        field_manager: Some(field_manager.to_owned()),
        ..PostParams::default()
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn classify(error: kube::Error) -> WriteError {
    let text = redact::api_error(&error);
    let kube::Error::Api(status) = &error else {
        return WriteError::Unanswered(text);
    };
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => WriteError::AlreadyExists,
        (409, _) => WriteError::Conflict,
        (403, _) => WriteError::Forbidden(text),
        (404, _) => WriteError::Gone(text),
        (422, _) if is_immutable(status) => WriteError::Immutable,
        (400 | 413 | 422, _) => WriteError::Invalid(text),
        _ => WriteError::Unanswered(text),
    }
}

/// The API server's own words for a write to an immutable Secret
/// (pkg/apis/core/validation, `ValidateSecretUpdate`).
fn is_immutable(status: &Status) -> bool {
    status
        .message
        .contains("field is immutable when `immutable` is set")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, reason: &str, message: &str) -> kube::Error {
        kube::Error::Api(Box::new(Status {
            code,
            reason: reason.into(),
            message: message.into(),
            ..Status::default()
        }))
    }

    #[test]
    fn answers_are_told_apart() {
        let immutable =
            "Secret \"x\" is invalid: data: Forbidden: field is immutable when `immutable` is set";
        for (error, expected) in [
            (answer(409, "AlreadyExists", ""), "AlreadyExists"),
            (answer(409, "Conflict", ""), "Conflict"),
            (
                answer(403, "Forbidden", "secrets is forbidden"),
                "Forbidden",
            ),
            (answer(404, "NotFound", ""), "Gone"),
            (answer(422, "Invalid", immutable), "Immutable"),
            (
                answer(422, "Invalid", "type: Invalid value: \"v\""),
                "Invalid",
            ),
            (answer(500, "InternalError", "etcd"), "Unanswered"),
        ] {
            assert_eq!(classify(error).reason(), expected);
        }
    }

    #[test]
    fn a_refused_secret_is_not_quoted() {
        let error = classify(answer(
            422,
            "Invalid",
            "data[k]: Invalid value: \"hunter2\"",
        ));
        assert!(!error.to_string().contains("hunter2"));
    }
}
