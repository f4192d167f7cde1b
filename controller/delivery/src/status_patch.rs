//! Writing a status as a merge patch of what changed.
//!
//! A patch and not a PUT, because a delivery takes a while, and a label that somebody puts on the object meanwhile must not
//! cost it its outcome.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{
    Client, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
    core::Request,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tracing::warn;

/// Writes the statuses of one kind, and remembers them: the watch shows a write only after a while, and until then an older
/// status would be taken for the newest.
pub(crate) struct Statuses<S> {
    client: Client,
    field_manager: &'static str,
    /// By uid: the resourceVersion as a number, and the status.
    written: Mutex<HashMap<String, (u64, S)>>,
    /// Whether it was said that the installed CRD drops what we remember.
    said_pruned: AtomicBool,
}

impl<S: Serialize + DeserializeOwned + Default + Clone> Statuses<S> {
    /// Nothing is written yet.
    pub(crate) fn new(client: Client, field_manager: &'static str) -> Self {
        Self {
            client,
            field_manager,
            written: Mutex::default(),
            said_pruned: AtomicBool::new(false),
        }
    }

    /// The newest status of an object that a watch showed: that one, or what we wrote since.
    pub(crate) fn newest(&self, metadata: &ObjectMeta, shown: Option<&S>) -> S {
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = metadata.uid.as_ref().and_then(|uid| written.get(uid));
        match ours {
            Some((version, status)) if *version > version_of(metadata) => status.clone(),
            _ => shown.cloned().unwrap_or_default(),
        }
    }

    /// Writes what is different in `after`, if anything is. An object that is gone meanwhile is no error.
    ///
    /// # Errors
    /// What the API server says.
    pub(crate) async fn write<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        before: &S,
        after: &S,
    ) -> Result<(), kube::Error> {
        let as_json = |status: &S| serde_json::to_value(status).map_err(kube::Error::SerdeError);
        let Some(status) = difference(&as_json(before)?, &as_json(after)?) else {
            return Ok(());
        };
        // The uid makes a patch of another object of the same name a conflict.
        let patched = json!({"status": status});
        let patch = json!({"metadata": {"uid": object.meta().uid}, "status": patched["status"]});
        let parameters = PatchParams {
            field_manager: Some(self.field_manager.to_owned()),
            ..PatchParams::default()
        };
        let request = Request::new(K::url_path(&(), object.namespace().as_deref()))
            .patch_subresource(
                "status",
                &object.name_any(),
                &parameters,
                &Patch::Merge(patch),
            )
            .map_err(kube::Error::BuildRequest)?;
        match self.client.request::<Value>(request).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error),
            Ok(answer) => {
                self.say_if_pruned(K::kind(&()).as_ref(), &patched, &answer);
                self.remember(&answer, object.meta());
                Ok(())
            }
        }
    }

    /// Forgets an object that is gone.
    pub(crate) fn forget(&self, metadata: &ObjectMeta) {
        if let Some(uid) = &metadata.uid {
            self.written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(uid);
        }
    }

    /// Forgets all objects but these.
    pub(crate) fn retain(&self, uids: &std::collections::HashSet<String>) {
        self.written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|uid, _| uids.contains(uid));
    }

    /// Flux's own CRD does not know [`WRITTEN`]. Said once, because it cannot be mended from here.
    fn say_if_pruned(&self, kind: &str, sent: &Value, taken: &Value) {
        if is_pruned(sent, taken) && !self.said_pruned.swap(true, Ordering::Relaxed) {
            warn!(
                kind,
                "the installed CRD drops status.written: everything works, but every look compares all objects \
                 with the API server again; our CRD keeps it"
            );
        }
    }

    fn remember(&self, answer: &Value, metadata: &ObjectMeta) {
        let version = answer
            .pointer("/metadata/resourceVersion")
            .and_then(Value::as_str);
        let version = version
            .and_then(|version| version.parse().ok())
            .unwrap_or_default();
        let status = answer.get("status").cloned().unwrap_or_default();
        if let (Some(uid), Ok(status)) = (&metadata.uid, serde_json::from_value(status)) {
            self.written
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(uid.clone(), (version, status));
        }
    }
}

fn version_of(metadata: &ObjectMeta) -> u64 {
    let version = metadata.resource_version.as_deref();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or_default()
}

/// Whether what we remember was sent and did not stay.
fn is_pruned(sent: &Value, taken: &Value) -> bool {
    let remembers = |object: &Value| {
        object
            .pointer(WRITTEN)
            .is_some_and(|value| !value.is_null())
    };
    remembers(sent) && !remembers(taken)
}

/// RFC 7396: what turns `before` into `after`, or `None` if they are equal. Lists are replaced whole.
fn difference(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Some(after.clone());
    };
    let mut patch = Map::new();
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in after {
        match before.get(key) {
            Some(old) => {
                if let Some(inner) = difference(old, value) {
                    patch.insert(key.clone(), inner);
                }
            }
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    Some(Value::Object(patch))
}

/// What is ours in the status of an incumbent's kind.
const WRITTEN: &str = "/status/written";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_lost_what_we_remember_was_pruned() {
        let (ours, theirs) = (
            json!({"status": {"written": {"a": 1}}}),
            json!({"status": {"b": 1}}),
        );
        assert!(is_pruned(&ours, &theirs));
        assert!(!is_pruned(&ours, &ours) && !is_pruned(&theirs, &theirs));
        assert!(!is_pruned(&json!({"status": {"written": null}}), &theirs));
    }

    #[test]
    fn only_what_changed_is_in_the_patch() {
        let before = json!({"a": 1, "b": {"c": 1, "d": [1]}, "gone": "x"});
        let after = json!({"a": 1, "b": {"c": 2, "d": [1, 2]}, "new": {"e": 1}});
        let patch = json!({"gone": null, "b": {"c": 2, "d": [1, 2]}, "new": {"e": 1}});
        assert_eq!(difference(&before, &after), Some(patch));
        assert_eq!(difference(&after, &after), None);
    }
}
