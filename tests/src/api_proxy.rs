//! A proxy before the API server that sees every request, counts the writes, and can hold one back.
//!
//! Clients speak plain HTTP to it on loopback and bring their own token; the proxy speaks TLS with
//! the API server and adds nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::request::Parts;
use http::{Method, Response};
use tokio::sync::Notify;

use crate::faults::{self, Fault, Faults};
use crate::upstream::{Server, Upstream};
use crate::{Failure, Kubeconfig, Observation, eventually};

/// A proxy of a test's own before an API server.
pub struct ApiProxy {
    front: Option<Server>,
    port: u16,
    state: Arc<Front>,
}

/// A write that the API server answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// `create`, `update`, `patch` or `delete`.
    pub verb: &'static str,
    /// `secrets`, or `sealedsecrets/status` for a subresource.
    pub resource: String,
    /// Empty for kinds without namespaces.
    pub namespace: String,
    /// Empty for a creation, whose object names itself.
    pub name: String,
    /// The HTTP status of the answer.
    pub status: u16,
}

impl std::fmt::Display for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            verb,
            resource,
            namespace,
            name,
            status,
        } = self;
        write!(f, "{verb} {resource} {namespace}/{name} ({status})")
    }
}

struct Front {
    upstream: Upstream,
    faults: Faults,
    record: Mutex<Record>,
    released: Notify,
}

#[derive(Default)]
struct Record {
    reads: BTreeMap<String, usize>,
    writes: Vec<Write>,
    /// What was asked for and is not yet answered, by a number of its own.
    pending: BTreeMap<usize, Write>,
    asked: usize,
    /// The number of changes after which the answers are held back.
    hold_after: Option<usize>,
    held: usize,
}

impl ApiProxy {
    /// Starts one before the server of a kubeconfig.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn start(server: &Kubeconfig) -> Result<Self, Failure> {
        let state = Arc::new(Front {
            upstream: Upstream::anonymous(server.config().await?),
            faults: Faults::default(),
            record: Mutex::default(),
            released: Notify::new(),
        });
        let front = Server::start(router(&state)).await?;
        let port = front.port();
        Ok(Self {
            front: Some(front),
            port,
            state,
        })
    }

    /// A kubeconfig with the identity of another, through this proxy.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn kubeconfig(&self, identity: &Kubeconfig, path: PathBuf) -> Result<Kubeconfig, Failure> {
        identity.through(&format!("http://127.0.0.1:{}", self.port), path)
    }

    /// Faults by operation: a verb and a resource, as in `create secrets`, `watch sealedsecrets` or
    /// `update sealedsecrets/status`.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The writes that the API server answered until now.
    pub fn writes(&self) -> Vec<Write> {
        self.state.record().writes.clone()
    }

    /// The writes but those that tell only of life and work: Leases, Events and access reviews.
    pub fn changes(&self) -> Vec<Write> {
        let mut writes = self.writes();
        writes.retain(|write| is_change(&write.resource));
        writes
    }

    /// How often each read was asked for, by verb and resource: `get secrets`, `watch secrets`.
    pub fn reads(&self) -> BTreeMap<String, usize> {
        self.state.record().reads.clone()
    }

    /// Forgets all reads and writes until now.
    pub fn forget(&self) {
        let mut record = self.state.record();
        record.reads.clear();
        record.writes.clear();
    }

    /// Holds back the answers to changes from the `k`-th on, counted from now; the API server has
    /// done them, but who asked does not learn it until [`ApiProxy::release`].
    pub fn hold_after(&self, k: usize) {
        let mut record = self.state.record();
        let done = record
            .writes
            .iter()
            .filter(|write| is_change(&write.resource))
            .count();
        record.hold_after = Some(done + k);
    }

    /// Waits until an answer is held back.
    ///
    /// # Errors
    /// If there is none within the usual minute.
    pub async fn held(&self) -> Result<(), Failure> {
        eventually("an answer to hold back", async || {
            let record = self.state.record();
            Ok(Observation::when(record.held > 0, || {
                format!("{} writes", record.writes.len())
            }))
        })
        .await
    }

    /// The changes that were asked for and not yet answered.
    pub fn outstanding(&self) -> usize {
        let record = self.state.record();
        record
            .pending
            .values()
            .filter(|asked| writes(asked) && is_change(&asked.resource))
            .count()
    }

    /// All that was asked for and is not yet answered, longest first, for looking into a standstill.
    pub fn pending(&self) -> Vec<String> {
        let record = self.state.record();
        record.pending.values().map(ToString::to_string).collect()
    }

    /// Lets all answers go, and holds back no more.
    pub fn release(&self) {
        self.state.record().hold_after = None;
        self.state.released.notify_waiters();
    }

    /// Cuts all connections and listens no more, as when the API server is gone.
    pub fn stop(&mut self) {
        self.front = None;
    }

    /// Listens again after [`ApiProxy::stop`], at the same port.
    ///
    /// # Errors
    /// If somebody else took the port meanwhile.
    pub async fn resume(&mut self) -> Result<(), Failure> {
        let state = Arc::new(Front {
            // The client of the old one died with its server.
            upstream: self.state.upstream.again(),
            faults: self.state.faults.clone(),
            record: Mutex::new(std::mem::take(&mut *self.state.record())),
            released: Notify::new(),
        });
        self.front = Some(Server::start_at(self.port, router(&state)).await?);
        self.state = state;
        Ok(())
    }
}

impl Front {
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn router(state: &Arc<Front>) -> Router {
    Router::new().fallback(handle).with_state(Arc::clone(state))
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return faults::cut();
    };
    let asked = describe(&parts);
    let operation = format!("{} {}", asked.verb, asked.resource);
    let fault = front.faults.meet(&operation);
    match fault.clone() {
        Some(Fault::Answer {
            status,
            content_type,
            headers,
            body,
        }) => {
            return faults::answer(status, content_type, headers, body);
        }
        Some(Fault::Cut) => return faults::cut(),
        Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
        Some(Fault::CutAfter) | None => {}
    }
    // Forgotten when the answer is on its way, or when the client has gone and hyper drops this.
    let _pending = Pending::new(&front, &asked);
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let passed = front
        .upstream
        .pass_on(parts.method, target, parts.headers, body.to_vec())
        .await;
    let Ok(answer) = passed else {
        return faults::cut();
    };
    if writes(&asked) {
        let status = answer.status().as_u16();
        front.note_write(Write { status, ..asked }).await;
    } else {
        *front.record().reads.entry(operation).or_default() += 1;
    }
    if matches!(fault, Some(Fault::CutAfter)) {
        faults::cut()
    } else {
        answer
    }
}

impl Front {
    /// Records a write, and holds its answer back where that is asked for.
    async fn note_write(&self, write: Write) {
        // Listening starts before the look, so that no release is missed.
        let released = self.released.notified();
        {
            let mut record = self.record();
            let change = is_change(&write.resource);
            record.writes.push(write);
            let done = record
                .writes
                .iter()
                .filter(|write| is_change(&write.resource))
                .count();
            if !change || record.hold_after.is_none_or(|after| done < after) {
                return;
            }
            record.held += 1;
        }
        let _held = Held(self);
        released.await;
    }
}

struct Pending<'a> {
    front: &'a Front,
    number: usize,
}

impl<'a> Pending<'a> {
    fn new(front: &'a Front, asked: &Write) -> Self {
        let mut record = front.record();
        record.asked += 1;
        let number = record.asked;
        record.pending.insert(number, asked.clone());
        Self { front, number }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        self.front.record().pending.remove(&self.number);
    }
}

struct Held<'a>(&'a Front);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.record().held -= 1;
    }
}

fn writes(asked: &Write) -> bool {
    matches!(asked.verb, "create" | "update" | "patch" | "delete")
}

/// Whether writes of a resource change what users see, and do not only tell of life and work.
fn is_change(resource: &str) -> bool {
    !matches!(
        resource,
        "leases"
            | "events"
            | "selfsubjectaccessreviews"
            | "selfsubjectrulesreviews"
            | "subjectaccessreviews"
            | "tokenreviews"
            | "serviceaccounts/token"
    )
}

/// What a request is in the words of RBAC, by its path; `k8s.io/apiserver`'s `requestinfo.go` has
/// the rules.
fn describe(parts: &Parts) -> Write {
    let path: Vec<&str> = parts
        .uri
        .path()
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    let rest = match path.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        _ => &[],
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let (resource, name) = match rest {
        [resource] => ((*resource).to_owned(), ""),
        [resource, name] => ((*resource).to_owned(), *name),
        [resource, name, sub @ ..] => (format!("{resource}/{}", sub.join("/")), *name),
        [] => (parts.uri.path().to_owned(), ""),
    };
    let query = parts.uri.query().unwrap_or_default();
    let watches = query
        .split('&')
        .any(|field| matches!(field, "watch=true" | "watch=1"));
    let verb = match parts.method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ if watches => "watch",
        _ if name.is_empty() => "list",
        _ => "get",
    };
    Write {
        verb,
        resource,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        status: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(method: &str, uri: &str) -> String {
        let request = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap();
        describe(&request.into_parts().0).to_string()
    }

    #[test]
    fn requests_are_told_in_the_words_of_rbac() {
        for (method, uri, told) in [
            (
                "GET",
                "/api/v1/namespaces/a/secrets/b",
                "get secrets a/b (0)",
            ),
            ("GET", "/api/v1/secrets?limit=500", "list secrets / (0)"),
            (
                "GET",
                "/apis/bitnami.com/v1alpha1/sealedsecrets?watch=true",
                "watch sealedsecrets / (0)",
            ),
            (
                "POST",
                "/api/v1/namespaces/a/secrets?",
                "create secrets a/ (0)",
            ),
            ("PATCH", "/api/v1/namespaces/a", "patch namespaces /a (0)"),
            (
                "PUT",
                "/apis/x.io/v1/namespaces/a/things/b/status",
                "update things/status a/b (0)",
            ),
            ("GET", "/readyz", "list /readyz / (0)"),
        ] {
            assert_eq!(described(method, uri), told);
        }
    }
}
