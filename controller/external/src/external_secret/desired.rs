//! The target as it should be. Pure.
//!
//! The incumbent's `mutationFunc` and what it calls (externalsecret_controller.go,
//! externalsecret_controller_template.go), including what of the existing Secret stays.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    external_secret::{
        CREATED_BY, CreationPolicy, DATA_HASH, ExternalSecret, MANAGED, MANAGED_VALUE, MergePolicy,
        Template,
    },
    sealed_secret::SEALING_KEY,
};
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference},
};
use kube::ResourceExt as _;
use serde_json::Value;

use super::{
    failure::{Stage, SyncFailure},
    questions,
    render::render,
};
use crate::{
    hash, names,
    template::{Sources, Templates},
    values::Values,
};

const GROUP: &str = "external-secrets.io";
const KIND: &str = "ExternalSecret";

/// What a target is made with, besides the ExternalSecret itself.
pub(crate) struct Ingredients<'a> {
    /// The values from the provider.
    pub(crate) values: &'a Values,
    /// What renders templates.
    pub(crate) templates: &'a dyn Templates,
    /// What templates come from.
    pub(crate) sources: &'a Sources,
    /// Whether Secrets may be made that mint tokens.
    pub(crate) privileged_types: bool,
}

/// The target as it should be. `existing` is the target as it is.
///
/// # Errors
/// Why it must not be written.
pub(crate) fn desired(
    object: &ExternalSecret,
    existing: Option<&Secret>,
    with: &Ingredients<'_>,
) -> Result<Secret, SyncFailure> {
    let mut secret = existing.cloned().unwrap_or_default();
    if existing.is_none() {
        secret.metadata.name = Some(questions::target(object).to_owned());
        secret.metadata.namespace = object.namespace();
    }
    let target = &object.spec.target;
    if target.immutable {
        secret.immutable = Some(true);
    }
    // An immutable Secret that is there cannot be changed, so nothing is rendered for it.
    if existing.is_none() || !target.immutable {
        fill(object, &mut secret, with)?;
    }
    own(object, &mut secret)?;
    let labels = secret.metadata.labels.get_or_insert_default();
    labels.insert(MANAGED.to_owned(), MANAGED_VALUE.to_owned());
    if labels.contains_key(SEALING_KEY) {
        let cause =
            format!("the label {SEALING_KEY} makes a Secret a sealing key and is not allowed");
        return Err(SyncFailure::hopeless(Stage::Update, cause));
    }
    stamp(&mut secret);
    Ok(secret)
}

/// Notes the hash of a Secret's data on it.
pub(crate) fn stamp(secret: &mut Secret) {
    let hash = hash::of_data(secret.data.get_or_insert_default());
    secret
        .metadata
        .annotations
        .get_or_insert_default()
        .insert(DATA_HASH.to_owned(), hash);
}

/// Whether two Secrets are the same but for how emptiness is written.
pub(crate) fn is_same(one: &Secret, other: &Secret) -> bool {
    let normal = |secret: &Secret| {
        let mut secret = secret.clone();
        normalise(&mut secret);
        secret
    };
    normal(one) == normal(other)
}

/// Whether what an immutable Secret cannot change is the same.
pub(crate) fn has_same_content(one: &Secret, other: &Secret) -> bool {
    let with_metadata = Secret {
        metadata: other.metadata.clone(),
        ..one.clone()
    };
    is_same(&with_metadata, other)
}

fn normalise(secret: &mut Secret) {
    let empty_to_none = |map: &mut Option<BTreeMap<String, String>>| {
        if map.as_ref().is_some_and(BTreeMap::is_empty) {
            *map = None;
        }
    };
    empty_to_none(&mut secret.metadata.labels);
    empty_to_none(&mut secret.metadata.annotations);
    if secret.data.as_ref().is_some_and(BTreeMap::is_empty) {
        secret.data = None;
    }
    if secret
        .metadata
        .owner_references
        .as_ref()
        .is_some_and(Vec::is_empty)
    {
        secret.metadata.owner_references = None;
    }
    if secret
        .metadata
        .finalizers
        .as_ref()
        .is_some_and(Vec::is_empty)
    {
        secret.metadata.finalizers = None;
    }
    if secret.type_.as_deref() == Some("Opaque") {
        secret.type_ = None;
    }
    secret.immutable = secret.immutable.filter(|immutable| *immutable);
}

/// `ApplyTemplate`, behind the removal of what we wrote before.
fn fill(
    object: &ExternalSecret,
    secret: &mut Secret,
    with: &Ingredients<'_>,
) -> Result<(), SyncFailure> {
    let template = object.spec.target.template.as_ref();
    check(template, with.privileged_types)?;
    let mine = Mine::of(secret, &names::field_manager(&object.name_any()));
    remove(secret.metadata.labels.get_or_insert_default(), &mine.labels);
    remove(
        secret.metadata.annotations.get_or_insert_default(),
        &mine.annotations,
    );
    let merges = matches!(
        object.spec.target.creation_policy,
        CreationPolicy::Merge | CreationPolicy::CreateOrMerge
    );
    let data = secret.data.get_or_insert_default();
    if merges {
        remove(data, &mine.data);
    } else {
        data.clear();
    }
    let Some(template) = template else {
        let labels = secret.metadata.labels.get_or_insert_default();
        labels.extend(object.labels().clone());
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.extend(object.annotations().clone());
        insert(secret.data.get_or_insert_default(), with.values);
        return Ok(());
    };
    if !template.type_.is_empty() {
        secret.type_ = Some(template.type_.clone());
    }
    let renders_data = !template.data.is_empty() || !template.template_from.is_empty();
    if template.merge_policy == MergePolicy::Merge || !renders_data {
        insert(secret.data.get_or_insert_default(), with.values);
    }
    render(template, secret, with)
}

/// Secrets that mint tokens would let whoever writes an ExternalSecret act as any ServiceAccount of
/// the namespace, or join nodes (`validatePrivilegedTemplate`). A target that is no part of a Secret
/// that a template may fill would let one write its type or owners.
fn check(template: Option<&Template>, privileged_types: bool) -> Result<(), SyncFailure> {
    const PRIVILEGED: [&str; 2] = [
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ];
    let Some(template) = template else {
        return Ok(());
    };
    let refused = |cause: String| Err(SyncFailure::hopeless(Stage::Update, cause));
    if !privileged_types && PRIVILEGED.contains(&template.type_.as_str()) {
        return refused(format!(
            "could not apply template: template.type=\"{}\" is not allowed",
            template.type_
        ));
    }
    for source in &template.template_from {
        let target = source.target.as_str();
        let known = ["", "Data", "Annotations", "Labels"];
        if !known.iter().any(|known| target.eq_ignore_ascii_case(known)) {
            return refused(format!(
                "could not apply template: templateFrom target=\"{target}\" is not allowed when targeting a \
                 Secret, must be one of \"Data\", \"Annotations\" or \"Labels\""
            ));
        }
    }
    Ok(())
}

fn insert(data: &mut BTreeMap<String, ByteString>, values: &Values) {
    for (key, value) in values {
        data.insert(key.clone(), ByteString(value.expose().to_vec()));
    }
}

fn remove<V>(map: &mut BTreeMap<String, V>, keys: &BTreeSet<String>) {
    map.retain(|key, _| !keys.contains(key));
}

/// What of a Secret an ExternalSecret wrote, as its managed fields tell.
#[derive(Default)]
struct Mine {
    data: BTreeSet<String>,
    labels: BTreeSet<String>,
    annotations: BTreeSet<String>,
}

impl Mine {
    fn of(secret: &Secret, manager: &str) -> Self {
        let mut mine = Self::default();
        let entries = secret.metadata.managed_fields.iter().flatten();
        for entry in entries.filter(|entry| entry.manager.as_deref() == Some(manager)) {
            mine.data.extend(keys(entry, &["f:data"]));
            mine.labels.extend(keys(entry, &["f:metadata", "f:labels"]));
            mine.annotations
                .extend(keys(entry, &["f:metadata", "f:annotations"]));
        }
        mine
    }
}

fn keys(entry: &ManagedFieldsEntry, path: &[&str]) -> Vec<String> {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    let found = fields.and_then(|fields| {
        path.iter()
            .try_fold(fields, |fields, step| fields.get(step))
    });
    let keys = found.and_then(Value::as_object).into_iter().flatten();
    keys.filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned))
        .collect()
}

/// `applyOwnership`.
fn own(object: &ExternalSecret, secret: &mut Secret) -> Result<(), SyncFailure> {
    let name = object.name_any();
    let owners = secret.metadata.owner_references.get_or_insert_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    let is_ours = controller.is_some_and(|owner| is_external_secret(owner) && owner.name == name);
    if let Some(other) = controller.filter(|owner| is_external_secret(owner) && owner.name != name)
    {
        let cause = format!("secret is owned by another ExternalSecret: {}", other.name);
        return Err(SyncFailure::at(Stage::IsOwned, cause));
    }
    let policy = &object.spec.target.creation_policy;
    let keeps_the_rest = matches!(
        policy,
        CreationPolicy::Merge | CreationPolicy::CreateOrMerge
    );
    // The incumbent lets Orphan empty a Secret that another controller holds; the two fight then.
    if let Some(other) = controller.filter(|_| !is_ours && !keeps_the_rest) {
        let cause = format!(
            "could not set controller reference on secret: it is already owned by {} {}",
            other.kind, other.name
        );
        return Err(SyncFailure::at(Stage::BecomeOwner, cause));
    }
    let labels = secret.metadata.labels.get_or_insert_default();
    if *policy != CreationPolicy::Owner {
        labels.remove(CREATED_BY);
        if is_ours {
            owners.retain(|owner| !(is_external_secret(owner) && owner.name == name));
        }
        return Ok(());
    }
    let label = names::owner_label(&object.namespace().unwrap_or_default(), &name);
    labels.insert(CREATED_BY.to_owned(), label);
    let reference = OwnerReference {
        api_version: format!("{GROUP}/v1"),
        kind: KIND.to_owned(),
        name: name.clone(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    match owners
        .iter_mut()
        .find(|owner| is_external_secret(owner) && owner.name == name)
    {
        Some(owner) => *owner = reference,
        None => owners.push(reference),
    }
    Ok(())
}

fn is_external_secret(owner: &OwnerReference) -> bool {
    let group = owner
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    owner.kind == KIND && group == GROUP
}

/// Whether a Secret is this ExternalSecret's, so that it may be deleted.
pub(crate) fn is_controlled_by(secret: &Secret, object: &ExternalSecret) -> bool {
    let owners = secret.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    controllers.any(|owner| Some(&owner.uid) == object.metadata.uid.as_ref())
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;
