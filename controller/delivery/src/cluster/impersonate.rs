//! Acting as a tenant's ServiceAccount.

use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, header::InvalidHeaderValue};
use kube::{Client, client::Body};
use tower::{BoxError, Service};

/// A client that acts as this ServiceAccount (fluxcd/pkg runtime/client/impersonator.go). The API server adds the groups of
/// ServiceAccounts by itself, and checks that we may impersonate.
///
/// # Errors
/// If a name cannot stand in a header. Both names must not be empty: an empty identity would be our own (T23).
pub fn impersonating(client: &Client, namespace: &str, name: &str) -> Result<Client, NoIdentity> {
    if namespace.is_empty() || name.is_empty() {
        return Err(NoIdentity::Empty);
    }
    let user = HeaderValue::from_str(&format!("system:serviceaccount:{namespace}:{name}"))?;
    let inner = client.clone();
    Ok(Client::new(Impersonating { inner, user }, namespace))
}

/// Why nobody can be impersonated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoIdentity {
    /// One of the two names is empty.
    #[error("the ServiceAccount to act as has no name")]
    Empty,
    /// One of the two names holds something that no name holds.
    #[error("the name of the ServiceAccount to act as is malformed")]
    Malformed(#[from] InvalidHeaderValue),
}

#[derive(Clone)]
struct Impersonating {
    inner: Client,
    user: HeaderValue,
}

impl Service<Request<Body>> for Impersonating {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = futures::future::BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // `Client::send` waits until it is ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request
            .headers_mut()
            .insert("Impersonate-User", self.user.clone());
        let client = self.inner.clone();
        Box::pin(async move { client.send(request).await.map_err(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn t23_an_empty_identity_is_an_error_and_a_full_one_is_sent() {
        let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
        let client = Client::new(service, "default");
        for (namespace, name) in [
            ("", "deployer"),
            ("shop", ""),
            ("shop", "a\nImpersonate-Group: system:masters"),
        ] {
            assert!(impersonating(&client, namespace, name).is_err());
        }
        let tenant = impersonating(&client, "shop", "deployer").unwrap();
        let server = tokio::spawn(async move {
            let (request, send) = handle.next_request().await.unwrap();
            let user = request.headers()["Impersonate-User"].clone();
            send.send_response(Response::new(Body::from(b"{}".to_vec())));
            user
        });
        let request = Request::get("/api").body(Vec::new()).unwrap();
        drop(tenant.request::<serde_json::Value>(request).await.unwrap());
        assert_eq!(server.await.unwrap(), "system:serviceaccount:shop:deployer");
    }
}
