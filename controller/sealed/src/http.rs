//! What every replica serves over HTTP.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse as _, Response},
    routing::any,
};

use crate::keyring::Keys;

/// Everything that a route needs.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) keys: Keys,
}

/// The routes of this part.
pub(crate) fn routes(served: Served) -> Router {
    Router::new()
        .route("/v1/cert.pem", any(certificate))
        .with_state(served)
}

/// The newest certificate (`server.go`, `httpserver`): exactly one, whatever the method.
async fn certificate(State(served): State<Served>) -> Response {
    let keys = served.keys.now();
    match keys.keyring.current().and_then(keys::Entry::certificate) {
        Some(certificate) => (
            [(CONTENT_TYPE, "application/x-pem-file")],
            certificate.to_pem(),
        )
            .into_response(),
        None => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "cannot get certificate\n",
        )
            .into_response(),
    }
}
