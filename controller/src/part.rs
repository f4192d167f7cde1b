//! Running the parts side by side, and noticing when one ends that should not.

use kit::Context;
use tokio::task::JoinSet;
use tracing::info;

use crate::arguments::{Arguments, Part};

/// A part ended though nobody had asked it to.
#[derive(Debug, thiserror::Error)]
#[error(
    "the part {part} ended by itself; this is a bug, please report it with the lines before this one"
)]
pub(crate) struct Ended {
    part: &'static str,
}

/// Runs all parts until the shutdown.
///
/// # Errors
/// [`Ended`] when one ended, or panicked, before: the process has to end too, so that what starts
/// it can start it anew.
pub(crate) async fn run_all(
    arguments: Arguments,
    sealed: Option<sealed::Part>,
    context: &Context,
) -> Result<(), Ended> {
    let mut running = JoinSet::new();
    if let Some(sealed) = sealed {
        start(&mut running, Part::Sealed, sealed.run());
    }
    if arguments.parts.contains(Part::External) {
        let part = external::run(context.clone(), arguments.external);
        start(&mut running, Part::External, part);
    }
    if arguments.parts.contains(Part::Delivery) {
        let part = delivery::run(context.clone(), arguments.delivery);
        start(&mut running, Part::Delivery, part);
    }
    if arguments.parts.contains(Part::Restart) {
        start(&mut running, Part::Restart, restart::run(context.clone()));
    }
    while let Some(ended) = running.join_next().await {
        if context.shutdown.is_requested() {
            continue;
        }
        let part = ended.unwrap_or("unknown");
        return Err(Ended { part });
    }
    Ok(())
}

fn start(
    running: &mut JoinSet<&'static str>,
    part: Part,
    work: impl Future<Output = ()> + Send + 'static,
) {
    running.spawn(async move {
        info!(part = part.name(), "starts");
        work.await;
        part.name()
    });
}
