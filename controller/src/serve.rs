//! What is served over HTTP: health, the certificate, metrics. Every replica serves, leader or not.

mod connections;

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    http::header::CONTENT_TYPE,
    middleware::{Next, from_fn},
    response::IntoResponse as _,
    routing::get,
};
use kit::{Metrics, Shutdown};
use tokio::net::TcpListener;
use tracing::info;

use crate::arguments::ListenAddress;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("listen on {address} (flag {flag})")]
pub(crate) struct ListenError {
    address: SocketAddr,
    flag: &'static str,
    #[source]
    source: io::Error,
}

/// Whether the process can do what callers of its Service ask for.
pub(crate) trait Readiness: Clone + Send + Sync + 'static {
    /// What is missing, or `None` when ready.
    fn missing(&self) -> Option<String>;
}

/// Health and the routes of the parts.
pub(crate) fn public(readiness: impl Readiness, parts: Router) -> Router {
    let ready = move || {
        let readiness = readiness.clone();
        async move {
            match readiness.missing() {
                None => (StatusCode::OK, "ok\n".to_owned()),
                Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
            }
        }
    };
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .merge(parts)
}

/// The same routes, each request bounded: reading it and answering it take no longer than this.
pub(crate) fn bounded(routes: Router, longest: Option<Duration>) -> Router {
    let Some(longest) = longest else {
        return routes;
    };
    let bound = move |request: Request, next: Next| async move {
        tokio::time::timeout(longest, next.run(request))
            .await
            .unwrap_or_else(|_elapsed| StatusCode::REQUEST_TIMEOUT.into_response())
    };
    routes.layer(from_fn(bound))
}

/// The metrics of all parts.
pub(crate) fn metrics(metrics: Metrics) -> Router {
    let render =
        async move || ([(CONTENT_TYPE, Metrics::CONTENT_TYPE)], metrics.render()).into_response();
    Router::new().route("/metrics", get(render))
}

/// Listens, and serves in the background until the shutdown; what is being answered then is finished.
///
/// # Errors
/// [`ListenError`] when the address is taken or not ours.
pub(crate) async fn listen(
    address: ListenAddress,
    flag: &'static str,
    routes: Router,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let failed = |source| ListenError {
        address: address.0,
        flag,
        source,
    };
    let listener = bind(address.0).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    info!(address = %bound, flag, "listens");
    tokio::spawn(connections::serve(
        listener,
        routes,
        connections::Limits::default(),
        shutdown,
    ));
    Ok(())
}

/// As Go listens (`net`, `favoriteAddrFamily`): all addresses of IPv6 take in those of IPv4, and
/// where there is no IPv6 those of IPv4 are all.
async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let all_of_ipv4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    match TcpListener::bind(address).await {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_no_ipv6(&error) => {
            TcpListener::bind(all_of_ipv4).await
        }
        bound => bound,
    }
}

fn is_no_ipv6(error: &io::Error) -> bool {
    !matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    )
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use tower::ServiceExt as _;

    use super::*;

    #[derive(Clone)]
    struct Fixed(Option<&'static str>);

    impl Readiness for Fixed {
        fn missing(&self) -> Option<String> {
            self.0.map(str::to_owned)
        }
    }

    async fn status(routes: Router, path: &str) -> StatusCode {
        let request = Request::get(path).body(Body::empty()).unwrap();
        routes.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_ended() {
        let never = Router::new().route("/never", get(std::future::pending::<()>));
        let routes = bounded(never, Some(Duration::from_millis(1)));
        assert_eq!(status(routes, "/never").await, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn health_does_not_wait_for_readiness() {
        let waiting = public(Fixed(Some("no key yet")), Router::new());
        assert_eq!(status(waiting.clone(), "/healthz").await, StatusCode::OK);
        assert_eq!(
            status(waiting, "/readyz").await,
            StatusCode::SERVICE_UNAVAILABLE
        );
        let ready = public(Fixed(None), Router::new());
        assert_eq!(status(ready, "/readyz").await, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_not_served_beside_the_certificate() {
        let public = public(Fixed(None), Router::new());
        assert_eq!(status(public, "/metrics").await, StatusCode::NOT_FOUND);
        assert_eq!(
            status(metrics(Metrics::new()), "/metrics").await,
            StatusCode::OK
        );
    }
}
