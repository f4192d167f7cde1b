//! What is said about a GitRepository. Pure.

use crds::{
    flux::{REASON_SUCCEEDED, REQUESTED_AT},
    git_repository::{
        ARTIFACT_IN_STORAGE, ARTIFACT_OUTDATED, Artifact, FETCH_FAILED, GitRepository,
        GitRepositoryStatus, STORAGE_OPERATION_FAILED,
    },
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;

use super::plan::FetchFailure;
use crate::{conditions::Conditions, sources::Revision};

/// The status after an attempt.
pub(super) fn status(
    repository: &GitRepository,
    outcome: Result<&Revision, &FetchFailure>,
    own_namespace: &str,
    now: Timestamp,
) -> GitRepositoryStatus {
    let mut status = repository.status.clone().unwrap_or_default();
    let generation = repository.metadata.generation;
    if let Some(requested) = repository.annotations().get(REQUESTED_AT) {
        status.last_handled_reconcile_at.clone_from(requested);
    }
    let mut conditions = Conditions::from(&status.conditions, generation, now);
    match outcome {
        Ok(fetched) => {
            let message = format!("stored artifact for revision '{}'", fetched.name);
            let artifact = artifact(repository, fetched, own_namespace, now);
            status.artifact = Some(artifact);
            status.observed_ignore.clone_from(&repository.spec.ignore);
            status.observed_generation = generation;
            conditions.remove(FETCH_FAILED);
            conditions.remove(ARTIFACT_OUTDATED);
            conditions.remove(STORAGE_OPERATION_FAILED);
            conditions.set(ARTIFACT_IN_STORAGE, true, REASON_SUCCEEDED, &message);
            conditions.ready(REASON_SUCCEEDED, &message);
        }
        Err(failure) => {
            let message = failure.to_string();
            conditions.set(FETCH_FAILED, true, failure.reason(), &message);
            if failure.is_stalled() {
                status.observed_generation = generation;
                conditions.stalled(failure.reason(), &message);
            } else {
                conditions.failed(failure.reason(), &message);
            }
        }
    }
    status.conditions = conditions.into_list();
    status
}

/// The artifact as other tools read it. Until the archive is served, its URL is where Flux's source-controller would serve
/// it; nothing of ours reads it.
fn artifact(
    repository: &GitRepository,
    fetched: &Revision,
    own_namespace: &str,
    now: Timestamp,
) -> Artifact {
    let namespace = repository.namespace().unwrap_or_default();
    let path = format!(
        "gitrepository/{namespace}/{}/{}.tar.gz",
        repository.name_any(),
        fetched.commit
    );
    let old = repository
        .status
        .as_ref()
        .and_then(|status| status.artifact.as_ref());
    let same = old.filter(|old| old.revision == fetched.name && old.digest == fetched.digest);
    Artifact {
        url: format!("http://source-controller.{own_namespace}.svc.cluster.local./{path}"),
        path,
        revision: fetched.name.clone(),
        digest: fetched.digest.clone(),
        last_update_time: same.map_or_else(|| Time(now), |old| old.last_update_time.clone()),
        size: i64::try_from(fetched.size).ok(),
        metadata: old.map(|old| old.metadata.clone()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        conditions::find,
        git::{GitError, Oid, UrlError},
    };

    fn repository() -> GitRepository {
        serde_json::from_value(json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": {"name": "apps", "namespace": "flux-system", "generation": 3,
                "annotations": {"reconcile.fluxcd.io/requestedAt": "now"}},
            "spec": {"url": "https://h/x", "interval": "1m"},
        }))
        .unwrap()
    }

    fn revision(digit: &str) -> Revision {
        let commit = Oid::parse(&digit.repeat(40)).unwrap();
        Revision {
            name: format!("main@sha1:{commit}"),
            commit,
            digest: format!("sha256:{digit}"),
            size: 7,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_new_revision_is_ready_with_its_artifact() {
        let status = status(&repository(), Ok(&revision("a")), "signet", at(5));
        let artifact = status.artifact.as_ref().unwrap();
        let commit = "a".repeat(40);
        assert_eq!(
            artifact.path,
            format!("gitrepository/flux-system/apps/{commit}.tar.gz")
        );
        assert_eq!(artifact.revision, format!("main@sha1:{commit}"));
        assert_eq!(artifact.last_update_time, Time(at(5)));
        assert_eq!(
            (
                status.observed_generation,
                status.last_handled_reconcile_at.as_str()
            ),
            (Some(3), "now")
        );
        let ready = find(&status.conditions, "Ready").unwrap();
        assert_eq!(
            (ready.status.as_str(), ready.reason.as_str()),
            ("True", "Succeeded")
        );
        assert_eq!(
            ready.message,
            format!("stored artifact for revision 'main@sha1:{commit}'")
        );
        assert!(find(&status.conditions, "ArtifactInStorage").is_some());
    }

    #[test]
    fn nothing_new_changes_nothing() {
        let mut repository = repository();
        let first = status(&repository, Ok(&revision("a")), "signet", at(5));
        repository.status = Some(first.clone());
        assert_eq!(
            status(&repository, Ok(&revision("a")), "signet", at(9)),
            first
        );
        let newer = status(&repository, Ok(&revision("b")), "signet", at(9));
        assert_eq!(newer.artifact.unwrap().last_update_time, Time(at(9)));
    }

    #[test]
    fn a_failure_keeps_the_artifact_and_does_not_claim_the_generation() {
        let mut repository = repository();
        repository.status = Some(status(&repository, Ok(&revision("a")), "signet", at(5)));
        repository.metadata.generation = Some(4);
        let failure = FetchFailure::Git(GitError::Authentication {
            url: "https://h/x".into(),
            said: "no".into(),
        });
        let failed = status(&repository, Err(&failure), "signet", at(9));
        assert!(failed.artifact.is_some());
        assert_eq!(failed.observed_generation, Some(3));
        let words = |kind: &str| {
            find(&failed.conditions, kind).map(|c| (c.status.clone(), c.reason.clone()))
        };
        let refused = Some(("False".to_owned(), "GitOperationFailed".to_owned()));
        assert_eq!(words("Ready"), refused);
        assert_eq!(
            words("FetchFailed"),
            Some(("True".to_owned(), "GitOperationFailed".to_owned()))
        );
        assert_eq!(
            words("Reconciling"),
            Some(("True".to_owned(), "ProgressingWithRetry".to_owned()))
        );
        repository.status = Some(failed);
        let ready = status(&repository, Ok(&revision("a")), "signet", at(10));
        assert!(
            find(&ready.conditions, "FetchFailed").is_none()
                && find(&ready.conditions, "Reconciling").is_none()
        );
    }

    #[test]
    fn what_cannot_be_mended_by_trying_again_is_stalled() {
        let stalled = status(
            &repository(),
            Err(&FetchFailure::Url(UrlError::Scheme)),
            "signet",
            at(1),
        );
        assert_eq!(stalled.observed_generation, Some(3));
        assert_eq!(
            find(&stalled.conditions, "Stalled").unwrap().reason,
            "URLInvalid"
        );
        assert!(find(&stalled.conditions, "Reconciling").is_none());
    }
}
