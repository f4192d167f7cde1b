//! The incumbent that elects no leader, looked for while a part of ours does its work.
//!
//! The Sealed Secrets controller has no Lease that could keep two writers apart, so that all we can
//! do is to say that it runs. It is asked for by name, where its manifests put it and in our own
//! namespace: that needs the right to read two Deployments, and no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    time::Duration,
};

use k8s_openapi::api::apps::v1::Deployment;
use kit::{Context, adopt::Incumbent, redact};
use kube::{Api, Client};
use tracing::{debug, info, warn};

use crate::arguments::Part;

/// How long after a look there is the next one.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// Where the incumbent's manifests put it.
const NAMESPACE: &str = "kube-system";

/// What its manifests and its chart call its Deployment.
const NAMES: [&str; 2] = ["sealed-secrets-controller", "sealed-secrets"];

/// Looks now and then whether the part's incumbent runs, and says when that has changed.
pub(crate) async fn watch(part: Part, context: &Context, client: &Client) -> Infallible {
    if part != Part::Sealed {
        return std::future::pending().await;
    }
    let namespaces = BTreeSet::from([NAMESPACE, context.namespace.as_str()]);
    let mut said = BTreeMap::new();
    loop {
        for namespace in &namespaces {
            for name in NAMES {
                let place = (*namespace, name);
                match running(client, place).await {
                    Ok(now) => tell(part, said.insert(place, now.clone()).flatten(), now),
                    // What was said of it stays. The incumbent's own rights do not reach that far.
                    Err(error) => debug!(
                        namespace,
                        name,
                        error = redact::api_error(&error),
                        "whether the incumbent runs is not known"
                    ),
                }
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The incumbent of this namespace and name, if it runs.
async fn running(
    client: &Client,
    (namespace, name): (&str, &str),
) -> Result<Option<String>, kube::Error> {
    let api = Api::<Deployment>::namespaced(client.clone(), namespace);
    let found = api.get_opt(name).await?;
    let incumbent = found.and_then(|found| Incumbent::of(&found, sealed::INCUMBENT));
    let runs = incumbent.filter(Incumbent::is_running);
    Ok(runs.map(|incumbent| incumbent.to_string()))
}

fn tell(part: Part, before: Option<String>, now: Option<String>) {
    let part = part.name();
    match (before, now) {
        (before, Some(incumbent)) if before.as_ref() != Some(&incumbent) => warn!(
            part,
            incumbent,
            "another controller writes the same Secrets, and no Lease keeps the two apart: stop it"
        ),
        (Some(incumbent), None) => info!(part, incumbent, "the incumbent runs no more"),
        _ => {}
    }
}
