//! Whether other Kustomizations of a source may still want what one does not want any more.

use std::{sync::PoisonError, time::Duration};

use crds::{flux::STALLED, kustomization::Kustomization};
use kube::ResourceExt as _;

use super::watch::Applying;
use crate::{conditions::find, owner::Owner};

impl Applying {
    /// Kustomizations of the same source that have not tried this revision, and will.
    pub(super) fn siblings_behind(&self, object: &Kustomization, revision: &str) -> bool {
        let source = |object: &Kustomization| {
            let reference = &object.spec.source_ref;
            let own = object.namespace().unwrap_or_default();
            let namespace = if reference.namespace.is_empty() {
                own
            } else {
                reference.namespace.clone()
            };
            (reference.kind.clone(), reference.name.clone(), namespace)
        };
        let ours = source(object);
        let behind = self.parts.kustomizations.state().iter().any(|other| {
            let status = self.statuses.newest(&other.metadata, other.status.as_ref());
            other.uid() != object.uid()
                && !other.spec.suspend
                && other.metadata.deletion_timestamp.is_none()
                && source(other) == ours
                && status.last_attempted_revision != revision
                && find(&status.conditions, STALLED).is_none()
        });
        behind && self.may_wait(object, revision)
    }

    /// Whether deleting may still be put off: a sibling that never tries its revision must not hold it up for ever.
    fn may_wait(&self, object: &Kustomization, revision: &str) -> bool {
        let now = tokio::time::Instant::now();
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        waits.retain(|_, (_, since)| now.duration_since(*since) < LONGEST_SIBLING_WAIT * 10);
        let (waited_for, since) = waits
            .entry(Owner::of(object))
            .or_insert_with(|| (revision.to_owned(), now));
        if waited_for != revision {
            (*waited_for, *since) = (revision.to_owned(), now);
        }
        now.duration_since(*since) < LONGEST_SIBLING_WAIT
    }
}

/// How long the siblings may take.
const LONGEST_SIBLING_WAIT: Duration = Duration::from_secs(30);
