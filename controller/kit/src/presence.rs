//! Waiting until a kind is served and we may read it.
//!
//! A missing CRD or a refused right is no reason to die: the part or feature that needs it waits,
//! says so once, and starts when the lack is gone.

use std::time::Duration;

use kube::{
    Client, Resource,
    core::{DynamicObject, ObjectList, PartialObjectMeta, Request, params::ListParams},
};
use tracing::{info, warn};

use crate::{Context, Namespaces, Stopped, redact};

/// How often we look whether a lack is gone. A person who installs a CRD waits this long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// In how many of the namespaces a kind is needed.
#[derive(Debug, Clone, Copy)]
enum Enough {
    All,
    One,
}

/// What stands between us and a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lack {
    NotServed,
    Refused(String),
    NoAnswer(String),
}

/// Waits until `K` is served and may be listed in all of `namespaces`.
///
/// Each different lack is said once, with what to do; so is the end of the waiting.
///
/// # Errors
/// [`Stopped`] when the shutdown came first.
pub async fn served<K: Resource<DynamicType = ()>>(
    context: &Context,
    feature: &str,
    namespaces: &Namespaces,
) -> Result<(), Stopped> {
    until::<K>(context, feature, namespaces, Enough::All).await
}

/// Waits until `K` is served and may be listed in one of `namespaces` at least. Of the others the
/// caller takes care, each by [`served`].
///
/// # Errors
/// [`Stopped`] when the shutdown came first.
pub async fn served_somewhere<K: Resource<DynamicType = ()>>(
    context: &Context,
    feature: &str,
    namespaces: &Namespaces,
) -> Result<(), Stopped> {
    until::<K>(context, feature, namespaces, Enough::One).await
}

/// Whether the right to list `K` in a namespace is missing: the namespace is not there, say, nor the
/// role in it that would grant the right.
pub async fn is_refused<K: Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> bool {
    let lack = lack_in::<K>(client, Some(namespace)).await;
    matches!(lack, Some(Lack::Refused(_)))
}

async fn until<K: Resource<DynamicType = ()>>(
    context: &Context,
    feature: &str,
    namespaces: &Namespaces,
    enough: Enough,
) -> Result<(), Stopped> {
    let mut said: Option<Lack> = None;
    loop {
        let lack = lack_of::<K>(&context.client, namespaces, enough);
        match context.shutdown.or(lack).await? {
            None => {
                if said.is_some() {
                    info!(feature, "starts: what was missing is there now");
                }
                return Ok(());
            }
            Some(lack) if said.as_ref() != Some(&lack) => {
                warn_of::<K>(feature, &lack);
                said = Some(lack);
            }
            Some(_) => {}
        }
        context.shutdown.or(tokio::time::sleep(LOOK_AGAIN)).await?;
    }
}

fn warn_of<K: Resource<DynamicType = ()>>(feature: &str, lack: &Lack) {
    let kind = format!("{}.{}", K::plural(&()), K::group(&()));
    match lack {
        Lack::NotServed => warn!(
            feature,
            kind,
            "is off: the cluster does not serve this kind; it starts when the CRD is installed"
        ),
        Lack::Refused(message) => warn!(
            feature,
            kind, message, "is off: the right to list this kind is missing; it starts when granted"
        ),
        Lack::NoAnswer(message) => {
            warn!(
                feature,
                kind, message, "waits: the API server cannot be asked for this kind"
            );
        }
    }
}

async fn lack_of<K: Resource<DynamicType = ()>>(
    client: &Client,
    namespaces: &Namespaces,
    enough: Enough,
) -> Option<Lack> {
    let Namespaces::Only(names) = namespaces else {
        return lack_in::<K>(client, None).await;
    };
    let mut first = None;
    for name in names {
        match (lack_in::<K>(client, Some(name)).await, enough) {
            (Some(lack), Enough::All) => return Some(lack),
            (Some(lack), Enough::One) => {
                first.get_or_insert(lack);
            }
            (None, Enough::One) => return None,
            (None, Enough::All) => {}
        }
    }
    first
}

async fn lack_in<K: Resource<DynamicType = ()>>(
    client: &Client,
    namespace: Option<&str>,
) -> Option<Lack> {
    let request =
        Request::new(K::url_path(&(), namespace)).list_metadata(&ListParams::default().limit(1));
    let request = match request {
        Ok(request) => request,
        Err(error) => return Some(Lack::NoAnswer(error.to_string())),
    };
    match client
        .request::<ObjectList<PartialObjectMeta<DynamicObject>>>(request)
        .await
    {
        Ok(_) => None,
        Err(kube::Error::Api(status)) if status.code == 404 => Some(Lack::NotServed),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            Some(Lack::Refused(redact::foreign(&status.message)))
        }
        Err(error) => Some(Lack::NoAnswer(redact::api_error(&error))),
    }
}
