//! A Git server over http: git's own `http-backend`, with or without a password.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{Response, StatusCode};

use crate::faults::{self, Fault, Faults};
use crate::scratch::Scratch;
use crate::upstream::Server;
use crate::{Failure, GitRepository, Invocation};

/// A user and its password.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// Its password.
    pub password: String,
}

impl Credentials {
    /// A user and its password.
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }
}

/// A server with repositories of its own.
pub struct GitServer {
    front: Option<Server>,
    port: u16,
    state: Arc<Front>,
}

struct Front {
    root: Scratch,
    /// What the `Authorization` header must be, if there is a password.
    authorization: Mutex<Option<String>>,
    faults: Faults,
    requests: Mutex<Vec<String>>,
}

impl GitServer {
    /// Starts one; with credentials, it asks for them on each request.
    ///
    /// # Errors
    /// If no port can be listened on.
    pub async fn start(credentials: Option<&Credentials>) -> Result<Self, Failure> {
        let state = Arc::new(Front {
            root: Scratch::new("git")?,
            authorization: Mutex::new(credentials.map(authorization)),
            faults: Faults::default(),
            requests: Mutex::default(),
        });
        let front = Server::start(router(&state)).await?;
        let port = front.port();
        Ok(Self {
            front: Some(front),
            port,
            state,
        })
    }

    /// Makes an empty repository with the branch `main`, and a work tree for it.
    ///
    /// # Errors
    /// If git fails.
    pub async fn create(&self, name: &str) -> Result<GitRepository, Failure> {
        let bare = self.bare(name);
        let work = self.directory().join(format!("{name}.work"));
        GitRepository::create(self.url(name), bare, work).await
    }

    /// The URL of a repository, without credentials.
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}.git", self.port)
    }

    /// Where the bare repository of a name is, to look at.
    pub fn bare(&self, name: &str) -> PathBuf {
        self.directory().join(format!("{name}.git"))
    }

    /// Asks for other credentials from now on.
    pub fn set_credentials(&self, credentials: Option<&Credentials>) {
        let mut wanted = self
            .state
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *wanted = credentials.map(authorization);
    }

    /// Faults by operation: `advertise` (the list of references), `fetch`, `push`.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The operations until now, refused and faulty ones too.
    pub fn requests(&self) -> Vec<String> {
        self.state
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Cuts all connections and listens no more.
    pub fn stop(&mut self) {
        self.front = None;
    }

    /// Listens again after [`GitServer::stop`], at the same port.
    ///
    /// # Errors
    /// If somebody else took the port meanwhile.
    pub async fn resume(&mut self) -> Result<(), Failure> {
        self.front = Some(Server::start_at(self.port, router(&self.state)).await?);
        Ok(())
    }

    fn directory(&self) -> &Path {
        self.state.root.path()
    }
}

fn router(state: &Arc<Front>) -> Router {
    Router::new().fallback(handle).with_state(Arc::clone(state))
}

fn authorization(credentials: &Credentials) -> String {
    let Credentials { username, password } = credentials;
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return faults::cut();
    };
    let operation = operation(parts.uri.path());
    let fault = front.faults.meet(operation);
    front
        .requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(operation.to_owned());
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
    if !front.admits(&parts) {
        let ask = vec![("www-authenticate", String::from("Basic realm=\"harness\""))];
        return faults::answer(401, "text/plain", ask, String::from("who are you?"));
    }
    match (fault, backend(&front, &parts, body.to_vec()).await) {
        (Some(Fault::CutAfter), _) => faults::cut(),
        (_, Ok(answer)) => answer,
        (_, Err(failure)) => {
            faults::answer(500, "text/plain", Vec::new(), failure.message().to_owned())
        }
    }
}

fn operation(path: &str) -> &'static str {
    if path.ends_with("/git-receive-pack") {
        "push"
    } else if path.ends_with("/git-upload-pack") {
        "fetch"
    } else {
        "advertise"
    }
}

impl Front {
    fn admits(&self, parts: &Parts) -> bool {
        let wanted = self
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        wanted.as_ref().is_none_or(|wanted| {
            parts
                .headers
                .get(AUTHORIZATION)
                .is_some_and(|given| given == wanted.as_str())
        })
    }
}

/// Runs `git http-backend` as a web server runs a CGI program (RFC 3875).
async fn backend(front: &Front, parts: &Parts, body: Vec<u8>) -> Result<Response<Body>, Failure> {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let outcome = Invocation::new("git")
        .args(["http-backend"])
        .env("GIT_PROJECT_ROOT", front.root.path())
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header(CONTENT_TYPE.as_str()))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING.as_str()))
        .env("REMOTE_USER", "harness")
        .env("REMOTE_ADDR", "127.0.0.1")
        .input(body)
        .outcome()
        .await?;
    if !outcome.status.success() {
        let (status, stderr) = (outcome.status, outcome.stderr);
        return Err(Failure::new(format!(
            "git http-backend ended with {status}: {stderr}"
        )));
    }
    cgi_answer(outcome.stdout)
}

fn cgi_answer(output: Vec<u8>) -> Result<Response<Body>, Failure> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.ok_or_else(|| Failure::new("git http-backend answered without a header"))?;
    let (head, body) = output.split_at(end);
    let mut response = Response::builder().status(StatusCode::OK);
    for line in std::str::from_utf8(head)?.lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => {
                response = response.status(status.get(..3).unwrap_or("500"));
            }
            Some((name, value)) => response = response.header(name, value),
            None => {}
        }
    }
    let body = body.get(4..).unwrap_or_default().to_vec();
    Ok(response.body(Body::from(body))?)
}
