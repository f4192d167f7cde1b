//! The part as a whole: what it needs, and its two controllers side by side.

use std::{sync::Arc, time::Duration};

use crds::{git_repository::GitRepository, kustomization::Kustomization};
use kit::{Context, Namespaces, Stopped, exec, presence};
use kube::runtime::reflector::Store;
use tracing::{info, warn};

use crate::{
    Arguments,
    git::{Git, Repositories},
    git_repository::{self, Fetching},
    kustomization::{self, Applying, Parts, Policy},
    render::kustomize::Kustomize,
    room::Room,
    sources::Sources,
    wake::Wake,
};

/// Delivers until the shutdown: fetches GitRepositories and applies Kustomizations.
///
/// What is missing (a kind, a right, `git`) is said once, and the part starts when it is there.
pub async fn run(context: Context, arguments: Arguments) {
    // Stopped means that the process ends, which is what the caller waits for.
    let _ = run_until_stopped(&context, &arguments).await;
}

async fn run_until_stopped(context: &Context, arguments: &Arguments) -> Result<(), Stopped> {
    let git = wait_for_git(context).await?;
    presence::served::<GitRepository>(context, FEATURE, &Namespaces::All).await?;
    presence::served::<Kustomization>(context, FEATURE, &Namespaces::All).await?;
    let room = match Room::open(arguments.repositories.as_deref()) {
        Ok(room) => room,
        Err(error) => return off(context, &error).await,
    };
    match Repositories::new(git, room.path()) {
        Ok(repositories) => deliver(context, arguments, Arc::new(repositories)).await,
        Err(error) => return off(context, &error).await,
    }
    Ok(())
}

async fn deliver(context: &Context, arguments: &Arguments, repositories: Arc<Repositories>) {
    let (git_repositories, git_repository_store, repositories_listed) =
        git_repository::controller(&context.client);
    let (kustomizations, kustomization_store) = kustomization::controller(&context.client);
    let sources = Arc::new(Sources::default());
    let wake = Wake::default();
    let fetching = Arc::new(Fetching::new(
        context,
        repositories,
        Arc::clone(&sources),
        kustomization_store.clone(),
        wake.clone(),
    ));
    let policy = Policy {
        across_namespaces: !arguments.no_cross_namespace_refs,
        default_service_account: arguments.default_service_account.clone(),
    };
    let parts = Parts {
        sources,
        repositories: git_repository_store.clone(),
        repositories_listed,
        kustomizations: kustomization_store,
        wake,
        kustomize: find_kustomize(arguments),
    };
    let applying = Arc::new(Applying::new(context, policy, parts));
    let concurrency = arguments.delivery_concurrent;
    tokio::join!(
        git_repository::run(
            git_repositories,
            Arc::clone(&fetching),
            context,
            concurrency
        ),
        kustomization::run(kustomizations, Arc::clone(&applying), context, concurrency),
        sweep(context, &fetching, &applying, &git_repository_store),
    );
}

/// Forgets, now and then, what belongs to objects that are gone.
async fn sweep(
    context: &Context,
    fetching: &Fetching,
    applying: &Applying,
    store: &Store<GitRepository>,
) {
    while context.shutdown.or(tokio::time::sleep(SWEEP)).await.is_ok() {
        fetching.sweep(store);
        applying.sweep();
    }
}

async fn wait_for_git(context: &Context) -> Result<Git, Stopped> {
    let mut said = false;
    loop {
        match Git::find().await {
            Ok(git) => return Ok(git),
            Err(error) => {
                if !std::mem::replace(&mut said, true) {
                    warn!(error = %error, "delivery is off; it starts when git is there");
                }
            }
        }
        context.shutdown.or(tokio::time::sleep(LOOK_AGAIN)).await?;
    }
}

/// Says why there is nothing to keep repositories in, and waits for the end.
async fn off(context: &Context, error: &(dyn std::error::Error + Sync)) -> Result<(), Stopped> {
    let error = kit::redact::with_sources(error);
    warn!(
        error,
        "delivery is off: repositories cannot be kept (name a directory with --repositories)"
    );
    context.shutdown.requested().await;
    Err(Stopped)
}

/// As the flag says, else beside ourselves, else on the `PATH`.
fn find_kustomize(arguments: &Arguments) -> Option<Kustomize> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        let candidate = own.parent()?.join(KUSTOMIZE);
        candidate.is_file().then_some(candidate)
    };
    let program = arguments
        .kustomize
        .clone()
        .or_else(beside)
        .or_else(|| exec::find(KUSTOMIZE));
    match &program {
        Some(program) => info!(program = %program.display(), "kustomize is at hand"),
        None => warn!(
            "{KUSTOMIZE} was not found (flag --kustomize): directories with a kustomization file fail, plain ones work"
        ),
    }
    program.map(Kustomize::new)
}

const FEATURE: &str = "delivery";
const KUSTOMIZE: &str = "signet-kustomize";

/// How often we look whether `git` was installed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How often we look what can be forgotten. Long enough that all repositories in use have been asked for after a start.
const SWEEP: Duration = Duration::from_secs(1_800);
