//! The target, policy by policy.

use kit::SecretBytes;
use serde_json::{Value, json};

use super::*;
use crate::template::{Engine, Sources};

const MANAGER: &str = "externalsecrets.external-secrets.io/app";

fn object(target: Value) -> ExternalSecret {
    serde_json::from_value(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {
            "name": "app", "namespace": "ns", "uid": "es-uid",
            "labels": {"team": "a"}, "annotations": {"note": "b"},
        },
        "spec": {"target": target},
    }))
    .unwrap()
}

fn values(pairs: &[(&str, &str)]) -> Values {
    let bytes = |text: &str| SecretBytes::new(text.as_bytes().to_vec());
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), bytes(value)))
        .collect()
}

fn secret(value: Value) -> Secret {
    serde_json::from_value(value).unwrap()
}

fn made(
    of: &ExternalSecret,
    existing: Option<&Secret>,
    pairs: &[(&str, &str)],
) -> Result<Secret, SyncFailure> {
    let values = values(pairs);
    let with = Ingredients {
        values: &values,
        templates: &Engine::default(),
        sources: &Sources::default(),
        privileged_types: false,
    };
    desired(of, existing, &with)
}

fn data(secret: &Secret) -> Vec<(&str, &str)> {
    let data = secret.data.iter().flatten();
    data.map(|(key, value)| (key.as_str(), str::from_utf8(&value.0).unwrap()))
        .collect()
}

/// A Secret that another manager made and that we wrote `old`, `stale` and `gone` into before.
fn shared() -> Secret {
    secret(json!({
        "metadata": {
            "name": "app", "namespace": "ns", "uid": "s-uid", "resourceVersion": "7",
            "labels": {"foreign": "1", "stale": "1"}, "annotations": {"foreign": "1", "gone": "1"},
            "managedFields": [
                {"manager": MANAGER, "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {
                    "f:data": {".": {}, "f:old": {}},
                    "f:metadata": {"f:labels": {"f:stale": {}}, "f:annotations": {".": {}, "f:gone": {}}},
                }},
                {"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {
                    "f:data": {"f:theirs": {}},
                }},
            ],
        },
        "type": "Opaque",
        "data": {"old": "b2xk", "theirs": "dGhlaXJz"},
    }))
}

/// syncLabelsAnnotations, and the ownership of section 2.5 of the study.
#[test]
fn a_new_secret_carries_labels_hash_and_owner() {
    let made = made(&object(json!({})), None, &[("targetProperty", "someValue")]).unwrap();
    assert_eq!(data(&made), [("targetProperty", "someValue")]);
    let value = serde_json::to_value(&made.metadata).unwrap();
    assert_eq!(
        value,
        json!({
            "name": "app", "namespace": "ns",
            "labels": {
                "team": "a",
                "reconcile.external-secrets.io/managed": "true",
                "reconcile.external-secrets.io/created-by": names::owner_label("ns", "app"),
            },
            "annotations": {
                "note": "b",
                "reconcile.external-secrets.io/data-hash": "03a707af0159f9cbff01ece86d3f85a3d7c3a11b512f5e7fc90bd042",
            },
            "ownerReferences": [{
                "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "name": "app",
                "uid": "es-uid", "controller": true, "blockOwnerDeletion": true,
            }],
        })
    );
}

#[test]
fn what_was_made_once_is_made_again_without_a_difference() {
    for target in [
        json!({}),
        json!({"creationPolicy": "Merge"}),
        json!({"template": {"data": {"x": "y"}}}),
    ] {
        let of = object(target);
        let mut first = made(&of, None, &[("a", "1")]).unwrap();
        first.type_ = Some("Opaque".into());
        first.metadata.uid = Some("s".into());
        assert!(is_same(
            &made(&of, Some(&first), &[("a", "1")]).unwrap(),
            &first
        ));
        assert_eq!(
            is_same(&made(&of, Some(&first), &[("a", "2")]).unwrap(), &first),
            of.spec.target.template.is_some()
        );
    }
}

/// mergeWithSecret, mergeLabelsAnnotations, removeOutdatedLabelsAnnotations.
#[test]
fn each_policy_keeps_what_it_has_to() {
    for (policy, expected_data, owner) in [
        ("Owner", &[("new", "1")][..], true),
        ("Orphan", &[("new", "1")], false),
        ("Merge", &[("new", "1"), ("theirs", "theirs")], false),
        (
            "CreateOrMerge",
            &[("new", "1"), ("theirs", "theirs")],
            false,
        ),
    ] {
        let of = object(json!({ "creationPolicy": policy }));
        let made = made(&of, Some(&shared()), &[("new", "1")]).unwrap();
        assert_eq!(data(&made), expected_data, "{policy}");
        let labels: Vec<&str> = made
            .labels()
            .keys()
            .map(String::as_str)
            .filter(|key| !key.contains('/'))
            .collect();
        assert_eq!(labels, ["foreign", "team"], "{policy}");
        assert_eq!(
            made.annotations()
                .keys()
                .filter(|key| !key.contains('/'))
                .count(),
            2,
            "{policy}"
        );
        assert_eq!(made.labels().contains_key(CREATED_BY), owner, "{policy}");
        assert_eq!(
            made.owner_references().len(),
            usize::from(owner),
            "{policy}"
        );
        // The hash is over all keys, foreign ones too.
        assert_eq!(
            made.annotations()[DATA_HASH],
            hash::of_data(made.data.as_ref().unwrap()),
            "{policy}"
        );
    }
}

#[test]
fn an_owner_that_we_were_is_taken_away_with_the_policy() {
    let owned = made(&object(json!({})), None, &[]).unwrap();
    let made = made(
        &object(json!({"creationPolicy": "Orphan"})),
        Some(&owned),
        &[],
    )
    .unwrap();
    assert!(made.owner_references().is_empty() && !made.labels().contains_key(CREATED_BY));
}

fn owned_by(api_version: &str, kind: &str, name: &str) -> Secret {
    secret(
        json!({"metadata": {"name": "app", "namespace": "ns", "uid": "s", "ownerReferences": [{
            "apiVersion": api_version, "kind": kind, "name": name, "uid": "x", "controller": true,
        }]}}),
    )
}

#[test]
fn a_secret_that_somebody_else_owns_is_left_alone() {
    for policy in ["Owner", "Orphan", "Merge"] {
        let of = object(json!({ "creationPolicy": policy }));
        let error = made(
            &of,
            Some(&owned_by(
                "external-secrets.io/v1beta1",
                "ExternalSecret",
                "other",
            )),
            &[],
        );
        assert_eq!(
            error.err().unwrap().to_string(),
            "target is owned by another ExternalSecret: secret is owned by another ExternalSecret: other"
        );
    }
    let sealed = owned_by("bitnami.com/v1alpha1", "SealedSecret", "app");
    for policy in ["Owner", "Orphan"] {
        let of = object(json!({ "creationPolicy": policy }));
        let error = made(&of, Some(&sealed), &[]).err().unwrap().to_string();
        assert!(
            error
                .starts_with("failed to take ownership of target secret: could not set controller"),
            "{error}"
        );
        assert!(
            error.ends_with("already owned by SealedSecret app"),
            "{error}"
        );
    }
    let merged = made(
        &object(json!({"creationPolicy": "Merge"})),
        Some(&sealed),
        &[("a", "1")],
    )
    .unwrap();
    assert_eq!(merged.owner_references()[0].kind, "SealedSecret");
    // An owner of the same name and an older version is ourselves.
    let older = owned_by("external-secrets.io/v1beta1", "ExternalSecret", "app");
    let ours = made(&object(json!({})), Some(&older), &[]).unwrap();
    assert_eq!(
        ours.owner_references()[0].api_version,
        "external-secrets.io/v1"
    );
}

/// JSONDataWithTemplate and onlyMetadataFromTemplate, as far as they need no template language.
#[test]
fn with_a_template_only_its_metadata_is_taken() {
    let of = object(json!({"template": {
        "type": "example.com/kind",
        "metadata": {"labels": {"l": "1"}, "annotations": {"a": "2"}, "finalizers": ["example.com/f"]},
    }}));
    let made_one = made(&of, None, &[("k", "v")]).unwrap();
    assert_eq!(data(&made_one), [("k", "v")]);
    assert_eq!(made_one.type_.as_deref(), Some("example.com/kind"));
    assert_eq!(made_one.finalizers(), ["example.com/f"]);
    assert!(made_one.labels().contains_key("l") && !made_one.labels().contains_key("team"));
    let merged = |policy: &str| {
        let template = json!({"template": {"data": {"t": "x"}, "mergePolicy": policy}});
        let made = made(&object(template), None, &[("k", "v")]).unwrap();
        data(&made)
            .iter()
            .map(|(key, _)| (*key).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(merged("Replace"), ["t"]);
    assert_eq!(merged("Merge"), ["k", "t"]);
}

/// CVE-2026-42876, and our own rule for sealing keys.
#[test]
fn t09_secrets_that_mint_tokens_or_open_seals_are_refused() {
    for kind in [
        "kubernetes.io/service-account-token",
        "bootstrap.kubernetes.io/token",
    ] {
        let of = object(json!({"template": {"type": kind}}));
        let error = made(&of, None, &[]).err().unwrap();
        assert!(error.to_string().contains("is not allowed"), "{error}");
        let values = values(&[]);
        let with = Ingredients {
            values: &values,
            templates: &Engine::default(),
            sources: &Sources::default(),
            privileged_types: true,
        };
        assert!(desired(&of, None, &with).is_ok());
    }
    let path = json!({"template": {"templateFrom": [{"target": "metadata.ownerReferences", "literal": "x"}]}});
    let error = made(&object(path), None, &[]).err().unwrap().to_string();
    assert!(
        error.contains("templateFrom target=\"metadata.ownerReferences\" is not allowed"),
        "{error}"
    );
    let mut key = object(json!({}));
    key.metadata.labels = Some([(SEALING_KEY.to_owned(), "active".to_owned())].into());
    assert!(made(&key, None, &[]).is_err());
}

#[test]
fn an_immutable_target_that_is_there_keeps_its_data() {
    let of = object(json!({"immutable": true}));
    let first = made(&of, None, &[("a", "1")]).unwrap();
    assert_eq!(first.immutable, Some(true));
    let again = made(&of, Some(&first), &[("a", "2")]).unwrap();
    assert!(is_same(&first, &again));
    let mutable = made(&object(json!({})), Some(&first), &[("a", "2")]).unwrap();
    assert!(!has_same_content(&first, &mutable));
}
