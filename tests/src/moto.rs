//! AWS Secrets Manager as moto plays it, with a proxy in front that counts and disturbs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::cache::MOTO;
use crate::control_plane::free_ports;
use crate::faults::{self, Fault, Faults};
use crate::scratch::Scratch;
use crate::upstream::{self, Server, Upstream};
use crate::{Failure, Observation, Process, ProcessBuilder, Shared, eventually, share};

/// An AWS endpoint of a test's own. The moto behind it is one for the whole process: give secrets
/// names that are the test's own too.
pub struct Moto {
    front: Option<Server>,
    port: u16,
    state: Arc<Front>,
}

/// A call that reached the front.
#[derive(Clone, Debug)]
pub struct Call {
    /// `GetSecretValue`, say.
    pub operation: String,
    /// What was asked for: the body, or the fields of a form, as STS has them.
    pub body: Value,
    /// The access key that signed it.
    pub access_key: String,
    /// The region that it was signed for.
    pub region: String,
}

struct Front {
    upstream: Upstream,
    faults: Faults,
    calls: Mutex<Vec<Call>>,
}

impl Moto {
    /// A new front before the moto of this process, which is started if it is not yet there.
    ///
    /// # Errors
    /// If moto does not start.
    pub async fn start() -> Result<Self, Failure> {
        let behind = Behind::shared().await?;
        let state = Arc::new(Front {
            upstream: Upstream::plain(&behind.url)?,
            faults: Faults::default(),
            calls: Mutex::default(),
        });
        let front = Server::start(router(&state)).await?;
        let port = front.port();
        Ok(Self {
            front: Some(front),
            port,
            state,
        })
    }

    /// The endpoint to give to the controller.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections and listens no more, as when AWS cannot be reached.
    pub fn stop(&mut self) {
        self.front = None;
    }

    /// Listens again after [`Moto::stop`], at the same port.
    ///
    /// # Errors
    /// If somebody else took the port meanwhile.
    pub async fn resume(&mut self) -> Result<(), Failure> {
        let state = Arc::new(Front {
            // The client of the old one died with its server.
            upstream: self.state.upstream.again(),
            faults: self.state.faults.clone(),
            calls: Mutex::new(self.calls()),
        });
        self.front = Some(Server::start_at(self.port, router(&state)).await?);
        self.state = state;
        Ok(())
    }

    /// Faults by operation, such as `GetSecretValue`, by operation and region, `GetSecretValue@eu-west-1`, or by
    /// operation and who asks, `GetSecretValue by AKIAEXAMPLE`.
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The calls until now, faulty ones too.
    pub fn calls(&self) -> Vec<Call> {
        self.state
            .calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The number of calls until now by operation.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls() {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }

    /// Makes a secret in [`REGION`]; not counted.
    ///
    /// # Errors
    /// If moto refuses, as when there is one of that name.
    pub async fn create_secret(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.call("CreateSecret", json!({"Name": name, "SecretString": value}))
            .await?;
        Ok(())
    }

    /// Makes many secrets of one value in [`REGION`], one after the other: moto answers with errors
    /// when several are made at the same time. Not counted.
    ///
    /// # Errors
    /// If moto refuses, as when there is one of such a name.
    pub async fn create_secrets(
        &self,
        names: impl IntoIterator<Item = String>,
        value: &str,
    ) -> Result<(), Failure> {
        let upstream = Upstream::plain(&Behind::shared().await?.url)?;
        for name in names {
            let body = json!({"Name": name, "SecretString": value});
            call(&upstream, "CreateSecret", &body).await?;
        }
        Ok(())
    }

    /// Gives a secret a new current value; not counted.
    ///
    /// # Errors
    /// If moto refuses, as when there is none of that name.
    pub async fn put_secret(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.call(
            "PutSecretValue",
            json!({"SecretId": name, "SecretString": value}),
        )
        .await?;
        Ok(())
    }

    /// Deletes a secret at once; not counted.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn delete_secret(&self, name: &str) -> Result<(), Failure> {
        let body = json!({"SecretId": name, "ForceDeleteWithoutRecovery": true});
        self.call("DeleteSecret", body).await?;
        Ok(())
    }

    /// Calls an operation of Secrets Manager past the front, uncounted.
    ///
    /// # Errors
    /// If moto answers with an error.
    pub async fn call(&self, operation: &str, body: Value) -> Result<Value, Failure> {
        // A client is bound to its runtime, and tests have one each.
        let upstream = Upstream::plain(&Behind::shared().await?.url)?;
        call(&upstream, operation, &body).await
    }
}

async fn call(upstream: &Upstream, operation: &str, body: &Value) -> Result<Value, Failure> {
    let mut headers = HeaderMap::new();
    let target = format!("secretsmanager.{operation}");
    headers.insert(TARGET, HeaderValue::from_str(&target)?);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    headers.insert(
        AUTHORIZATION,
        HeaderValue::from_str(&format!(
            "AWS4-HMAC-SHA256 Credential=harness/20260101/{REGION}/secretsmanager/aws4_request, \
             SignedHeaders=host, Signature=none"
        ))?,
    );
    let body = body.to_string().into_bytes();
    let answer = upstream.pass_on(Method::POST, "/", headers, body).await?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
    if status != StatusCode::OK {
        let text = String::from_utf8_lossy(&body);
        return Err(Failure::new(format!(
            "{operation}: moto answered {status}: {text}"
        )));
    }
    Ok(serde_json::from_slice(&body)?)
}

/// The region of the secrets that the harness makes.
pub const REGION: &str = "eu-west-1";

fn router(state: &Arc<Front>) -> Router {
    Router::new().fallback(handle).with_state(Arc::clone(state))
}

async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return faults::cut();
    };
    let call = describe(&parts.headers, &body);
    let there = format!("{}@{}", call.operation, call.region);
    let fault = front.faults.meet(&there);
    let fault = fault.or_else(|| front.faults.meet(&call.operation));
    front
        .calls
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(call.clone());
    let whose = format!("{} by {}", call.operation, call.access_key);
    let fault = fault.or_else(|| front.faults.meet(&whose));
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
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let passed = front
        .upstream
        .pass_on(parts.method, target, parts.headers, body.to_vec())
        .await;
    match (fault, passed) {
        (Some(Fault::CutAfter), _) | (_, Err(_)) => faults::cut(),
        (_, Ok(answer)) => answer,
    }
}

/// What a call is: Secrets Manager names it in a header, STS in a form field.
fn describe(headers: &HeaderMap, body: &[u8]) -> Call {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    };
    let form = String::from_utf8_lossy(body);
    let action = form
        .split('&')
        .find_map(|field| field.strip_prefix("Action="));
    let operation = text(TARGET)
        .rsplit('.')
        .next()
        .filter(|name| !name.is_empty());
    let credential = text("authorization")
        .split("Credential=")
        .nth(1)
        .unwrap_or_default();
    let mut scope = credential.split('/');
    Call {
        operation: operation.or(action).unwrap_or("unknown").to_owned(),
        body: serde_json::from_slice(body).unwrap_or_else(|_| fields(&form)),
        access_key: scope.next().unwrap_or_default().to_owned(),
        region: scope.nth(1).unwrap_or_default().to_owned(),
    }
}

/// The fields of a form.
fn fields(form: &str) -> Value {
    let fields = form.split('&').filter_map(|field| field.split_once('='));
    fields
        .map(|(name, value)| (name.to_owned(), Value::String(percent_decoded(value))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn percent_decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The moto of this process.
struct Behind {
    url: String,
    _process: Process,
    _logs: Scratch,
}

impl Behind {
    async fn shared() -> Result<&'static Self, Failure> {
        static SHARED: Shared<Behind> = Shared::const_new();
        share(&SHARED, Self::start).await
    }

    async fn start() -> Result<Self, Failure> {
        let logs = Scratch::new("moto")?;
        let [port] = free_ports()?;
        let mut process = ProcessBuilder::new("moto", &MOTO.program("bin/moto_server")?)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .start(logs.path())?;
        let url = format!("http://127.0.0.1:{port}");
        eventually("the first answer of moto", async || {
            if let Err(ended) = process.must_run() {
                return Ok(Observation::Never(ended));
            }
            let look = upstream::get(&url, "/moto-api/data.json");
            let (status, _body) = tokio::time::timeout(PATIENCE, look).await??;
            Ok(Observation::when(status == StatusCode::OK, || {
                status.to_string()
            }))
        })
        .await
        .map_err(|failure| failure.while_doing("start moto"))?;
        Ok(Self {
            url,
            _process: process,
            _logs: logs,
        })
    }
}

const TARGET: &str = "x-amz-target";
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_form_are_decoded() {
        let found =
            fields("Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&ExternalId=a+b");
        let expected = json!({
            "Action": "AssumeRole", "RoleArn": "arn:aws:iam::1:role/r", "ExternalId": "a b",
        });
        assert_eq!(found, expected);
    }
}
