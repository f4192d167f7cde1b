//! Requests over the network. The runtime and TLS are set up only when one is made.

use std::future::Future;
use std::time::Duration;

use http::{Request, StatusCode, Uri};
use kube::client::Body;

use crate::arguments::Environment;
use crate::error::Failure;

/// Runs what needs the network, on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::work(format!("cannot start: {error}")))?
        .block_on(work)
}

/// An answer with its body read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) location: Option<String>,
    /// `Retry-After`, in seconds.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Vec<u8>,
}

/// Sends one request and reads the answer. Nothing that we ask for is long.
pub(crate) async fn send(
    client: &kube::Client,
    request: Request<Body>,
    timeout: Duration,
) -> Result<Answer, String> {
    let exchange = async {
        let answer = client.send(request).await.map_err(|error| chain(&error))?;
        let header = |name| {
            answer
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let number = |name| header(name).and_then(|value: &str| value.parse::<u64>().ok());
        let location = header(http::header::LOCATION).map(str::to_owned);
        let retry_after = number(http::header::RETRY_AFTER);
        let length = number(http::header::CONTENT_LENGTH);
        if length.is_some_and(|length| length > MAX_ANSWER_BYTES) {
            return Err(format!(
                "the answer is too long ({} bytes)",
                length.unwrap_or_default()
            ));
        }
        let status = answer.status();
        let body = answer
            .into_body()
            .collect_bytes()
            .await
            .map_err(|error| chain(&error))?;
        Ok(Answer {
            status,
            location,
            retry_after,
            body: body.to_vec(),
        })
    };
    match tokio::time::timeout(timeout, exchange).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", timeout.as_secs())),
    }
}

/// How long one request may take where nobody says how long.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// Fetches a URL as Go's default client does: redirects are followed, proxies of the environment are
/// used (`openCertURI` in `pkg/kubeseal/kubeseal.go`).
pub(crate) async fn get(url: &str, environment: &Environment) -> Result<Vec<u8>, Failure> {
    let failed = |cause: &str| Failure::Work(format!("Get \"{url}\": {cause}"));
    let mut target: Uri = url.parse().map_err(|_| failed("not a URL"))?;
    for _ in 0..MAX_REDIRECTS {
        let answer = get_once(&target, environment)
            .await
            .map_err(|cause| failed(&cause))?;
        match (answer.status, answer.location) {
            (StatusCode::OK, _) => return Ok(answer.body),
            (status, Some(location)) if status.is_redirection() => {
                target = redirected(&target, &location).ok_or_else(|| failed("bad redirect"))?;
            }
            (status, _) => {
                return Err(Failure::Work(format!("cannot fetch \"{url}\": {status}")));
            }
        }
    }
    Err(failed("stopped after 10 redirects"))
}

const MAX_REDIRECTS: usize = 10;
const MAX_ANSWER_BYTES: u64 = 16 << 20;

async fn get_once(target: &Uri, environment: &Environment) -> Result<Answer, String> {
    let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return Err("unsupported protocol scheme".to_owned());
    };
    let base = format!("{scheme}://{authority}")
        .parse()
        .map_err(|_| "not a URL".to_owned())?;
    let mut config = kube::Config::new(base);
    config.default_retry = false;
    config.proxy_url = proxy(scheme, authority.host(), environment);
    let client = kube::Client::try_from(config).map_err(|error| chain(&error))?;
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    send(&client, request, DEFAULT_TIMEOUT).await
}

/// `http.ProxyFromEnvironment`: the proxy for the scheme, unless the host is exempt or this machine.
fn proxy(scheme: &str, host: &str, environment: &Environment) -> Option<Uri> {
    let variable = |name: &str| {
        environment
            .filled(name)
            .or_else(|| environment.filled(&name.to_lowercase()))
    };
    if matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
        return None;
    }
    let exempt = variable("NO_PROXY")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .any(|entry| {
            let domain = entry.trim_start_matches("*.").trim_start_matches('.');
            entry == "*"
                || !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")))
        });
    let name = if scheme == "https" {
        "HTTPS_PROXY"
    } else {
        "HTTP_PROXY"
    };
    variable(name).filter(|_| !exempt)?.parse().ok()
}

fn redirected(from: &Uri, location: &str) -> Option<Uri> {
    if location.contains("://") {
        return location.parse().ok();
    }
    let base = format!("{}://{}", from.scheme_str()?, from.authority()?);
    let separator = if location.starts_with('/') { "" } else { "/" };
    format!("{base}{separator}{location}").parse().ok()
}

/// An error with its causes: the outermost alone mostly says "client error (Connect)".
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}
