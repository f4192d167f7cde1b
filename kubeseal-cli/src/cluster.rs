//! The controller, reached through the API server.

use std::time::Duration;

use document::{CONFIG_MAP_NAME, KEYS_FILE, PublishedKeys, certificate_file};
use http::{Method, Request, StatusCode};
use kube::client::Body;
use serde_json::Value;

use crate::arguments::Settings;
use crate::error::Failure;
use crate::kubeconfig;
use crate::profile::Profile;
use crate::web::{self, Answer};

/// The API server, and where in it the controller may be.
pub(crate) struct Controller {
    client: kube::Client,
    timeout: Duration,
    /// Namespace and name of the Service, the likeliest first.
    candidates: Vec<(String, String)>,
}

/// The Service as the manifests, the Helm chart and Flux's guide install it. The first one is the
/// incumbent's default.
const USUAL_PLACES: [(&str, &str); 4] = [
    ("kube-system", "sealed-secrets-controller"),
    ("sealed-secrets", "sealed-secrets"),
    ("kube-system", "sealed-secrets"),
    ("flux-system", "sealed-secrets-controller"),
];

/// Where to look: where the flags or the profile say, else in the usual places.
fn candidates(settings: &Settings, profile: Option<&Profile>) -> Vec<(String, String)> {
    let of_profile = |field: fn(&Profile) -> &Option<String>| {
        profile
            .and_then(|profile| field(profile).clone())
            .unwrap_or_default()
    };
    let or = |flag: &String, other: String| if flag.is_empty() { other } else { flag.clone() };
    let namespace = or(
        &settings.controller_namespace,
        of_profile(|profile| &profile.controller_namespace),
    );
    let name = or(
        &settings.controller_name,
        of_profile(|profile| &profile.controller_name),
    );
    let [usual, ..] = USUAL_PLACES;
    if namespace.is_empty() && name.is_empty() {
        let owned = |(namespace, name): (&str, &str)| (namespace.to_owned(), name.to_owned());
        return USUAL_PLACES.into_iter().map(owned).collect();
    }
    if name.is_empty() {
        // A namespace of its own mostly holds what the Helm chart installs.
        let names = [usual.1, "sealed-secrets"];
        return names
            .into_iter()
            .map(|name| (namespace.clone(), name.to_owned()))
            .collect();
    }
    let namespace = if namespace.is_empty() {
        usual.0.to_owned()
    } else {
        namespace
    };
    vec![(namespace, name)]
}

impl Controller {
    pub(crate) async fn connect(
        settings: &Settings,
        profile: Option<&Profile>,
    ) -> Result<Self, Failure> {
        let context = profile.and_then(|profile| profile.context.as_deref());
        let mut config =
            kubeconfig::client_config(&settings.connection, context, &settings.environment).await?;
        // Where the controller cannot be reached there is another way, so it is not waited for.
        config.default_retry = false;
        let client =
            kube::Client::try_from(config).map_err(|error| Failure::work(web::chain(&error)))?;
        Ok(Self {
            client,
            timeout: timeout(&settings.connection.request_timeout)?,
            candidates: candidates(settings, profile),
        })
    }

    /// The certificate in PEM: from the running controller through the service proxy (`openCertCluster`
    /// in `pkg/kubeseal/kubeseal.go`), else from the published ConfigMap, for clusters whose API server
    /// cannot reach pods.
    pub(crate) async fn certificate(&self) -> Result<Vec<u8>, Failure> {
        let through_service = match self.certificate_through_service().await {
            Ok(pem) => return Ok(pem),
            Err(failure) => failure,
        };
        let mut tried = Vec::new();
        let mut namespaces: Vec<&str> = Vec::new();
        for (namespace, _) in &self.candidates {
            if namespaces.contains(&namespace.as_str()) {
                continue;
            }
            namespaces.push(namespace);
            match self.published_certificate(namespace).await {
                Ok(pem) => return Ok(pem.into_bytes()),
                Err(cause) => {
                    tried.push(format!("ConfigMap {namespace}/{CONFIG_MAP_NAME}: {cause}"));
                }
            }
        }
        Err(Failure::Work(format!(
            "{through_service}\nThe published certificate was tried too:\n{}",
            tried.join("\n")
        )))
    }

    async fn certificate_through_service(&self) -> Result<Vec<u8>, Failure> {
        let path = self.proxy_path("/v1/cert.pem").await?;
        let answer = self
            .exchange(Method::GET, &path, Vec::new())
            .await
            .map_err(|refusal| Failure::Work(format!("cannot fetch certificate: {refusal}")))?;
        Ok(answer.body)
    }

    /// Sends an object to the controller. Where it is throttled, it is sent again when the controller
    /// says so, as client-go does.
    pub(crate) async fn post(&self, path: &str, object: &Value) -> Result<Vec<u8>, Refusal> {
        let body = object.to_string().into_bytes();
        for _ in 1..MAX_ATTEMPTS {
            match self.exchange(Method::POST, path, body.clone()).await {
                Err(Refusal {
                    retry_after: Some(pause),
                    ..
                }) => tokio::time::sleep(pause).await,
                other => return other.map(|answer| answer.body),
            }
        }
        self.exchange(Method::POST, path, body)
            .await
            .map(|answer| answer.body)
    }

    async fn published_certificate(&self, namespace: &str) -> Result<String, String> {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{CONFIG_MAP_NAME}");
        let map = self.object(&path).await?;
        let entry = |name: &str| map.pointer("/data")?.get(name)?.as_str();
        let keys = entry(KEYS_FILE).ok_or_else(|| format!("it has no {KEYS_FILE}"))?;
        let keys = PublishedKeys::parse(keys)
            .map_err(|error| format!("its {KEYS_FILE} cannot be read: {error}"))?;
        let current = keys.current().ok_or("it names no current key")?;
        let fingerprint = current
            .fingerprint
            .parse()
            .map_err(|_| "its current key has no name")?;
        let file = certificate_file(&fingerprint);
        entry(&file)
            .map(str::to_owned)
            .ok_or_else(|| format!("it has no {file}"))
    }

    /// The proxy's path to the controller, at the first place where there is a Service. The port's name
    /// is part of it and may be empty.
    pub(crate) async fn proxy_path(&self, suffix: &str) -> Result<String, Failure> {
        let mut first_cause = String::new();
        let mut tried = Vec::new();
        for (namespace, name) in &self.candidates {
            let path = format!("/api/v1/namespaces/{namespace}/services/{name}");
            match self.object(&path).await {
                Ok(service) => return proxy_path(&service, namespace, name, suffix),
                Err(cause) if tried.is_empty() => first_cause = cause,
                Err(_) => {}
            }
            tried.push(format!("{namespace}/{name}"));
        }
        Err(Failure::Work(format!(
            "cannot get sealed secret service: {first_cause}.\nPlease, use the flag \
             --controller-name and --controller-namespace to set up the name and namespace of the \
             sealed secrets controller\nServices that were tried: {}",
            tried.join(", ")
        )))
    }

    async fn object(&self, path: &str) -> Result<Value, String> {
        let answer = self.exchange(Method::GET, path, Vec::new()).await;
        let answer = answer.map_err(|refusal| refusal.text)?;
        serde_json::from_slice(&answer.body).map_err(|_| "the answer is no JSON".to_owned())
    }

    async fn exchange(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Answer, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(
                http::header::ACCEPT,
                "application/json, application/x-pem-file, */*",
            )
            .body(Body::from(body))
            .map_err(|error| Refusal::unsent(error.to_string()))?;
        let answer = web::send(&self.client, request, self.timeout)
            .await
            .map_err(Refusal::unsent)?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(Refusal::of(&answer))
        }
    }
}

fn proxy_path(
    service: &Value,
    namespace: &str,
    name: &str,
    suffix: &str,
) -> Result<String, Failure> {
    let port = service
        .pointer("/spec/ports/0")
        .ok_or_else(|| Failure::Work(format!("the service {namespace}/{name} has no port")))?;
    let port = port.get("name").and_then(Value::as_str).unwrap_or_default();
    Ok(format!(
        "/api/v1/namespaces/{namespace}/services/http:{name}:{port}/proxy{suffix}"
    ))
}

/// client-go asks at most ten times more.
const MAX_ATTEMPTS: usize = 11;
/// Longer than a rate limiter of ours or the incumbent's ever asks for.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A request that was not answered as hoped.
pub(crate) struct Refusal {
    pub(crate) text: String,
    pub(crate) status: Option<StatusCode>,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn unsent(text: String) -> Self {
        Self {
            text,
            status: None,
            retry_after: None,
        }
    }

    fn of(answer: &Answer) -> Self {
        let may_retry =
            answer.status == StatusCode::TOO_MANY_REQUESTS || answer.status.is_server_error();
        let pause = answer
            .retry_after
            .filter(|_| may_retry)
            .map(Duration::from_secs);
        Self {
            text: said(answer.status, &answer.body),
            status: Some(answer.status),
            retry_after: pause.map(|pause| pause.min(MAX_PAUSE)),
        }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What the API server says in its Status object, or the bare status.
fn said(status: StatusCode, body: &[u8]) -> String {
    let said: Option<Value> = serde_json::from_slice(body).ok();
    let message = said
        .as_ref()
        .and_then(|said| said.get("message"))
        .and_then(Value::as_str);
    match message {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => format!("the server answered {status}"),
    }
}

/// client-go's `ParseTimeout`: a bare number is seconds, and zero means none. Where the user sets none,
/// ours ends a request that nobody answers.
fn timeout(text: &str) -> Result<Duration, Failure> {
    let parsed = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => text
            .parse::<kube::core::Duration>()
            .ok()
            .map(Into::into)
            .ok_or_else(|| {
                Failure::work(
                    "Invalid timeout value. Timeout must be a single integer in seconds, or an \
                 integer followed by a corresponding time unit (e.g. 1s | 2m | 3h)",
                )
            })?,
    };
    Ok(if parsed.is_zero() {
        web::DEFAULT_TIMEOUT
    } else {
        parsed
    })
}
