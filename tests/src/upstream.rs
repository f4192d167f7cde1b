//! The two halves of a proxy: a server on loopback, and requests passed on to another.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use kube::{Client, Config};
use tokio::runtime::Runtime;

use crate::Failure;

/// An HTTP server on loopback with a runtime of its own: dropping it cuts every connection, as when
/// the machine behind it goes.
pub(crate) struct Server {
    runtime: Option<Runtime>,
    address: SocketAddr,
}

impl Server {
    /// Starts one at a free port.
    pub(crate) async fn start(router: Router) -> Result<Self, Failure> {
        Self::start_at(0, router).await
    }

    /// Starts one at a port, where it was before, say.
    pub(crate) async fn start_at(port: u16, router: Router) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("harness-server")
            .enable_all()
            .build()?;
        let bound = runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
            let address = listener.local_addr()?;
            tokio::spawn(async move { axum::serve(listener, router).await });
            Ok::<_, std::io::Error>(address)
        });
        let server = bound.await;
        let mut this = Self {
            runtime: Some(runtime),
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        };
        this.address = server??;
        Ok(this)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Where requests are passed on to. Nothing is tried again: what the client sees is what came.
#[derive(Clone)]
pub(crate) struct Upstream {
    config: Config,
    /// A client belongs to the runtime that it was made in, which is that of the server.
    client: std::sync::Arc<tokio::sync::OnceCell<Client>>,
}

impl Upstream {
    /// A server by its URL.
    pub(crate) fn plain(url: &str) -> Result<Self, Failure> {
        Ok(Self::new(Config::new(url.parse::<Uri>()?)))
    }

    /// The server of a configuration, without its identity: requests bring their own.
    pub(crate) fn anonymous(mut config: Config) -> Self {
        config.auth_info = kube::config::AuthInfo::default();
        Self::new(config)
    }

    fn new(mut config: Config) -> Self {
        config.default_retry = false;
        Self {
            config,
            client: std::sync::Arc::default(),
        }
    }

    /// The same, for another runtime.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.config.clone())
    }

    /// Passes a request on and gives the answer, whose body streams.
    pub(crate) async fn pass_on(
        &self,
        method: http::Method,
        target: &str,
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Response<Body>, Failure> {
        for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .body(body.into())?;
        *request.headers_mut() = headers;
        let make = async || Client::try_from(self.config.clone());
        let client = self.client.get_or_try_init(make).await?;
        let (mut parts, body) = client.send(request).await?.into_parts();
        for name in [CONNECTION, TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        Ok(Response::from_parts(parts, Body::new(body)))
    }
}

/// `GET` of a whole small answer: its status and its body.
///
/// # Errors
/// If nobody answers.
pub async fn get(base: &str, target: &str) -> Result<(StatusCode, String), Failure> {
    let upstream = Upstream::plain(base)?;
    let headers = HeaderMap::new();
    let answer = upstream
        .pass_on(http::Method::GET, target, headers, Vec::new())
        .await?;
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await?;
    Ok((status, String::from_utf8(body.to_vec())?))
}
