//! Leadership by a Lease: of several replicas one writes.
//!
//! # Expected flow
//! 1. [`campaign`] asks every second until nobody else holds the Lease, or its holder is late.
//! 2. The holder renews it every three seconds; late after ten, so that a killed leader is
//!    followed within fifteen.
//! 3. At shutdown the leader gives it back, so that the next one follows at once.
//!
//! # Guarantees
//! - A leader that could not renew in time learns it ([`Leadership::lost`]) before another can have
//!   taken over, and has to end. The time counts from before each request: when its answer is late,
//!   others have seen the renewal long before.
//! - Who has seen that there is a Lease never leads without it, even if the right to it is taken away.
//!
//! # Assumptions
//! Clocks may differ between replicas: a Lease is late when *we* have seen it unchanged for its
//! whole duration, as client-go's leaderelection does, not when its renewTime says so.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, api::PostParams};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Context, Shutdown, Stopped, redact};

/// After this long without a renewal the Lease is anybody's.
const DURATION: Duration = Duration::from_secs(10);

/// How often the holder renews.
const RENEW_EVERY: Duration = Duration::from_secs(3);

/// A holder that could not renew for this long gives up: two seconds before others may take over.
const GIVE_UP_AFTER: Duration = Duration::from_secs(8);

/// How long one request of a candidate, or the giving back, may take: far below the client's own limit, which
/// suits watches, and below what makes a Lease that was just taken late.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How often a candidate looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// That we lead. Dropping it does not give the Lease back; [`Leadership::resign`] does.
pub struct Leadership {
    lost: CancellationToken,
    renewal: Option<tokio::task::JoinHandle<()>>,
}

impl Leadership {
    /// Waits until leadership is lost. Whoever writes must stop then.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }

    /// The same as a future of its own.
    pub fn loss(&self) -> impl Future<Output = ()> + Send + 'static {
        self.lost.clone().cancelled_owned()
    }

    /// Waits for the renewal to have given the Lease back after the shutdown was requested.
    pub async fn resign(mut self) {
        if let Some(renewal) = self.renewal.take() {
            drop(renewal.await);
        }
    }
}

/// Waits until this process leads. `client` should not wait for others: a renewal must be in time.
///
/// Where the right to use Leases is missing, there can be only one replica: it leads at once, and
/// one warning says so. Once the right is there, it takes the Lease, or ends if another has it. A
/// candidate that has seen the Lease before waits instead: the holder that it saw may still lead.
///
/// # Errors
/// [`Stopped`] when the shutdown came first.
pub async fn campaign(
    context: &Context,
    client: kube::Client,
    name: &str,
    identity: &str,
    resigned: Shutdown,
) -> Result<Leadership, Stopped> {
    let candidate = Candidate {
        api: Api::namespaced(client, &context.namespace),
        name: name.to_owned(),
        identity: identity.to_owned(),
    };
    let lost = CancellationToken::new();
    let mut seen = Seen::default();
    let (mut said_waiting, mut said_refused) = (false, false);
    loop {
        let asked_at = Instant::now();
        match context.shutdown.or(candidate.attempt(&mut seen)).await? {
            Attempt::Leads(lease) => {
                info!(lease = name, identity, "leads");
                let renewal = candidate.renew_until(*lease, asked_at, lost.clone(), resigned);
                return Ok(Leadership {
                    lost,
                    renewal: Some(tokio::spawn(renewal)),
                });
            }
            Attempt::NotAllowed(error) if seen.is_any() => {
                if !std::mem::replace(&mut said_refused, true) {
                    warn!(
                        lease = name,
                        error,
                        "the right to use Leases was taken away: waits, for another replica may lead"
                    );
                }
            }
            Attempt::NotAllowed(error) => {
                warn!(
                    lease = name,
                    error,
                    "the right to use Leases is missing: writes without one, so run a single replica"
                );
                let regaining = candidate.lead_without(lost.clone(), resigned);
                return Ok(Leadership {
                    lost,
                    renewal: Some(tokio::spawn(regaining)),
                });
            }
            Attempt::Waits(holder) => {
                if !said_waiting {
                    info!(lease = name, holder, "waits: another replica leads");
                    said_waiting = true;
                }
            }
            Attempt::Unanswered(error) => debug!(lease = name, error, "cannot ask for the Lease"),
        }
        context.shutdown.or(tokio::time::sleep(LOOK_EVERY)).await?;
    }
}

/// The Lease as we last saw it change, by our own clock.
#[derive(Default)]
struct Seen {
    version: Option<String>,
    at: Option<Instant>,
}

impl Seen {
    /// Whether there was a Lease to see.
    fn is_any(&self) -> bool {
        self.at.is_some()
    }

    /// How long the Lease has not changed before our eyes.
    fn unchanged_for(&mut self, lease: &Lease, now: Instant) -> Duration {
        let version = &lease.metadata.resource_version;
        match self.at {
            Some(at) if *version == self.version => now.duration_since(at),
            _ => {
                self.version.clone_from(version);
                self.at = Some(now);
                Duration::ZERO
            }
        }
    }
}

enum Attempt {
    Leads(Box<Lease>),
    NotAllowed(String),
    Waits(String),
    Unanswered(String),
}

/// What to do with a Lease.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Take,
    Wait,
}

/// Decides whether `me` may take a Lease that has not changed for `unchanged`.
fn judge(spec: Option<&LeaseSpec>, me: &str, unchanged: Duration) -> Verdict {
    let holder = spec
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default();
    let duration = spec
        .and_then(|spec| spec.lease_duration_seconds)
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(DURATION, Duration::from_secs);
    if holder.is_empty() || holder == me || unchanged >= duration {
        Verdict::Take
    } else {
        Verdict::Wait
    }
}

struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
}

impl Candidate {
    /// Takes the Lease if that may be, within [`ANSWER_WITHIN`].
    async fn attempt(&self, seen: &mut Seen) -> Attempt {
        let attempt = tokio::time::timeout(ANSWER_WITHIN, self.take(seen));
        attempt.await.unwrap_or_else(|_elapsed| {
            Attempt::Unanswered("the API server did not answer in time".to_owned())
        })
    }

    async fn take(&self, seen: &mut Seen) -> Attempt {
        let found = match self.api.get_opt(&self.name).await {
            Ok(found) => found,
            Err(error) => return refused(&error),
        };
        let result = match found {
            None => {
                self.api
                    .create(&PostParams::default(), &self.held(None))
                    .await
            }
            Some(lease) => {
                let unchanged = seen.unchanged_for(&lease, Instant::now());
                if judge(lease.spec.as_ref(), &self.identity, unchanged) == Verdict::Wait {
                    let holder = lease.spec.and_then(|spec| spec.holder_identity);
                    return Attempt::Waits(holder.unwrap_or_default());
                }
                let mine = self.held(Some(&lease));
                self.api
                    .replace(&self.name, &PostParams::default(), &mine)
                    .await
            }
        };
        match result {
            Ok(lease) => Attempt::Leads(Box::new(lease)),
            Err(error) => refused(&error),
        }
    }

    /// The Lease as held by us; `previous` gives its resourceVersion and count of transitions.
    fn held(&self, previous: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let old = previous.and_then(|lease| lease.spec.as_ref());
        let stays = old.is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.identity));
        let transitions = old.and_then(|spec| spec.lease_transitions).unwrap_or(0);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: previous
                    .and_then(|lease| lease.metadata.resource_version.clone()),
                ..previous
                    .map(|lease| lease.metadata.clone())
                    .unwrap_or_default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
                acquire_time: if stays {
                    old.and_then(|spec| spec.acquire_time.clone())
                } else {
                    Some(now.clone())
                },
                renew_time: Some(now),
                lease_transitions: Some(if stays || previous.is_none() {
                    transitions
                } else {
                    transitions.saturating_add(1)
                }),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Leads without a Lease until there may be one: then it is taken and renewed, or another has it
    /// and leadership is lost.
    async fn lead_without(self, lost: CancellationToken, resigned: Shutdown) {
        let mut seen = Seen::default();
        while resigned.or(tokio::time::sleep(RENEW_EVERY)).await.is_ok() {
            let asked_at = Instant::now();
            match self.attempt(&mut seen).await {
                Attempt::Leads(lease) => {
                    info!(lease = %self.name, "leads by the Lease from now on: the right to it is there");
                    return self.renew_until(*lease, asked_at, lost, resigned).await;
                }
                Attempt::Waits(holder) => {
                    warn!(lease = %self.name, holder, "lost: another replica has the Lease");
                    return lost.cancel();
                }
                Attempt::NotAllowed(_) | Attempt::Unanswered(_) => {}
            }
        }
    }

    /// Renews until `resigned`, and gives the Lease back then; or until it is lost. `renewed_at` is
    /// when the request began that took the Lease.
    async fn renew_until(
        self,
        mut lease: Lease,
        mut renewed_at: Instant,
        lost: CancellationToken,
        resigned: Shutdown,
    ) {
        while resigned.or(tokio::time::sleep(RENEW_EVERY)).await.is_ok() {
            let asked_at = Instant::now();
            let patience = GIVE_UP_AFTER.saturating_sub(renewed_at.elapsed());
            match tokio::time::timeout(patience, self.renew(&lease)).await {
                Ok(Ok(Some(renewed))) => {
                    lease = renewed;
                    renewed_at = asked_at;
                }
                Ok(Ok(None)) => {
                    warn!(lease = %self.name, "lost: another replica has taken the Lease");
                    return lost.cancel();
                }
                Ok(Err(error)) => {
                    debug!(lease = %self.name, error = %redact::api_error(&error), "not renewed");
                }
                Err(_elapsed) => {}
            }
            if renewed_at.elapsed() >= GIVE_UP_AFTER {
                warn!(lease = %self.name, "lost: it could not be renewed in time");
                return lost.cancel();
            }
        }
        self.give_back(lease).await;
    }

    /// Renews the Lease; `None` if another has taken it.
    async fn renew(&self, lease: &Lease) -> Result<Option<Lease>, kube::Error> {
        let error = match self.put(lease).await {
            Ok(renewed) => return Ok(Some(renewed)),
            Err(error) if is_conflict(&error) => error,
            Err(error) => return Err(error),
        };
        // Our own renewal whose answer was lost conflicts too, and so does a label that somebody set.
        match self.api.get_opt(&self.name).await? {
            Some(now) if is_held_by(&now, &self.identity) => self.put(&now).await.map(Some),
            Some(_) => Ok(None),
            None => Err(error),
        }
    }

    async fn put(&self, lease: &Lease) -> Result<Lease, kube::Error> {
        self.api
            .replace(&self.name, &PostParams::default(), &self.held(Some(lease)))
            .await
    }

    async fn give_back(&self, mut lease: Lease) {
        if let Some(spec) = lease.spec.as_mut() {
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
        }
        let parameters = PostParams::default();
        let giving = self.api.replace(&self.name, &parameters, &lease);
        let error = match tokio::time::timeout(ANSWER_WITHIN, giving).await {
            Ok(Ok(_)) => return info!(lease = %self.name, "given back"),
            Ok(Err(error)) => redact::api_error(&error),
            Err(_elapsed) => "the API server did not answer in time".to_owned(),
        };
        warn!(lease = %self.name, error, "could not be given back; the next replica waits for its end");
    }
}

fn is_held_by(lease: &Lease, identity: &str) -> bool {
    let holder = lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref());
    holder == Some(identity)
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

fn refused(error: &kube::Error) -> Attempt {
    let text = redact::api_error(error);
    match error {
        kube::Error::Api(status) if status.code == 403 => Attempt::NotAllowed(text),
        _ => Attempt::Unanswered(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(holder: Option<&str>, seconds: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(seconds),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_it_is_free_ours_or_late() {
        let second = Duration::from_secs(1);
        for (held, unchanged, expected) in [
            (None, Duration::ZERO, Verdict::Take),
            (Some(spec(None, 1)), Duration::ZERO, Verdict::Take),
            (Some(spec(Some(""), 10)), Duration::ZERO, Verdict::Take),
            (Some(spec(Some("me"), 10)), Duration::ZERO, Verdict::Take),
            (Some(spec(Some("other"), 10)), second * 9, Verdict::Wait),
            (Some(spec(Some("other"), 10)), second * 10, Verdict::Take),
            (Some(spec(Some("other"), -1)), second * 9, Verdict::Wait),
        ] {
            assert_eq!(judge(held.as_ref(), "me", unchanged), expected);
        }
    }

    #[test]
    fn a_lease_is_late_by_our_own_clock_and_not_by_its_renew_time() {
        let mut seen = Seen::default();
        let start = Instant::now();
        let mut lease = Lease::default();
        lease.metadata.resource_version = Some("1".into());
        assert_eq!(seen.unchanged_for(&lease, start), Duration::ZERO);
        let later = start + Duration::from_secs(7);
        assert_eq!(seen.unchanged_for(&lease, later), Duration::from_secs(7));
        lease.metadata.resource_version = Some("2".into());
        assert_eq!(seen.unchanged_for(&lease, later), Duration::ZERO);
    }

    /// Answers each request with the next of these codes and holders.
    fn candidate(answers: &[(u16, &'static str)]) -> Candidate {
        let answers = std::sync::Mutex::new(std::collections::VecDeque::from(answers.to_vec()));
        let service = tower::service_fn(move |_request: http::Request<kube::client::Body>| {
            let (code, holder) = answers.lock().unwrap().pop_front().unwrap();
            let body = match code {
                200 => serde_json::json!({"metadata": {"name": "l", "resourceVersion": "7"},
                    "spec": {"holderIdentity": holder, "leaseDurationSeconds": 10}}),
                _ => serde_json::json!({"kind": "Status", "status": "Failure", "code": code}),
            };
            let body = kube::client::Body::from(body.to_string().into_bytes());
            let answer = http::Response::builder().status(code).body(body).unwrap();
            std::future::ready(Ok::<_, std::convert::Infallible>(answer))
        });
        let client = kube::Client::new(service, "ours");
        Candidate {
            api: Api::namespaced(client, "ours"),
            name: "l".into(),
            identity: "me".into(),
        }
    }

    #[tokio::test]
    async fn a_conflict_is_a_loss_only_if_another_holds_the_lease() {
        let mine = Lease::default();
        let overtaken_by_ourselves = candidate(&[(409, ""), (200, "me"), (200, "me")]);
        assert!(overtaken_by_ourselves.renew(&mine).await.unwrap().is_some());
        let taken = candidate(&[(409, ""), (200, "other")]);
        assert!(taken.renew(&mine).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_right_that_is_taken_away_is_told_from_one_that_never_was_there() {
        let mut seen = Seen::default();
        let refused = candidate(&[(403, "")]);
        let attempt = refused.attempt(&mut seen).await;
        assert!(matches!(attempt, Attempt::NotAllowed(_)) && !seen.is_any());
        let standby = candidate(&[(200, "other"), (403, "")]);
        assert!(matches!(
            standby.attempt(&mut seen).await,
            Attempt::Waits(_)
        ));
        let attempt = standby.attempt(&mut seen).await;
        assert!(matches!(attempt, Attempt::NotAllowed(_)) && seen.is_any());
    }
}
