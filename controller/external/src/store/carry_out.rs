//! Validating a store and saying what came of it.

use std::sync::Arc;

use crds::secret_store::{ClusterSecretStore, SecretStore, SecretStoreStatus};
use jiff::Timestamp;
use kit::reconcile::{Failure, Next, Reconcile, Retry};
use kube::{Resource, ResourceExt as _, core::object::HasStatus};
use serde::de::DeserializeOwned;
use tracing::info;

use super::{
    AnyStore, is_ours,
    plan::{self, WantedBase},
    status::{self, Finding},
};
use crate::{dependents::Named, part::Part, provider::ReadError};

/// Validates SecretStores.
pub(crate) struct Namespaced(pub(crate) Arc<Part>);

/// Validates ClusterSecretStores.
pub(crate) struct Cluster(pub(crate) Arc<Part>);

/// Why a store is not usable, or why that could not be said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    /// It is not usable as it is.
    #[error("{0}")]
    Invalid(String),
    /// The status could not be written.
    #[error("the status could not be written: {0}")]
    Status(String),
}

impl Failure for StoreFailure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => crds::secret_store::REASON_INVALID_PROVIDER_CONFIG,
            Self::Status(_) => "StatusNotWritten",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

impl Reconcile for Namespaced {
    type Kind = SecretStore;
    type Failure = StoreFailure;

    async fn reconcile(&self, store: Arc<SecretStore>) -> Result<Next, StoreFailure> {
        let any = AnyStore::Namespaced(Arc::clone(&store));
        validate(&self.0, &any, store.as_ref()).await
    }
}

impl Reconcile for Cluster {
    type Kind = ClusterSecretStore;
    type Failure = StoreFailure;

    async fn reconcile(&self, store: Arc<ClusterSecretStore>) -> Result<Next, StoreFailure> {
        let any = AnyStore::Cluster(Arc::clone(&store));
        validate(&self.0, &any, store.as_ref()).await
    }
}

async fn validate<K>(part: &Part, any: &AnyStore, object: &K) -> Result<Next, StoreFailure>
where
    K: Resource<DynamicType = ()>
        + HasStatus<Status = SecretStoreStatus>
        + Clone
        + DeserializeOwned,
{
    if !is_ours(any, &part.settings.class) || object.meta().deletion_timestamp.is_some() {
        part.store_dependents.forget(&any.named());
        return Ok(Next::WaitForChange);
    }
    part.store_dependents
        .set(&any.named(), credentials_of(any).into_iter().collect());
    let finding = find_out(part, any).await;
    report(part, any, object, &finding).await?;
    if finding == Finding::Valid {
        let asked = any.spec().parse_refresh_interval().ok().flatten();
        Ok(Next::After(asked.unwrap_or(part.settings.store_interval)))
    } else {
        Err(StoreFailure::Invalid(finding.message()))
    }
}

/// The Secrets whose change makes the store worth another look.
fn credentials_of(store: &AnyStore) -> Vec<Named> {
    let wanted = plan::checked(store)
        .ok()
        .and_then(|aws| plan::wanted(store, aws, None).ok().flatten());
    let Some(WantedBase::Keys {
        access_key_id,
        secret_access_key,
        session_token,
    }) = wanted.map(|wanted| wanted.base)
    else {
        return Vec::new();
    };
    let keys = [Some(access_key_id), Some(secret_access_key), session_token]
        .into_iter()
        .flatten();
    keys.map(|(key, _)| Named::Secret {
        namespace: key.namespace,
        name: key.name,
    })
    .collect()
}

async fn find_out(part: &Part, store: &AnyStore) -> Finding {
    match part.identities.open(store, None).await {
        Err(error) => Finding::NoClient(error.to_string()),
        // Each namespace brings its own credentials: they show when they are used.
        Ok(None) => Finding::Valid,
        Ok(Some(client)) => match client.check().await {
            Ok(()) | Err(ReadError::Ended) => Finding::Valid,
            Err(error) => Finding::NotValidated(error.to_string()),
        },
    }
}

async fn report<K>(
    part: &Part,
    any: &AnyStore,
    object: &K,
    finding: &Finding,
) -> Result<(), StoreFailure>
where
    K: Resource<DynamicType = ()>
        + HasStatus<Status = SecretStoreStatus>
        + Clone
        + DeserializeOwned,
{
    let status = status::after(any.status(), finding, Timestamp::now());
    if any.status() == Some(&status) {
        return Ok(());
    }
    let mut changed = object.clone();
    *changed.status_mut() = Some(status);
    let written = {
        let _call = part.calls.acquire().await;
        kit::status::replace(&part.context.client, &changed).await
    };
    written.map_err(|error| StoreFailure::Status(kit::redact::api_error(&error)))?;
    info!(
        kind = any.kind(),
        namespace = object.namespace(),
        name = any.name(),
        message = finding.message(),
        "store looked at"
    );
    match finding {
        Finding::Valid => part
            .events
            .normal(object, finding.reason(), &finding.message()),
        _ => part
            .events
            .warning(object, finding.reason(), &finding.message()),
    }
    Ok(())
}
