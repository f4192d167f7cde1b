//! One workload: what its pods read, and the digest of it on its pod template.

use std::{collections::BTreeSet, marker::PhantomData, sync::Arc};

use kit::{
    Context,
    events::Recorder,
    reconcile::{Failure, Next, Reconcile, Retry},
    redact,
    target::{self, WriteError},
};
use kube::{
    Api, ResourceExt as _,
    api::{Patch, PatchParams},
    core::PartialObjectMeta,
};
use serde_json::json;
use tracing::info;

use crate::{
    digest::{self, Read},
    key::{Key, KeyError},
    pods,
    secrets::{Readers, Who},
    workload::{FIELD_MANAGER, SECRETS, Workload, opted_in},
};

/// What the reconciles of all kinds share.
pub(crate) struct Shared {
    pub(crate) context: Context,
    pub(crate) events: Recorder,
    pub(crate) key: Key,
    pub(crate) readers: Arc<Readers>,
}

/// Keeps the digests of one kind.
pub(crate) struct Restart<W> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) kind: PhantomData<fn() -> W>,
}

/// Why a workload has no digest of what its pods read now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestartFailure {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A Secret could not be read.
    #[error("a Secret that its pods read could not be read: {0}")]
    Secret(#[from] WriteError),
    /// The workload could not be read or written.
    #[error("the workload could not be read or written: {0}")]
    Workload(String),
}

impl Failure for RestartFailure {
    fn reason(&self) -> &'static str {
        match self {
            Self::Key(_) => "NoKey",
            Self::Secret(_) => "SecretNotRead",
            Self::Workload(_) => "WorkloadNotWritten",
        }
    }

    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

impl<W: Workload> Reconcile for Restart<W> {
    type Kind = PartialObjectMeta<W>;
    type Failure = RestartFailure;

    async fn reconcile(&self, object: Arc<PartialObjectMeta<W>>) -> Result<Next, RestartFailure> {
        let namespace = object.namespace().unwrap_or_default();
        let who = Who {
            kind: W::NAME,
            namespace,
            name: object.name_any(),
        };
        let wanted = opted_in(object.as_ref()) && object.metadata.deletion_timestamp.is_none();
        if !wanted {
            self.shared.readers.reads(&who, &BTreeSet::new());
            return Ok(Next::WaitForChange);
        }
        self.look(&who).await?;
        Ok(Next::WaitForChange)
    }
}

impl<W: Workload> Restart<W> {
    async fn look(&self, who: &Who) -> Result<(), RestartFailure> {
        let context = &self.shared.context;
        let failed = |error: &kube::Error| RestartFailure::Workload(redact::api_error(error));
        let api: Api<W> = Api::namespaced(context.client.clone(), &who.namespace);
        let found = api
            .get_opt(&who.name)
            .await
            .map_err(|error| failed(&error))?;
        let Some(found) = found else { return Ok(()) };
        let template = found.template();
        let pod = template.and_then(|template| template.spec.as_ref());
        let names = pod.map(pods::secrets).unwrap_or_default();
        // Noted before the Secrets are read, so that no change in between is missed.
        self.shared.readers.reads(who, &names);
        if names.is_empty() {
            return Ok(());
        }
        let mut read = Read::new();
        for name in names {
            let secret = target::read(&context.client, &who.namespace, &name).await?;
            read.insert(name, secret.map(|secret| secret.data.unwrap_or_default()));
        }
        let key = self.shared.key.read(context).await?;
        let uid = found.uid().unwrap_or_default();
        let digest = digest::of(key, &uid, &read);
        let metadata = template.and_then(|template| template.metadata.as_ref());
        let current = metadata.and_then(|metadata| metadata.annotations.as_ref()?.get(SECRETS));
        if current == Some(&digest) {
            return Ok(());
        }
        let first = current.is_none();
        let patch = json!({
            "apiVersion": W::api_version(&()), "kind": W::kind(&()),
            "metadata": {"name": who.name, "namespace": who.namespace, "uid": uid},
            "spec": {"template": {"metadata": {"annotations": {SECRETS: digest}}}},
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&who.name, &parameters, &Patch::Apply(patch))
            .await
            .map_err(|e| failed(&e))?;
        let message = if first {
            "restarted once, to be restarted from now on when a Secret that it reads changes"
        } else {
            "restarted: a Secret that it reads has changed"
        };
        info!(
            namespace = who.namespace,
            name = who.name,
            kind = who.kind,
            first,
            "restarted"
        );
        self.shared.events.normal(&found, "Restarted", message);
        Ok(())
    }
}
