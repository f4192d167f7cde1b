//! Whose the Secret is that is there already.

use std::collections::BTreeSet;

use crds::sealed_secret::{
    MANAGED, PATCH, SEALING_KEY, SKIP_SET_OWNER_REFERENCES, SealedSecret, Written,
};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;

use super::Item;
use crate::{FIELD_MANAGER, memory::Memory, problem::Problem};

/// What the Secret that is there allows us to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// It is ours: our keys, type, labels and owner are put right, what others added to its labels
    /// and annotations stays.
    Ours,
    /// It is somebody else's who annotated it `managed`: it is taken over whole.
    TakenOver,
    /// It is somebody else's who annotated it `patch`: our items, labels and annotations are added.
    Patched,
}

/// Judges the Secret that is there, as the incumbent does (`controller.go`, `unseal`).
///
/// One that we made without an owner reference is ours too, when the status remembers its uid: the
/// incumbent refuses its own Secret there.
pub(crate) fn ownership(
    live: &Secret,
    sealed: &SealedSecret,
    written: Option<&Written>,
) -> Result<Ownership, Problem> {
    let says = |key: &str| {
        live.annotations()
            .get(key)
            .is_some_and(|value| value == "true")
    };
    let controller = live
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true));
    let is_controlled = controller.is_some_and(|owner| Some(&owner.uid) == sealed.uid().as_ref());
    let is_remembered = controller.is_none()
        && says(SKIP_SET_OWNER_REFERENCES)
        && written
            .and_then(|written| written.secret.as_ref())
            .is_some_and(|secret| Some(&secret.uid) == live.uid().as_ref());
    if live.labels().contains_key(SEALING_KEY) {
        Err(Problem::KeySecret(live.name_any()))
    } else if says(PATCH) {
        Ok(Ownership::Patched)
    } else if is_controlled || is_remembered {
        Ok(Ownership::Ours)
    } else if says(MANAGED) {
        Ok(Ownership::TakenOver)
    } else {
        Err(Problem::NotOurs(live.name_any()))
    }
}

/// Whether the value of an item can be taken from the Secret that is there instead of being opened
/// again: the ciphertext is the one that this value came from, and nobody has touched the value.
pub(crate) fn reusable(item: &Item, live: &Secret, remembered: &Remembered<'_>) -> bool {
    let Some(value) = live.data.as_ref().and_then(|data| data.get(&item.name)) else {
        return false;
    };
    let Some(written) = remembered.written else {
        return false;
    };
    let same_ciphertext = written
        .items
        .get(&item.name)
        .is_some_and(|known| known.digest == item.digest);
    let same_inputs = written.inputs.as_deref() == Some(remembered.inputs);
    let untouched = written.secret.as_ref().is_some_and(|secret| {
        Some(&secret.uid) == live.metadata.uid.as_ref()
            && Some(&secret.resource_version) == live.metadata.resource_version.as_ref()
    });
    let marked = remembered.marks.is_some_and(|(memory, marks)| {
        marks.get(&item.name) == Some(&memory.mark(&item.name, &value.0))
    });
    same_ciphertext && same_inputs && (untouched || marked)
}

/// What is remembered of the last write, in this process or in the status.
#[derive(Clone, Copy)]
pub(crate) struct Remembered<'a> {
    pub(crate) written: Option<&'a Written>,
    pub(crate) inputs: &'a str,
    pub(crate) marks: Option<(&'a Memory, &'a std::collections::BTreeMap<String, u64>)>,
}

/// The labels and annotations of a Secret that were put there by us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PutByUs {
    pub(super) labels: BTreeSet<String>,
    pub(super) annotations: BTreeSet<String>,
}

impl PutByUs {
    /// Reads it from the managed fields: what our field manager wrote by update. The incumbent has
    /// the same name there, so this holds right after a take-over.
    pub(super) fn of(live: &Secret) -> Self {
        let mut ours = Self::default();
        let entries = live.managed_fields().iter().filter(|entry| {
            entry.manager.as_deref() == Some(FIELD_MANAGER)
                && entry.operation.as_deref() == Some("Update")
                && entry.subresource.as_deref().unwrap_or_default().is_empty()
        });
        for fields in entries.filter_map(|entry| entry.fields_v1.as_ref()) {
            let metadata = &fields.0["f:metadata"];
            ours.labels.extend(keys_in(&metadata["f:labels"]));
            ours.annotations.extend(keys_in(&metadata["f:annotations"]));
        }
        ours
    }
}

fn keys_in(fields: &serde_json::Value) -> impl Iterator<Item = String> + '_ {
    let entries = fields.as_object().into_iter().flatten();
    entries.filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
}
