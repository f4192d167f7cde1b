//! The order in which things start and end.
//!
//! # Expected flow
//! 1. Connect, listen, read the sealing keys: every replica serves the certificate.
//! 2. Campaign for the Lease.
//! 3. The leader runs its parts until it is told to end or loses the Lease.
//! 4. The parts finish what is under way, then the Lease is given back.
//!
//! # Guarantees
//! Nothing is written without leadership. A part that ends by itself ends the process.

use std::{path::Path, time::Duration};

use axum::Router;
use kit::{Context, Metrics, Shutdown, client, lease};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{info, warn};

use crate::{
    arguments::{Arguments, Part},
    part, serve,
};

/// Design.md section 4.
const LEASE: &str = "signet-controller";

/// The running program, even if its file was replaced meanwhile.
const OURSELVES: &str = "/proc/self/exe";

/// How long the parts may take to finish what is under way: less than the 30 s that a pod gets.
const DRAIN: Duration = Duration::from_secs(20);

/// Why the process ends with a failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RunError {
    #[error("connect to the API server")]
    Connect(#[from] client::ConnectError),
    #[error("the Lease is lost, so another replica writes now")]
    LeaseLost,
    #[error(transparent)]
    Listen(#[from] serve::ListenError),
    #[error(transparent)]
    Part(#[from] part::Ended),
    #[error("listen for signals")]
    Signals(#[source] std::io::Error),
}

/// Runs the process to its end.
///
/// # Errors
/// [`RunError`] when it could not start, lost the Lease, or one of its parts ended by itself.
pub(crate) async fn run(mut arguments: Arguments) -> Result<(), RunError> {
    let shutdown = Shutdown::new();
    watch_signals(shutdown.clone()).map_err(RunError::Signals)?;
    let connection = client::connect(
        arguments.kubeconfig.as_deref(),
        arguments.own_namespace.take(),
        arguments.calls.pace(),
    )
    .await?;
    let context = Context {
        client: connection.client,
        namespace: connection.namespace,
        shutdown: shutdown.clone(),
        metrics: Metrics::new(),
    };
    info!(
        version = crate::version(),
        parts = arguments.parts.names(),
        namespace = context.namespace,
        "starts"
    );
    context.metrics.register(kit::metrics::process::register);
    if arguments.parts.contains(Part::Delivery) {
        kit::exec::launch_through(Path::new(OURSELVES));
    }
    let sealed = arguments
        .parts
        .contains(Part::Sealed)
        .then(|| sealed::Part::new(context.clone(), arguments.sealed.clone()));
    // The servers outlive the parts: a standby must be seen as healthy to the very end.
    let served = Shutdown::new();
    listen(&arguments, sealed.as_ref(), &context, &served).await?;
    let result = lead(arguments, sealed, &context, connection.unpaced).await;
    served.request();
    info!("ends");
    result
}

async fn listen(
    arguments: &Arguments,
    sealed: Option<&sealed::Part>,
    context: &Context,
    served: &Shutdown,
) -> Result<(), RunError> {
    let routes = sealed.map_or_else(Router::new, sealed::Part::routes);
    let public = serve::public(
        Ready {
            sealed: sealed.map(sealed::Part::keys),
        },
        routes,
    );
    let serving = &arguments.serving;
    let public = serve::bounded(public, serving.longest());
    serve::listen(serving.listen_addr, "--listen-addr", public, served.clone()).await?;
    let metrics = serve::metrics(context.metrics.clone());
    let address = serving.listen_metrics_addr;
    serve::listen(address, "--listen-metrics-addr", metrics, served.clone()).await?;
    Ok(())
}

/// Campaigns, and runs the parts while leading.
async fn lead(
    arguments: Arguments,
    sealed: Option<sealed::Part>,
    context: &Context,
    unpaced: client::Client,
) -> Result<(), RunError> {
    let resigned = Shutdown::new();
    let me = identity();
    let campaign = lease::campaign(context, unpaced.clone(), LEASE, &me, resigned.clone());
    let Ok(leadership) = campaign.await else {
        return Ok(());
    };
    let leads = part::Leads {
        context,
        client: &unpaced,
        identity: &me,
    };
    let parts = part::run_all(arguments, sealed, &leads);
    let patience = async {
        context.shutdown.requested().await;
        tokio::time::sleep(DRAIN).await;
    };
    let result = tokio::select! {
        result = parts => result.map_err(RunError::from),
        () = leadership.lost() => return Err(RunError::LeaseLost),
        () = patience => {
            warn!("a part did not finish in time; what it left is done by the next leader");
            Ok(())
        }
    };
    resigned.request();
    leadership.resign().await;
    result
}

/// Ready means that callers of the Service get what they come for: the certificate.
#[derive(Clone)]
struct Ready {
    sealed: Option<sealed::Keys>,
}

impl serve::Readiness for Ready {
    fn missing(&self) -> Option<String> {
        match &self.sealed {
            Some(keys) if !keys.has_certificate() => Some("no sealing key yet".to_owned()),
            _ => None,
        }
    }
}

/// A name for this process that no other has: the host (a pod's name) and a random number.
fn identity() -> String {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned());
    let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|_| "controller".to_owned());
    let unique =
        read("/proc/sys/kernel/random/uuid").unwrap_or_else(|_| std::process::id().to_string());
    format!("{host}_{unique}")
}

/// SIGTERM and SIGINT ask for the end.
fn watch_signals(shutdown: Shutdown) -> Result<(), std::io::Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("was asked to end");
        shutdown.request();
    });
    Ok(())
}
