//! Running the parts side by side, and noticing when one ends that should not.

use kit::{Context, Shutdown, client::Client};
use tokio::task::JoinSet;
use tracing::info;

use crate::{
    arguments::{Arguments, Part},
    incumbents, unelected,
};

/// A part ended though nobody had asked it to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Ended {
    #[error(
        "the part {0} ended by itself; this is a bug, please report it with the lines before this one"
    )]
    ByItself(&'static str),
    #[error("the part {0} lost the Lease of its incumbent, which may write now")]
    LeaseLost(&'static str),
}

/// What a leader has for its parts.
pub(crate) struct Leads<'a> {
    pub(crate) context: &'a Context,
    /// A client that waits for no other.
    pub(crate) client: &'a Client,
    /// Our name as a holder of Leases.
    pub(crate) identity: &'a str,
}

/// Runs all parts until the shutdown.
///
/// # Errors
/// [`Ended`] when one ended, or panicked, before: the process has to end too, so that what starts
/// it can start it anew.
pub(crate) async fn run_all(
    arguments: Arguments,
    sealed: Option<sealed::Part>,
    leads: &Leads<'_>,
) -> Result<(), Ended> {
    let context = leads.context;
    let mut running = JoinSet::new();
    if let Some(sealed) = sealed {
        start(&mut running, leads, Part::Sealed, sealed.run());
    }
    if arguments.parts.contains(Part::External) {
        let part = external::run(context.clone(), arguments.external);
        start(&mut running, leads, Part::External, part);
    }
    if arguments.parts.contains(Part::Delivery) {
        let part = delivery::run(context.clone(), arguments.delivery);
        start(&mut running, leads, Part::Delivery, part);
    }
    if arguments.parts.contains(Part::Restart) {
        start(
            &mut running,
            leads,
            Part::Restart,
            restart::run(context.clone()),
        );
    }
    while let Some(ended) = running.join_next().await {
        if context.shutdown.is_requested() {
            continue;
        }
        return Err(ended.unwrap_or(Ended::ByItself("unknown")));
    }
    Ok(())
}

fn start(
    running: &mut JoinSet<Ended>,
    leads: &Leads<'_>,
    part: Part,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let (context, client) = (leads.context.clone(), leads.client.clone());
    let identity = leads.identity.to_owned();
    running.spawn(async move {
        let resigned = Shutdown::new();
        let holding = incumbents::hold(part, &context, &client, &identity, &resigned);
        let Ok(held) = holding.await else {
            return Ended::ByItself(part.name());
        };
        info!(part = part.name(), "starts");
        tokio::select! {
            () = work => {}
            () = held.lost() => return Ended::LeaseLost(part.name()),
            never = unelected::watch(part, &context, &client) => match never {},
        }
        resigned.request();
        held.resign().await;
        Ended::ByItself(part.name())
    });
}
