//! The incumbents' own leader Leases, held while a part of ours does their work.
//!
//! # Expected flow
//! 1. [`hold`] looks for the Leases of a part's incumbent, in our own namespace and in the one that
//!    the incumbent is installed to.
//! 2. Each one that is there is campaigned for like our own. While the incumbent runs, the part
//!    waits, and one warning names the holder.
//! 3. When the part has finished, they are given back: the incumbent leads at once where it is
//!    started again.
//!
//! # Guarantees
//! Where a right is missing, one warning for each part says so and it starts without that Lease.
//!
//! # Assumptions
//! A Lease that is not there belongs to an incumbent that is not installed, or that elects no
//! leader. We make none, so that nothing of ours is left in a namespace which is not ours.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kit::{Context, Shutdown, Stopped, lease, redact};
use kube::{Api, Client, api::PostParams};
use tracing::{debug, warn};

use crate::arguments::Part;

/// How long after an unanswered question it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Where an incumbent is installed by its own manifests, and the Leases that it leads by.
struct Incumbent {
    namespace: &'static str,
    leases: &'static [&'static str],
}

/// The incumbent of a part, if it has Leases: the Sealed Secrets controller elects no leader.
fn incumbent(part: Part) -> Option<Incumbent> {
    match part {
        Part::External => Some(Incumbent {
            namespace: "external-secrets",
            leases: &["external-secrets-controller"],
        }),
        Part::Delivery => Some(Incumbent {
            namespace: "flux-system",
            leases: &[
                "source-controller-leader-election",
                "kustomize-controller-leader-election",
            ],
        }),
        Part::Sealed | Part::Restart => None,
    }
}

/// The incumbents' Leases that a part holds.
pub(crate) struct Held(Vec<lease::Leadership>);

impl Held {
    /// Waits until one of them is lost; for ever where there is none.
    pub(crate) async fn lost(&self) {
        let mut losses = tokio::task::JoinSet::new();
        for leadership in &self.0 {
            losses.spawn(leadership.loss());
        }
        if losses.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits for all to be given back after that was asked for.
    pub(crate) async fn resign(self) {
        for leadership in self.0 {
            leadership.resign().await;
        }
    }
}

/// Waits until we hold each Lease of the part's incumbent that there is. `client` should not wait
/// for others: a renewal must be in time.
///
/// # Errors
/// [`Stopped`] when the shutdown came first.
pub(crate) async fn hold(
    part: Part,
    context: &Context,
    client: &Client,
    identity: &str,
    resigned: &Shutdown,
) -> Result<Held, Stopped> {
    let mut held = Vec::new();
    let mut said_refused = false;
    for (namespace, name) in places(part, &context.namespace) {
        let there = Context {
            namespace,
            ..context.clone()
        };
        let api = Api::namespaced(client.clone(), &there.namespace);
        match ask(&api, &there, name, part).await? {
            Answer::Campaign => {}
            Answer::Absent => continue,
            Answer::Refused => {
                if !std::mem::replace(&mut said_refused, true) {
                    warn!(
                        part = part.name(),
                        namespace = there.namespace,
                        lease = name,
                        "may not get and update the incumbent's Lease: see that the incumbent is stopped, for nothing else keeps two writers apart"
                    );
                }
                continue;
            }
        }
        let client = client.clone();
        let campaign = lease::campaign(&there, client, name, identity, resigned.clone());
        held.push(campaign.await?);
    }
    Ok(Held(held))
}

/// The namespace and name of each Lease to look for.
fn places(part: Part, own_namespace: &str) -> Vec<(String, &'static str)> {
    let Some(incumbent) = incumbent(part) else {
        return Vec::new();
    };
    let mut namespaces = vec![incumbent.namespace.to_owned()];
    if own_namespace != incumbent.namespace {
        namespaces.push(own_namespace.to_owned());
    }
    let leases = incumbent.leases;
    let in_one = |namespace: String| leases.iter().map(move |name| (namespace.clone(), *name));
    namespaces.into_iter().flat_map(in_one).collect()
}

/// What is to be done about a Lease.
enum Answer {
    Absent,
    Campaign,
    Refused,
}

/// Asks for the Lease until there is an answer, and says who holds it.
async fn ask(api: &Api<Lease>, there: &Context, name: &str, part: Part) -> Result<Answer, Stopped> {
    let (part, namespace) = (part.name(), there.namespace.as_str());
    loop {
        let error = match there.shutdown.or(look(api, name)).await? {
            Ok(None) => return Ok(Answer::Absent),
            Ok(Some(holder)) => {
                if !holder.is_empty() {
                    warn!(
                        part,
                        namespace,
                        lease = name,
                        holder,
                        "waits while the incumbent holds its Lease: stop it, for instance with kubectl scale --replicas 0"
                    );
                }
                return Ok(Answer::Campaign);
            }
            Err(kube::Error::Api(status)) if status.code == 403 => return Ok(Answer::Refused),
            Err(error) => redact::api_error(&error),
        };
        debug!(
            part,
            namespace,
            lease = name,
            error,
            "cannot ask for the incumbent's Lease"
        );
        there.shutdown.or(tokio::time::sleep(ASK_AGAIN)).await?;
    }
}

/// The holder of the Lease, empty if nobody; `None` if there is no such Lease. Fails if we could
/// not take it: a campaign that may read but not write would wait for ever.
async fn look(api: &Api<Lease>, name: &str) -> Result<Option<String>, kube::Error> {
    let Some(found) = api.get_opt(name).await? else {
        return Ok(None);
    };
    let only_ask = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.replace(name, &only_ask, &found).await {
        // Its holder renewed it meanwhile: we were allowed to try.
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        answered => drop(answered?),
    }
    let holder = found.spec.and_then(|spec| spec.holder_identity);
    Ok(Some(holder.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::Mutex};

    use serde_json::json;

    use super::*;

    /// Answers each request with the next of these codes.
    fn api(answers: &[u16]) -> Api<Lease> {
        let answers = Mutex::new(VecDeque::from(answers.to_vec()));
        let service = tower::service_fn(
            move |_request: axum::http::Request<kube::client::Body>| {
                let code = answers.lock().unwrap().pop_front().unwrap();
                let body = match code {
                    200 => json!({"metadata": {"name": "l", "resourceVersion": "7"},
                    "spec": {"holderIdentity": "theirs", "leaseDurationSeconds": 35}}),
                    404 => {
                        json!({"kind": "Status", "status": "Failure", "code": code, "reason": "NotFound"})
                    }
                    _ => json!({"kind": "Status", "status": "Failure", "code": code}),
                };
                let body = kube::client::Body::from(body.to_string().into_bytes());
                let answer = axum::http::Response::builder()
                    .status(code)
                    .body(body)
                    .unwrap();
                std::future::ready(Ok::<_, std::convert::Infallible>(answer))
            },
        );
        Api::namespaced(Client::new(service, "theirs"), "theirs")
    }

    #[tokio::test]
    async fn a_lease_is_looked_for_and_taken_only_where_it_is_and_may_be_written() {
        assert_eq!(look(&api(&[404]), "l").await.unwrap(), None);
        let held = Some("theirs".to_owned());
        assert_eq!(look(&api(&[200, 200]), "l").await.unwrap(), held);
        assert_eq!(look(&api(&[200, 409]), "l").await.unwrap(), held);
        for refused in [&[403][..], &[200, 403]] {
            let error = look(&api(refused), "l").await.unwrap_err();
            assert!(matches!(error, kube::Error::Api(status) if status.code == 403));
        }
    }

    #[test]
    fn leases_are_looked_for_where_the_incumbent_is_installed_and_where_we_are() {
        let external = places(Part::External, "ours");
        let name = "external-secrets-controller";
        let expected = [("external-secrets".to_owned(), name), ("ours".into(), name)];
        assert_eq!(external, expected);
        assert_eq!(places(Part::Delivery, "flux-system").len(), 2);
        assert!(places(Part::Sealed, "ours").is_empty());
    }
}
