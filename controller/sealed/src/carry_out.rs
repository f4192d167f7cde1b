//! The writes.

use crds::sealed_secret::SealedSecret;
use k8s_openapi::api::core::v1::Secret;
use kit::{
    redact,
    target::{self, WriteError, Written},
};
use kube::Client;

use crate::{
    FIELD_MANAGER,
    place::Place,
    plan::Plan,
    problem::Problem,
    watch::{Look, SecretIndex},
};

/// What became of a plan.
pub(crate) enum Carried {
    /// The Secret was written.
    Wrote(Written),
    /// The Secret was as it should be.
    Kept(Written),
    /// Somebody was faster. What we knew is out of date.
    OutOfDate,
}

/// Creates or replaces the Secret.
pub(crate) async fn secret(
    client: &Client,
    plan: Plan,
    live: Option<&Secret>,
    index: &SecretIndex,
) -> Result<Carried, Problem> {
    let (written, secret) = match plan {
        Plan::Keep => {
            return Ok(Carried::Kept(
                live.map(Written::from).unwrap_or_else(nothing),
            ));
        }
        Plan::Create(secret) => (target::create(client, &secret, FIELD_MANAGER).await, secret),
        Plan::Replace(secret) => (
            target::replace(client, &secret, FIELD_MANAGER).await,
            secret,
        ),
    };
    let place = Place::of(secret.as_ref());
    match written {
        Ok(written) => {
            index.wrote(&place, &secret, &written);
            Ok(Carried::Wrote(written))
        }
        Err(WriteError::AlreadyExists | WriteError::Conflict) => Ok(Carried::OutOfDate),
        // The Secret went between our read and our write. Its namespace would be named otherwise.
        Err(WriteError::Gone(_)) if live.is_some() => Ok(Carried::OutOfDate),
        Err(WriteError::Immutable) => Err(Problem::Immutable(place.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// A plan to keep comes with the Secret that is kept.
fn nothing() -> Written {
    Written {
        uid: String::new(),
        resource_version: String::new(),
    }
}

/// How the status was taken.
pub(crate) enum Reported {
    /// As it was written.
    Whole,
    /// Without what we remember: the installed CRD does not know those fields.
    Pruned,
    /// The SealedSecret changed or went meanwhile; what it is now is another reconcile's.
    Overtaken,
}

/// Writes the status.
pub(crate) async fn status(client: &Client, sealed: &SealedSecret) -> Result<Reported, Problem> {
    match kit::status::replace(client, sealed).await {
        Ok(taken) => {
            let remembers =
                |object: &SealedSecret| object.status.as_ref().is_some_and(|s| s.written.is_some());
            let is_pruned = remembers(sealed) && !remembers(&taken);
            Ok(if is_pruned {
                Reported::Pruned
            } else {
                Reported::Whole
            })
        }
        Err(kube::Error::Api(answer)) if matches!(answer.code, 404 | 409) => {
            Ok(Reported::Overtaken)
        }
        Err(error) => Err(Problem::Status(redact::api_error(&error))),
    }
}

/// Deletes the Secret of a SealedSecret that is gone (`--old-gc-behavior`; `controller.go`,
/// `unseal`). Only one that a SealedSecret of this uid controls.
pub(crate) async fn delete(
    client: &Client,
    place: &Place,
    uid: &str,
    look: &Look,
) -> Result<(), WriteError> {
    if matches!(look, Look::Absent) {
        return Ok(());
    }
    let live = target::read(client, &place.namespace, &place.name).await?;
    let is_ours = |secret: &Secret| {
        let owners = secret.metadata.owner_references.iter().flatten();
        owners
            .into_iter()
            .any(|owner| owner.controller == Some(true) && owner.uid == uid)
    };
    match live.filter(is_ours) {
        Some(secret) => target::delete(client, &secret).await,
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use kube::client::Body;
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn the_ciphertexts_are_not_sent_with_the_status() {
        let (sent, mut received) = tokio::sync::mpsc::unbounded_channel();
        let api_server = tower::service_fn(move |request: axum::http::Request<Body>| {
            let sent = sent.clone();
            async move {
                let body = request.into_body().collect_bytes().await.unwrap();
                sent.send(body.clone()).unwrap();
                Ok::<_, std::convert::Infallible>(axum::http::Response::new(Body::from(body)))
            }
        });
        let sealed: SealedSecret = serde_json::from_value(json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {
                "name": "x", "namespace": "a", "uid": "u", "resourceVersion": "7",
                "annotations": {"signet.dev/sealed-with": "{}"},
            },
            "spec": {"encryptedData": {"item": "c"}},
            "status": {"observedGeneration": 1},
        }))
        .unwrap();
        let client = Client::new(api_server, "a");
        assert!(matches!(
            status(&client, &sealed).await,
            Ok(Reported::Whole)
        ));
        let body: Value = serde_json::from_slice(&received.recv().await.unwrap()).unwrap();
        let names = json!({"name": "x", "namespace": "a", "uid": "u", "resourceVersion": "7"});
        assert_eq!(body["metadata"], names);
        assert_eq!(body["kind"], "SealedSecret");
        assert_eq!(body["status"]["observedGeneration"], 1);
        assert!(body.get("spec").is_none(), "{body}");
    }
}
