//! Waiting until what was applied is healthy, without holding a worker: a look, and the watches say when to look again.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crds::kustomization::{self as names, KustomizationSpec};
use futures::{StreamExt as _, stream};
use kube::{Client, core::params::GetParams};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::failure::ApplyFailure;
use crate::{
    cluster::{Kinds, Live, Watched},
    health::{Health, health},
    inventory::{Inventory, ObjectId},
    owner::Owner,
};

/// Since when each Kustomization waits, and what was seen last.
#[derive(Default)]
pub(super) struct Waiting {
    since: Mutex<HashMap<Owner, (String, Instant)>>,
    /// With the version of the object that it was seen on: the same version is not asked for again.
    seen: Mutex<HashMap<ObjectId, (u64, Health)>>,
}

/// What a look at the health came to.
#[derive(Debug)]
pub(super) enum Look {
    /// Everything is as it should be.
    Healthy,
    /// Not yet; look again at the latest then.
    Wait { again: Duration, pending: usize },
    /// It failed, or took too long.
    Failed(ApplyFailure),
}

/// An object whose health matters, with the version of its API.
type Checked = (ObjectId, String);

/// Who looks, and with what.
pub(super) struct Eyes<'a> {
    pub(super) client: &'a Client,
    pub(super) kinds: &'a Kinds,
    pub(super) watched: &'a Watched,
    pub(super) owner: &'a Owner,
}

/// The objects whose health the spec asks for: all that were applied, or those that it lists.
pub(super) fn checked(
    spec: &KustomizationSpec,
    namespace: &str,
    inventory: &Inventory,
) -> Vec<Checked> {
    if spec.wait {
        let all = inventory.ids().map(|id| {
            (
                id.clone(),
                inventory.version(id).unwrap_or_default().to_owned(),
            )
        });
        return all.collect();
    }
    let listed = spec.health_checks.iter().map(|check| {
        let api_version = if check.api_version.is_empty() {
            "apps/v1"
        } else {
            &check.api_version
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let id = ObjectId {
            namespace: if check.namespace.is_empty() {
                namespace.to_owned()
            } else {
                check.namespace.clone()
            },
            name: check.name.clone(),
            group: group.to_owned(),
            kind: check.kind.clone(),
        };
        (id, version.to_owned())
    });
    listed.collect()
}

impl Waiting {
    /// Looks at the health of `checked`. `attempt` names what is waited for: another one starts the time anew.
    pub(super) async fn look(
        &self,
        eyes: &Eyes<'_>,
        checked: Vec<Checked>,
        attempt: &str,
        timeout: Duration,
    ) -> Look {
        let since = self.since(eyes.owner, attempt);
        let ids: Vec<ObjectId> = checked.iter().map(|(id, _)| id.clone()).collect();
        let found: Vec<(ObjectId, Health, bool)> = stream::iter(checked)
            .map(async |(id, version)| self.health_of(eyes, id, &version).await)
            .buffered(SIDE_BY_SIDE)
            .collect()
            .await;
        let pending: Vec<&(ObjectId, Health, bool)> = found
            .iter()
            .filter(|(_, health, _)| *health != Health::Current)
            .collect();
        if pending.is_empty() {
            eyes.watched.wait_for(eyes.owner, Vec::new());
            self.forget_seen(&ids);
            return Look::Healthy;
        }
        let waits = pending.iter().map(|(id, ..)| id.clone()).collect();
        eyes.watched.wait_for(eyes.owner, waits);
        let failed: Vec<_> = pending
            .iter()
            .filter(|(_, health, _)| *health == Health::Failed)
            .collect();
        if !failed.is_empty() {
            let list = listed(failed.into_iter().copied());
            return Look::Failed(ApplyFailure::Health(format!(
                "failed early due to stalled resources: [{list}]"
            )));
        }
        let Some(left) = timeout
            .checked_sub(since.elapsed())
            .filter(|left| !left.is_zero())
        else {
            let list = listed(pending.into_iter());
            return Look::Failed(ApplyFailure::Health(format!(
                "timeout waiting for: [{list}]"
            )));
        };
        let all_watched = pending.iter().all(|(_, _, is_watched)| *is_watched);
        let again = if all_watched {
            left
        } else {
            left.min(UNWATCHED)
        };
        Look::Wait {
            again,
            pending: pending.len(),
        }
    }

    /// How long the Kustomization has waited for its newest attempt.
    pub(super) fn waited(&self, owner: &Owner) -> Duration {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        since
            .get(owner)
            .map_or(Duration::ZERO, |(_, since)| since.elapsed())
    }

    /// The Kustomization is gone.
    pub(super) fn forget(&self, owner: &Owner) {
        self.since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(owner);
    }

    fn since(&self, owner: &Owner, attempt: &str) -> Instant {
        let mut all = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (name, since) = all
            .entry(owner.clone())
            .or_insert_with(|| (attempt.to_owned(), now));
        if name != attempt {
            (*name, *since) = (attempt.to_owned(), now);
        }
        *since
    }

    /// What is healthy now is looked at anew another time.
    fn forget_seen(&self, ids: &[ObjectId]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() > MOST_SEEN {
            seen.retain(|id, _| !ids.contains(id));
        }
    }

    /// The health of one object, and whether a watch will tell of its changes.
    async fn health_of(
        &self,
        eyes: &Eyes<'_>,
        id: ObjectId,
        version: &str,
    ) -> (ObjectId, Health, bool) {
        let shown = eyes.watched.version(&id);
        let known = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)
            .copied();
        if let (Some(shown), Some((seen, health))) = (shown, known)
            && shown == seen
        {
            return (id, health, true);
        }
        let (health, version) = look_at(eyes, &id, version).await;
        if let Some(version) = version {
            self.seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(id.clone(), (version, health));
        }
        (id, health, shown.is_some())
    }
}

/// Asks the API server. What cannot be read is not healthy yet.
async fn look_at(eyes: &Eyes<'_>, id: &ObjectId, version: &str) -> (Health, Option<u64>) {
    let not_yet = (Health::InProgress, None);
    if !id.is_addressable() {
        return not_yet;
    }
    let Ok(Some(served)) = eyes.kinds.find_in_group(&id.group, version, &id.kind).await else {
        return not_yet;
    };
    let Ok(request) = served
        .request(&id.namespace)
        .get(&id.name, &GetParams::default())
    else {
        return not_yet;
    };
    let Ok(value) = eyes.client.request::<Map<String, Value>>(request).await else {
        return not_yet;
    };
    let live = Live::new(value);
    let skipped = live.says(names::RECONCILE, crds::flux::DISABLED)
        || live.says(names::SSA, names::SSA_IGNORE);
    let version = Some(live.version());
    if skipped {
        return (Health::Current, version);
    }
    (health(&Value::Object(live.value)), version)
}

fn listed<'a>(objects: impl Iterator<Item = &'a (ObjectId, Health, bool)>) -> String {
    let all: Vec<String> = objects
        .map(|(id, health, _)| format!("{} status: '{}'", id.subject(), health.name()))
        .collect();
    let more = all.len().saturating_sub(MOST_LISTED);
    let text = all
        .into_iter()
        .take(MOST_LISTED)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        format!("{text}, and {more} more")
    } else {
        text
    }
}

/// Objects that are asked for at the same time.
const SIDE_BY_SIDE: usize = 8;

/// How often an object is looked at that no watch of ours shows.
const UNWATCHED: Duration = Duration::from_secs(2);

const MOST_LISTED: usize = 10;

/// Healths that are remembered.
const MOST_SEEN: usize = 20_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wait_checks_all_and_otherwise_the_list_counts() {
        let inventory: Inventory = [("shop_web_apps_Deployment".parse().unwrap(), "v1".to_owned())]
            .into_iter()
            .collect();
        let spec = |value: Value| -> KustomizationSpec { serde_json::from_value(value).unwrap() };
        let subjects = |spec: KustomizationSpec| -> Vec<String> {
            checked(&spec, "flux-system", &inventory)
                .into_iter()
                .map(|(id, version)| format!("{id} {version}"))
                .collect()
        };
        let checks = json!([
            {"kind": "Deployment", "name": "api"},
            {"apiVersion": "v1", "kind": "Service", "name": "api", "namespace": "shop"},
        ]);
        assert_eq!(
            subjects(spec(json!({"healthChecks": checks}))),
            ["flux-system_api_apps_Deployment v1", "shop_api__Service v1"]
        );
        assert_eq!(
            subjects(spec(json!({"wait": true, "healthChecks": checks}))),
            ["shop_web_apps_Deployment v1"]
        );
        assert!(subjects(spec(json!({}))).is_empty());
    }
}
