//! Fetching.

use std::sync::Arc;

use super::plan::{FetchFailure, Plan};
use crate::{
    git::Repositories,
    sources::{Fetched, Revision},
    tree::Snapshot,
};

/// Proves our access, and fetches what is new. `before` is given back if it is still the newest.
///
/// # Errors
/// [`FetchFailure`], of the server or of the files.
pub(super) async fn fetch(
    repositories: &Repositories,
    plan: &Plan,
    ignore: Option<&str>,
    before: Option<Arc<Fetched>>,
) -> Result<Arc<Fetched>, FetchFailure> {
    let repository = repositories.repository(&plan.url, &plan.identity);
    let (chosen, commit) = repository
        .update(&plan.url, &plan.credentials, &plan.reference, plan.timeout)
        .await?;
    let name = chosen.revision(commit);
    if let Some(before) = before
        && before.revision.name == name
        && before.ignore.as_deref() == ignore
        && Arc::ptr_eq(&before.repository, &repository)
    {
        return Ok(before);
    }
    let listed = repository.list(commit).await?;
    let snapshot = Snapshot::new(listed, ignore, repository.as_ref()).await?;
    let revision = Revision {
        name,
        commit,
        digest: snapshot.digest(),
        size: snapshot.size(),
    };
    Ok(Arc::new(Fetched {
        revision,
        snapshot,
        repository,
        ignore: ignore.map(str::to_owned),
    }))
}
