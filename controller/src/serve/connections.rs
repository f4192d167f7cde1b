//! The connections of a server: so many and no more, and none of them for ever.
//!
//! # Guarantees
//! - At most [`Limits::connections`] are served side by side; who comes later waits in the system's
//!   queue, and costs us nothing.
//! - The head of a request comes within [`Limits::head`] and is no longer than [`HEAD_BYTES`], and nobody
//!   is silent for longer between two requests. How long the rest may take is bounded where the routes are.
//! - A connection ends after [`Limits::life`], so that not even a caller who never reads its answers
//!   keeps its place.

use std::{sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use kit::Shutdown;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

/// How long an answer may still take after its connection was asked to end.
const DRAIN: Duration = Duration::from_secs(5);

/// The longest head of a request; the incumbent's cookies and tokens through the API server's proxy are
/// far shorter.
const HEAD_BYTES: usize = 64 << 10;

/// How long to wait when the system gives no connection, for want of descriptors for example.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// What a server gives to all of its callers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections side by side.
    pub(super) connections: u32,
    /// How long the head of a request may take to come, or the next request to begin.
    pub(super) head: Duration,
    /// How long a connection lives.
    pub(super) life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            // Go's clients, the API server's proxy among them, keep an idle connection for 90 s: they must
            // be the first to close it, or a request meets the end of its connection.
            head: Duration::from_secs(120),
            life: Duration::from_secs(600),
        }
    }
}

/// Serves until the shutdown; what is being answered then has [`DRAIN`] to be finished.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let places = Arc::new(Semaphore::new(limits.connections as usize));
    loop {
        tokio::select! {
            (stream, place) = next(&listener, &places) => {
                let routes = routes.clone();
                tokio::spawn(converse(stream, routes, limits, shutdown.clone(), place));
            }
            () = shutdown.requested() => break,
        }
    }
    drop(listener);
    // Every place is free when the last connection has ended.
    let ended = timeout(DRAIN, places.acquire_many(limits.connections)).await;
    if ended.is_err() {
        debug!("connections that did not end in time are cut");
    }
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // Nobody closes it.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, _caller)) => return (stream, place),
            Err(error) => {
                warn!(%error, "no connection could be accepted");
                drop(place);
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// One connection, from its first request to its end.
async fn converse(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    shutdown: Shutdown,
    _place: OwnedSemaphorePermit,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_BYTES);
    let service = TowerToHyperService::new(routes);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // How a caller leaves is its own affair.
        _ended = connection.as_mut() => return,
        () = shutdown.requested() => {}
        () = sleep(limits.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended = timeout(DRAIN, connection).await;
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        sync::Barrier,
    };

    use super::*;

    async fn start(routes: Router, limits: Limits) -> (SocketAddr, Shutdown) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), Shutdown::new());
        tokio::spawn(serve(listener, routes, limits, shutdown.clone()));
        (address, shutdown)
    }

    /// What a caller gets who sends this and then waits for the end.
    async fn say(address: SocketAddr, text: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A connection that is reset has ended as well.
        let _end = stream.read_to_string(&mut answer).await;
        answer
    }

    const WHOLE: &str = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn no_more_connections_are_served_than_there_are_places() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (meeting, seen) = (Arc::new(Barrier::new(2)), Arc::clone(&most));
        let answer = move || {
            let (meeting, now, most) = (Arc::clone(&meeting), Arc::clone(&now), Arc::clone(&most));
            async move {
                let here = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(here, Ordering::SeqCst);
                // Two are in here at a time, so that both places are taken.
                meeting.wait().await;
                now.fetch_sub(1, Ordering::SeqCst);
                "fine"
            }
        };
        let routes = Router::new().route("/x", get(answer));
        let limits = Limits {
            connections: 2,
            ..Limits::default()
        };
        let (address, _shutdown) = start(routes, limits).await;
        let answers = callers(8, || say(address, WHOLE)).await;
        assert!(answers.iter().all(|answer| answer.ends_with("fine")));
        assert_eq!(seen.load(Ordering::SeqCst), 2);
    }

    async fn callers<F>(count: usize, make: impl Fn() -> F) -> Vec<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut callers = tokio::task::JoinSet::new();
        for _caller in 0..count {
            callers.spawn(make());
        }
        callers.join_all().await
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_not_waited_for() {
        let limits = Limits {
            connections: 1,
            head: Duration::from_millis(50),
            ..Limits::default()
        };
        let routes = Router::new().route("/x", get(async || "fine"));
        let (address, _shutdown) = start(routes, limits).await;
        for slow in ["", "GET /x HT", "GET /x HTTP/1.1\r\nHost: x\r\nX-A: b\r\n"] {
            let answer = say(address, slow).await;
            assert!(!answer.contains("fine"), "{answer}");
        }
        // Its place is free again.
        assert!(say(address, WHOLE).await.ends_with("fine"));
    }

    #[tokio::test]
    async fn a_head_without_end_is_refused() {
        let routes = Router::new().route("/x", get(async || "fine"));
        let (address, _shutdown) = start(routes, Limits::default()).await;
        let long = format!(
            "GET /x HTTP/1.1\r\nHost: x\r\nX-A: {}",
            "a".repeat(HEAD_BYTES)
        );
        let answer = say(address, &long).await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_connection_ends_with_its_life_and_with_the_server() {
        let routes = Router::new().route("/x", get(async || "fine"));
        let kept = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
        let short = Limits {
            life: Duration::from_millis(50),
            ..Limits::default()
        };
        let (address, _shutdown) = start(routes.clone(), short).await;
        assert!(say(address, kept).await.ends_with("fine"));
        let (address, shutdown) = start(routes, Limits::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(kept.as_bytes()).await.unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        shutdown.request();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        assert!(rest.ends_with("fine"), "{rest}");
    }
}
