//! What every replica serves over HTTP: the certificate, and for the real kubeseal verify and rotate.

mod limiter;
mod sealed_file;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use tokio::sync::Semaphore;
use tracing::warn;

use crate::{arguments::RateLimit, keyring::Keys, metrics::Measures, open::Opener, plan::Rules};

use limiter::{Limiter, Verdict};
use sealed_file::{LONGEST_BODY, SealedFile, Unfit};

/// The certificate of the current key.
const CERTIFICATE: &str = "/v1/cert.pem";
/// Whether a SealedSecret opens.
const VERIFY: &str = "/v1/verify";
/// A SealedSecret sealed anew with the current key.
const ROTATE: &str = "/v1/rotate";

/// Bodies in memory at the same time, each of at most [`LONGEST_BODY`].
const BODIES: usize = 2;

/// How long a body may take to arrive: whoever sends it slowly holds a place for others.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Everything that a route needs.
#[derive(Clone)]
pub(crate) struct Served {
    keys: Keys,
    opener: Opener,
    rules: Rules,
    measures: Measures,
    limiter: Option<Arc<Limiter>>,
    places: Arc<Semaphore>,
}

impl Served {
    pub(crate) fn new(
        keys: Keys,
        opener: Opener,
        rules: Rules,
        measures: Measures,
        rate: RateLimit,
    ) -> Self {
        Self {
            keys,
            opener,
            rules,
            measures,
            limiter: Limiter::new(rate).map(Arc::new),
            places: Arc::new(Semaphore::new(BODIES)),
        }
    }
}

/// The routes of this part. Any method is served, as with the incumbent (`server.go`, `httpserver`).
pub(crate) fn routes(served: Served) -> Router {
    Router::new()
        .route(CERTIFICATE, any(certificate))
        .route(VERIFY, any(verify))
        .route(ROTATE, any(rotate))
        .with_state(served)
}

/// Exactly one certificate, that of the current key.
async fn certificate(State(served): State<Served>, request: Request) -> Response {
    let answer = || {
        let keys = served.keys.now();
        match keys.keyring.current().and_then(keys::Entry::certificate) {
            Some(certificate) => {
                let kind = [(header::CONTENT_TYPE, "application/x-pem-file")];
                (kind, certificate.to_pem()).into_response()
            }
            None => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "cannot get certificate\n",
            )
                .into_response(),
        }
    };
    measured(&served, CERTIFICATE, request.method().as_str(), async {
        answer()
    })
    .await
}

/// 200 if every item opens, 409 if one does not, 500 if it is no SealedSecret; the body is empty.
async fn verify(State(served): State<Served>, request: Request) -> Response {
    let method = request.method().to_string();
    let answer = async {
        limited(&served, VERIFY, request, |served, body| {
            let keys = Arc::clone(&served.keys.now().keyring);
            let file = SealedFile::read(body)?;
            let status = match file.opens(&keys, &served.rules) {
                true => StatusCode::OK,
                false => StatusCode::CONFLICT,
            };
            Ok(status.into_response())
        })
        .await
    };
    measured(&served, VERIFY, &method, answer).await
}

/// 200 with the SealedSecret in JSON, 500 for whatever else; the body is empty then.
async fn rotate(State(served): State<Served>, request: Request) -> Response {
    let method = request.method().to_string();
    let answer = async {
        limited(&served, ROTATE, request, |served, body| {
            let keys = Arc::clone(&served.keys.now().keyring);
            let file = SealedFile::read(body)?.reencrypted(&keys, &served.rules)?;
            Ok(axum::Json(file).into_response())
        })
        .await
    };
    measured(&served, ROTATE, &method, answer).await
}

/// Answers within the limits: of the caller, of all callers, of the body, and of the threads.
async fn limited(
    served: &Served,
    path: &'static str,
    request: Request,
    work: impl FnOnce(&Served, &[u8]) -> Result<Response, Unfit> + Send + 'static,
) -> Response {
    let Some(limiter) = &served.limiter else {
        return (StatusCode::NOT_FOUND, "switched off by --rate-limit=0\n").into_response();
    };
    let verdict = limiter.judge(path, &caller(request.headers()), Instant::now());
    let mut response = if verdict.retry_after.is_some() {
        (StatusCode::TOO_MANY_REQUESTS, "limit exceeded\n").into_response()
    } else {
        let Ok(place) = Arc::clone(&served.places).acquire_owned().await else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        let answer = worked(served, path, request.into_body(), work).await;
        drop(place);
        answer
    };
    tell(response.headers_mut(), &verdict);
    response
}

async fn worked(
    served: &Served,
    path: &'static str,
    body: Body,
    work: impl FnOnce(&Served, &[u8]) -> Result<Response, Unfit> + Send + 'static,
) -> Response {
    let body = match tokio::time::timeout(BODY_TIME, to_bytes(body, LONGEST_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let opener = served.opener.clone();
    let served = served.clone();
    match opener.run(move || work(&served, &body)).await {
        Some(Ok(response)) => response,
        Some(Err(error)) => {
            warn!(path, error = %kit::redact::foreign(&error.to_string()), "a request could not be answered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// The incumbent tells callers apart by what the API server's proxy says about them.
fn caller(headers: &HeaderMap) -> Vec<u8> {
    let names = headers.get_all("x-forwarded-for").iter();
    names
        .flat_map(|name| name.as_bytes().iter().copied().chain([b',']))
        .collect()
}

/// The headers of throttled's `setRateLimitHeaders`.
fn tell(headers: &mut HeaderMap, verdict: &Verdict) {
    let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let mut set = |name: &'static str, value: u64| {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    };
    set("x-ratelimit-limit", verdict.limit.into());
    set("x-ratelimit-remaining", verdict.remaining.into());
    set("x-ratelimit-reset", seconds(verdict.reset));
    if let Some(wait) = verdict.retry_after {
        set("retry-after", seconds(wait));
    }
}

async fn measured(
    served: &Served,
    path: &'static str,
    method: &str,
    answer: impl Future<Output = Response>,
) -> Response {
    let started = Instant::now();
    let response = answer.await;
    let seconds = started.elapsed().as_secs_f64();
    served
        .measures
        .answered(path, method, response.status().as_u16(), seconds);
    response
}

#[cfg(test)]
mod tests;
