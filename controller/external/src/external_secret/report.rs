//! Telling what came of it: the status, and the events beside it.

use crds::external_secret::{
    ExternalSecret, ExternalSecretStatus, REASON_MISSING_PROVIDER_SECRET, REASON_UPDATE_FAILED,
};
use jiff::Timestamp;
use kit::redact;
use kube::{Api, ResourceExt as _};
use tracing::debug;

use super::{
    failure::SyncFailure,
    refresh,
    status::{self, Done},
    view,
};
use crate::{key::Key, part::Part};

/// Tells of a refresh that went well.
///
/// # Errors
/// When the status could not be written.
pub(crate) async fn success(
    part: &Part,
    object: &ExternalSecret,
    done: &Done,
    started: Timestamp,
) -> Result<(), SyncFailure> {
    let status = status::done(object, done, started);
    let before = status::ready(object.status.as_ref()).map(|condition| condition.message.clone());
    let now = status::ready(Some(&status)).map(|condition| condition.message.clone());
    if before != now {
        for entry in &done.skipped {
            let message = format!("secret does not exist at provider using {entry}");
            part.events
                .normal(object, REASON_MISSING_PROVIDER_SECRET, &message);
        }
    }
    write_status(part, object, status).await
}

/// Tells of one that did not.
///
/// # Errors
/// When the status could not be written.
pub(crate) async fn failure(
    part: &Part,
    object: &ExternalSecret,
    failure: &SyncFailure,
) -> Result<(), SyncFailure> {
    let SyncFailure::Failed { cause, .. } = failure else {
        return Ok(());
    };
    let status = status::failed(object, &failure.to_string(), Timestamp::now());
    if object.status.as_ref() == Some(&status) {
        return Ok(());
    }
    part.events
        .warning(object, REASON_UPDATE_FAILED, &redact::foreign(cause));
    write_status(part, object, status).await
}

/// Writes the status if it differs. Where the object has changed meanwhile in a way that does not
/// matter, the status is put on it as it is now.
async fn write_status(
    part: &Part,
    object: &ExternalSecret,
    status: ExternalSecretStatus,
) -> Result<(), SyncFailure> {
    if status::is_same(object.status.as_ref(), &status, part.prunes()) {
        return Ok(());
    }
    let client = &part.context.client;
    let failed = |error: &kube::Error| SyncFailure::Status(redact::api_error(error));
    let _call = part.calls.acquire().await;
    let changed = ExternalSecret {
        status: Some(status.clone()),
        ..object.clone()
    };
    match kit::status::replace(client, &changed).await {
        Ok(written) => {
            part.kept(&status, written.status.as_ref());
            view::wrote(part, &Key::of(&written), &written);
            return Ok(());
        }
        Err(kube::Error::Api(answer)) if answer.code == 404 => return Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            debug!("the status meets a newer object");
        }
        Err(error) => return Err(failed(&error)),
    }
    let api: Api<ExternalSecret> =
        Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let latest = api
        .get_opt(&object.name_any())
        .await
        .map_err(|error| failed(&error))?;
    let Some(mut latest) = latest.filter(|latest| latest.uid() == object.uid()) else {
        return Ok(());
    };
    if refresh::version(&latest) != refresh::version(object) {
        return Err(SyncFailure::Overtaken(
            "the ExternalSecret was changed meanwhile",
        ));
    }
    latest.status = Some(status);
    let written = kit::status::replace(client, &latest).await;
    let written = written.map_err(|error| failed(&error))?;
    view::wrote(part, &Key::of(&written), &written);
    Ok(())
}
