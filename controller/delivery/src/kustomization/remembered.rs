//! What was written, in this process and in earlier ones, and whether it is still so.

use std::time::Duration;

use crds::kustomization::{KustomizationStatus, Written};
use jiff::Timestamp;

use super::{plan, watch::Applying, work::Work};
use crate::{
    cluster::{Fingerprint, Known, State},
    inventory::{Inventory, ObjectId},
    owner::Owner,
};

impl Applying {
    /// What an earlier process wrote is remembered in the status; the watches show whether it is still so.
    pub(super) async fn recall(
        &self,
        owner: &Owner,
        status: &KustomizationStatus,
        recorded: &Inventory,
    ) {
        let Some(written) = &status.written else {
            return;
        };
        let mut kinds = Vec::new();
        for id in recorded.ids() {
            let kind = (id.group.clone(), id.kind.clone());
            if kinds.contains(&kind) {
                continue;
            }
            let version = recorded.version(id).unwrap_or_default();
            if let Ok(Some(served)) = self.kinds.find_in_group(&id.group, version, &id.kind).await {
                self.watched.watch(&served);
            }
            kinds.push(kind);
        }
        for id in recorded.ids() {
            let Some(fingerprint) = written.objects.get(&id.to_string()) else {
                continue;
            };
            if self.watched.known(id).is_none() {
                let fingerprint = Fingerprint::stored(fingerprint);
                self.watched.left(
                    id,
                    Known {
                        owner: owner.clone(),
                        desired: None,
                        fingerprint,
                        version: 0,
                    },
                );
            }
        }
        self.watched.synced(kinds).await;
    }

    /// Whether everything is as the last attempt left it and that was right. The inner value is the time for which the change
    /// of a rival is left as it is.
    pub(super) fn nothing_to_do(
        &self,
        work: &Work<'_>,
        status: &KustomizationStatus,
        key: &str,
    ) -> Option<Option<Duration>> {
        let same = status
            .written
            .as_ref()
            .is_some_and(|written| written.render.as_deref() == Some(key));
        if !same || work.look_at_all {
            return None;
        }
        let now = Timestamp::now();
        let mut held_for: Option<Duration> = None;
        for id in work.recorded.ids() {
            let rival = match self.watched.state(id, &work.owner) {
                State::AsLeft(_) => continue,
                State::Changed(rival) => rival,
                State::Gone => plan::DELETER.to_owned(),
                State::Unknown => return None,
            };
            let patience = self.fights.patience(id, &rival, work.demand.interval, now);
            if patience.is_zero() {
                return None;
            }
            held_for = Some(held_for.map_or(patience, |shortest| shortest.min(patience)));
        }
        Some(held_for)
    }

    pub(super) fn written(&self, owner: &Owner, key: String, inventory: &Inventory) -> Written {
        let known = |id: &ObjectId| self.watched.known(id).filter(|known| known.owner == *owner);
        let objects = inventory
            .ids()
            .filter_map(|id| Some((id.to_string(), known(id)?.fingerprint.to_string())));
        Written {
            render: Some(key),
            objects: objects.collect(),
        }
    }
}
