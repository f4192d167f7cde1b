//! The incumbent that elects no leader, looked for while a part of ours does its work.
//!
//! The Sealed Secrets controller has no Lease that could keep two writers apart, so that all we can
//! do is to say that it runs. It is asked for by name, where its manifests put it and in our own
//! namespace: that needs the right to read two Deployments, and no other.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

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

/// Looks now and then whether the part's incumbent runs, and warns when that has changed.
pub(crate) async fn watch(part: Part, context: &Context, client: &Client) -> Infallible {
    if part != Part::Sealed {
        return std::future::pending().await;
    }
    let namespaces = BTreeSet::from([NAMESPACE, context.namespace.as_str()]);
    let mut said = BTreeSet::new();
    loop {
        let found = running(client, &namespaces).await;
        for incumbent in found.difference(&said) {
            warn!(
                part = part.name(),
                incumbent,
                "another controller writes the same Secrets, and no Lease keeps the two apart: stop it"
            );
        }
        if found.is_empty() && !said.is_empty() {
            info!(part = part.name(), "the incumbent runs no more");
        }
        said = found;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The incumbents that run, as far as we may see them.
async fn running(client: &Client, namespaces: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for namespace in namespaces {
        let api = Api::<Deployment>::namespaced(client.clone(), namespace);
        for name in NAMES {
            match api.get_opt(name).await {
                Ok(deployment) => {
                    let incumbent = deployment
                        .and_then(|deployment| Incumbent::of(&deployment, sealed::INCUMBENT));
                    let runs = incumbent.filter(Incumbent::is_running);
                    found.extend(runs.map(|incumbent| incumbent.to_string()));
                }
                // The incumbent's own rights do not reach that far.
                Err(error) => debug!(
                    namespace,
                    name,
                    error = redact::api_error(&error),
                    "whether the incumbent runs is not known"
                ),
            }
        }
    }
    found
}
