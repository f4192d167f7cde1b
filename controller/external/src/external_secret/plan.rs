//! What to do about the target. Pure.

use crds::external_secret::{
    CreationPolicy, DeletionPolicy, ExternalSecret, REASON_SECRET_DELETED, REASON_SECRET_MISSING,
    REASON_SECRET_SYNCED,
};
use k8s_openapi::api::core::v1::Secret;

use super::{
    desired::{self, Ingredients, desired, has_same_content, is_same},
    failure::{Stage, SyncFailure},
};

/// What a refresh that went well comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The target is as it should be.
    Synced,
    /// The provider has nothing, and the target is kept.
    Retained,
    /// The provider has nothing, and the target is gone.
    Deleted,
    /// There is nothing to merge into.
    Missing,
}

impl Outcome {
    /// The reason in the condition.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Synced | Self::Retained => REASON_SECRET_SYNCED,
            Self::Deleted => REASON_SECRET_DELETED,
            Self::Missing => REASON_SECRET_MISSING,
        }
    }

    /// The message in the condition (externalsecret_controller.go, `msgSynced` and so on).
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Synced => "secret synced",
            Self::Retained => "secret retained due to DeletionPolicy=Retain",
            Self::Deleted => "secret deleted due to DeletionPolicy=Delete",
            Self::Missing => "secret will not be created due to CreationPolicy=Merge",
        }
    }
}

/// What to write, and what it comes to.
pub(crate) enum Plan {
    /// Nothing is to be written.
    Nothing(Outcome),
    /// The target is to be made.
    Create(Box<Secret>),
    /// The target is to be replaced.
    Replace(Box<Secret>),
    /// Only the metadata of an immutable target can be replaced, and that is not enough.
    ReplaceMetadata(Box<Secret>),
    /// The target is to be deleted, in the version that was read.
    Delete(Box<Secret>),
}

/// What to do about the target.
///
/// # Errors
/// Why nothing may be done.
pub(crate) fn plan(
    object: &ExternalSecret,
    existing: Option<&Secret>,
    with: &Ingredients<'_>,
) -> Result<Plan, SyncFailure> {
    let target = &object.spec.target;
    if with.values.is_empty() {
        match &target.deletion_policy {
            DeletionPolicy::Delete => return delete(object, existing),
            DeletionPolicy::Retain => return Ok(Plan::Nothing(Outcome::Retained)),
            DeletionPolicy::Merge | DeletionPolicy::Other(_) => {}
        }
    }
    match (&target.creation_policy, existing) {
        (CreationPolicy::None, _) => Ok(Plan::Nothing(Outcome::Synced)),
        (CreationPolicy::Merge, None) => Ok(Plan::Nothing(Outcome::Missing)),
        (_, None) => Ok(Plan::Create(Box::new(desired(object, None, with)?))),
        (_, Some(existing)) => replace(object, existing, with),
    }
}

fn delete(object: &ExternalSecret, existing: Option<&Secret>) -> Result<Plan, SyncFailure> {
    let policy = &object.spec.target.creation_policy;
    if *policy != CreationPolicy::Owner {
        let cause = format!("creationPolicy={policy} is not Owner");
        return Err(SyncFailure::hopeless(Stage::Delete, cause));
    }
    match existing {
        None => Ok(Plan::Nothing(Outcome::Deleted)),
        Some(existing) if desired::is_controlled_by(existing, object) => {
            Ok(Plan::Delete(Box::new(existing.clone())))
        }
        // The incumbent would delete it, whoever made it.
        Some(_) => Err(SyncFailure::hopeless(
            Stage::Delete,
            "the Secret of this name is not owned by this ExternalSecret",
        )),
    }
}

fn replace(
    object: &ExternalSecret,
    existing: &Secret,
    with: &Ingredients<'_>,
) -> Result<Plan, SyncFailure> {
    let wanted = desired(object, Some(existing), with)?;
    if is_same(&wanted, existing) {
        return Ok(Plan::Nothing(Outcome::Synced));
    }
    if existing.immutable == Some(true) && !has_same_content(existing, &wanted) {
        let mut with_metadata = Secret {
            metadata: wanted.metadata,
            ..existing.clone()
        };
        desired::stamp(&mut with_metadata);
        if is_same(&with_metadata, existing) {
            return Err(immutable());
        }
        return Ok(Plan::ReplaceMetadata(Box::new(with_metadata)));
    }
    Ok(Plan::Replace(Box::new(wanted)))
}

/// The data of an immutable target would have to change.
pub(crate) fn immutable() -> SyncFailure {
    SyncFailure::at(
        Stage::Immutable,
        "secret is immutable; delete it to let it be made anew",
    )
}

#[cfg(test)]
mod tests {
    use kit::SecretBytes;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        template::{Engine, Sources},
        values::Values,
    };

    fn object(target: Value) -> ExternalSecret {
        serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "app", "namespace": "ns", "uid": "es"}, "spec": {"target": target},
        }))
        .unwrap()
    }

    fn planned(
        target: Value,
        existing: Option<&Secret>,
        value: Option<&str>,
    ) -> Result<Plan, SyncFailure> {
        let bytes = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
        let values: Values = value
            .map(|value| ("k".to_owned(), bytes(value)))
            .into_iter()
            .collect();
        let with = Ingredients {
            values: &values,
            templates: &Engine::default(),
            sources: &Sources::default(),
            privileged_types: false,
        };
        plan(&object(target), existing, &with)
    }

    fn word(plan: &Result<Plan, SyncFailure>) -> String {
        match plan {
            Ok(Plan::Nothing(outcome)) => outcome.message().to_owned(),
            Ok(Plan::Create(_)) => "create".to_owned(),
            Ok(Plan::Replace(_)) => "replace".to_owned(),
            Ok(Plan::ReplaceMetadata(_)) => "replace metadata".to_owned(),
            Ok(Plan::Delete(_)) => "delete".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    fn written(target: Value) -> Secret {
        match planned(target, None, Some("v")) {
            Ok(Plan::Create(secret)) => *secret,
            _ => Secret::default(),
        }
    }

    /// docs/guides/ownership-deletion-policy.md of the incumbent, cell by cell.
    #[test]
    fn creation_and_deletion_policies_in_all_combinations() {
        let mine = written(json!({}));
        let other = Secret::default();
        let retained = "secret retained due to DeletionPolicy=Retain";
        let missing = "secret will not be created due to CreationPolicy=Merge";
        let not_owner =
            |policy: &str| format!("could not delete secret: creationPolicy={policy} is not Owner");
        for (creation, deletion, existing, value, expected) in [
            ("Owner", "Retain", None, Some("v"), "create".to_owned()),
            ("Owner", "Retain", Some(&mine), Some("v"), "secret synced".into()),
            ("Owner", "Retain", Some(&mine), Some("w"), "replace".into()),
            ("Owner", "Retain", Some(&mine), None, retained.into()),
            ("Owner", "Retain", None, None, retained.into()),
            ("Owner", "Delete", Some(&mine), None, "delete".into()),
            ("Owner", "Delete", None, None, "secret deleted due to DeletionPolicy=Delete".into()),
            ("Owner", "Delete", Some(&other), None, "could not delete secret: the Secret of this name is not owned by this ExternalSecret".into()),
            ("Owner", "Merge", Some(&mine), None, "replace".into()),
            ("Owner", "Merge", None, None, "create".into()),
            ("Orphan", "Retain", None, Some("v"), "create".into()),
            ("Orphan", "Retain", Some(&other), Some("v"), "replace".into()),
            ("Orphan", "Delete", Some(&other), None, not_owner("Orphan")),
            ("Merge", "Retain", None, Some("v"), missing.into()),
            ("Merge", "Retain", Some(&other), Some("v"), "replace".into()),
            ("Merge", "Delete", Some(&other), None, not_owner("Merge")),
            ("Merge", "Merge", Some(&other), None, "replace".into()),
            ("CreateOrMerge", "Retain", None, Some("v"), "create".into()),
            ("CreateOrMerge", "Retain", Some(&other), Some("v"), "replace".into()),
            ("CreateOrMerge", "Delete", None, None, not_owner("CreateOrMerge")),
            ("None", "Retain", None, Some("v"), "secret synced".into()),
            ("None", "Delete", None, None, not_owner("None")),
        ] {
            let target = json!({"creationPolicy": creation, "deletionPolicy": deletion});
            let found = word(&planned(target, existing, value));
            assert_eq!(found, expected, "{creation} {deletion}");
        }
    }

    /// The immutable matrix of externalsecret_controller_test.go.
    #[test]
    fn an_immutable_target_gets_new_metadata_and_no_new_data() {
        let mut frozen = written(json!({}));
        frozen.immutable = Some(true);
        assert_eq!(
            word(&planned(json!({}), Some(&frozen), Some("v"))),
            "secret synced"
        );
        let changed = word(&planned(json!({}), Some(&frozen), Some("w")));
        assert!(
            changed.starts_with("could not update secret, target is immutable: "),
            "{changed}"
        );
        let mut bare = frozen.clone();
        bare.metadata.labels = None;
        assert_eq!(
            word(&planned(json!({}), Some(&bare), Some("w"))),
            "replace metadata"
        );
        // What an ExternalSecret froze itself it leaves alone without a word.
        assert_eq!(
            word(&planned(
                json!({"immutable": true}),
                Some(&frozen),
                Some("w")
            )),
            "secret synced"
        );
        let mut thawed = written(json!({}));
        thawed.immutable = None;
        assert_eq!(
            word(&planned(
                json!({"immutable": true}),
                Some(&thawed),
                Some("v")
            )),
            "replace"
        );
    }
}
