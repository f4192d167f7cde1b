//! What is to be written.

use std::collections::BTreeMap;

use crds::sealed_secret::SealedSecret;
use k8s_openapi::{
    ByteString,
    api::core::v1::Secret,
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference},
};
use kube::{Resource as _, ResourceExt as _};

use super::{Blueprint, Ownership, existing::PutByUs};
use crate::{place::Place, problem::Problem};

/// What is to be done with the Secret.
pub(crate) enum Plan {
    /// It is not there: this one is created.
    Create(Box<Secret>),
    /// It is there and differs: this one replaces it.
    Replace(Box<Secret>),
    /// It is as it should be.
    Keep,
}

/// Compares the blueprint with what is there.
pub(crate) fn decide(
    sealed: &SealedSecret,
    blueprint: &Blueprint,
    live: Option<(&Secret, Ownership)>,
) -> Result<Plan, Problem> {
    match live {
        None => Ok(Plan::Create(Box::new(new_secret(sealed, blueprint)))),
        Some((live, ownership)) => {
            let wanted = changed(sealed, blueprint, live, ownership);
            if is_same(live, &wanted) {
                return Ok(Plan::Keep);
            }
            possible(live, &wanted)?;
            Ok(Plan::Replace(Box::new(wanted)))
        }
    }
}

/// What the API server would refuse, said before it is asked.
fn possible(live: &Secret, wanted: &Secret) -> Result<(), Problem> {
    if type_of(live) != type_of(wanted) {
        return Err(Problem::OtherType {
            present: type_of(live).to_owned(),
            wanted: type_of(wanted).to_owned(),
        });
    }
    if live.immutable == Some(true) && !same_entries(live.data.as_ref(), wanted.data.as_ref()) {
        return Err(Problem::Immutable(Place::of(live).to_string()));
    }
    Ok(())
}

fn new_secret(sealed: &SealedSecret, blueprint: &Blueprint) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: sealed.metadata.name.clone(),
            namespace: sealed.metadata.namespace.clone(),
            labels: some(blueprint.labels.clone()),
            annotations: some(blueprint.annotations.clone()),
            finalizers: Some(blueprint.finalizers.clone()).filter(|all| !all.is_empty()),
            owner_references: blueprint.owned.then(|| vec![owner(sealed)]),
            ..ObjectMeta::default()
        },
        type_: blueprint.type_.clone(),
        immutable: blueprint.immutable,
        data: Some(bytes_of(blueprint)),
        string_data: None,
    }
}

/// The Secret that is there with our changes. `immutable` is left as it is, as the incumbent does:
/// a take-over changes nothing.
fn changed(
    sealed: &SealedSecret,
    blueprint: &Blueprint,
    live: &Secret,
    ownership: Ownership,
) -> Secret {
    let mut wanted = live.clone();
    wanted.type_ = blueprint.type_.clone();
    let metadata = &mut wanted.metadata;
    match ownership {
        Ownership::Ours => {
            let put = PutByUs::of(live);
            replace_ours(&mut metadata.labels, &blueprint.labels, &put.labels);
            replace_ours(
                &mut metadata.annotations,
                &blueprint.annotations,
                &put.annotations,
            );
            own(metadata, sealed, blueprint.owned);
            wanted.data = Some(bytes_of(blueprint));
        }
        Ownership::TakenOver => {
            metadata.labels = some(blueprint.labels.clone());
            metadata.annotations = some(blueprint.annotations.clone());
            metadata.owner_references = blueprint.owned.then(|| vec![owner(sealed)]);
            wanted.data = Some(bytes_of(blueprint));
        }
        Ownership::Patched => {
            merge(&mut metadata.labels, &blueprint.labels);
            merge(&mut metadata.annotations, &blueprint.annotations);
            let is_managed = metadata.annotations.as_ref().is_some_and(|all| {
                all.get(crds::sealed_secret::MANAGED)
                    .is_some_and(|value| value == "true")
            });
            if is_managed {
                metadata.owner_references = blueprint.owned.then(|| vec![owner(sealed)]);
            }
            merge(&mut wanted.data, &bytes_of(blueprint));
        }
    }
    wanted
}

/// Sets our entries and removes those that we once set and no longer want.
fn replace_ours(
    present: &mut Option<BTreeMap<String, String>>,
    wanted: &BTreeMap<String, String>,
    put_by_us: &std::collections::BTreeSet<String>,
) {
    if let Some(present) = present {
        present.retain(|key, _| wanted.contains_key(key) || !put_by_us.contains(key));
    }
    merge(present, wanted);
}

fn merge<V: Clone>(present: &mut Option<BTreeMap<String, V>>, wanted: &BTreeMap<String, V>) {
    if !wanted.is_empty() {
        present.get_or_insert_default().extend(wanted.clone());
    }
}

/// Puts our owner reference right, and leaves those of others that do not control the Secret.
fn own(metadata: &mut ObjectMeta, sealed: &SealedSecret, owned: bool) {
    let mut owners = metadata.owner_references.take().unwrap_or_default();
    let ours = owner(sealed);
    let is_right = |present: &OwnerReference| {
        (
            &present.api_version,
            &present.kind,
            &present.name,
            &present.uid,
            present.controller,
        ) == (
            &ours.api_version,
            &ours.kind,
            &ours.name,
            &ours.uid,
            ours.controller,
        )
    };
    owners.retain(|present| present.uid != ours.uid || (owned && is_right(present)));
    if owned && !owners.iter().any(is_right) {
        owners.push(ours);
    }
    metadata.owner_references = Some(owners).filter(|owners| !owners.is_empty());
}

/// The reference that the incumbent sets (`sealedsecret_expansion.go`, `Unseal`).
fn owner(sealed: &SealedSecret) -> OwnerReference {
    OwnerReference {
        api_version: SealedSecret::api_version(&()).into_owned(),
        kind: SealedSecret::kind(&()).into_owned(),
        name: sealed.name_any(),
        uid: sealed.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

fn is_same(live: &Secret, wanted: &Secret) -> bool {
    type_of(live) == type_of(wanted)
        && same_entries(live.data.as_ref(), wanted.data.as_ref())
        && live.labels() == wanted.labels()
        && live.annotations() == wanted.annotations()
        && live.owner_references() == wanted.owner_references()
}

/// No map and an empty one are the same to the API server.
fn same_entries<V: PartialEq>(
    left: Option<&BTreeMap<String, V>>,
    right: Option<&BTreeMap<String, V>>,
) -> bool {
    left.into_iter().flatten().eq(right.into_iter().flatten())
}

fn type_of(secret: &Secret) -> &str {
    match secret.type_.as_deref() {
        None | Some("") => "Opaque",
        Some(type_) => type_,
    }
}

fn bytes_of(blueprint: &Blueprint) -> BTreeMap<String, ByteString> {
    let data = blueprint.data.iter();
    data.map(|(name, value)| (name.clone(), ByteString(value.expose().to_vec())))
        .collect()
}

fn some<K, V>(map: BTreeMap<K, V>) -> Option<BTreeMap<K, V>> {
    Some(map).filter(|map| !map.is_empty())
}

#[cfg(test)]
mod tests {
    use crds::sealed_secret::{MANAGED, PATCH, SKIP_SET_OWNER_REFERENCES};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        memory::Memory,
        plan::{
            Examined, Format, Remembered, Values, existing::ownership, inputs_digest, reusable,
        },
    };

    fn sealed(template: Value) -> SealedSecret {
        serde_json::from_value(json!({
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
            "metadata": {"namespace": "a", "name": "x", "uid": "u", "generation": 1},
            "spec": {"encryptedData": {}, "template": template},
        }))
        .unwrap()
    }

    fn live(metadata: Value, data: Value) -> Secret {
        let mut all = json!({"namespace": "a", "name": "x", "uid": "s", "resourceVersion": "5"});
        for (key, value) in metadata.as_object().unwrap() {
            all[key] = value.clone();
        }
        serde_json::from_value(json!({"metadata": all, "data": data, "type": "Opaque"})).unwrap()
    }

    fn owner_of(uid: &str) -> Value {
        json!([{"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "x",
                "uid": uid, "controller": true}])
    }

    fn blueprint(sealed: &SealedSecret, data: &[(&str, &str)]) -> Blueprint {
        let data = data.iter().map(|(name, value)| {
            (
                (*name).to_owned(),
                keys::SecretBytes::new(value.as_bytes().to_vec()),
            )
        });
        Blueprint {
            data: data.collect(),
            ..Blueprint::of_template(&sealed.spec.template)
        }
    }

    fn replaced(sealed: &SealedSecret, live: &Secret, data: &[(&str, &str)]) -> Secret {
        let ownership = ownership(live, sealed, None).unwrap();
        match decide(sealed, &blueprint(sealed, data), Some((live, ownership))).unwrap() {
            Plan::Replace(secret) => *secret,
            Plan::Create(_) => panic!("it is there"),
            Plan::Keep => panic!("it differs"),
        }
    }

    fn text(secret: &Secret) -> Value {
        let data = secret.data.iter().flatten();
        data.map(|(name, value)| (name.clone(), String::from_utf8_lossy(&value.0).into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// base64 of `bar`, `bar1`, `bar2`.
    const BAR: &str = "YmFy";
    const BAR1: &str = "YmFyMQ==";
    const BAR2: &str = "YmFyMg==";

    #[test]
    fn a_new_secret_has_the_templates_look_and_the_incumbents_owner_reference() {
        let sealed = sealed(json!({
            "metadata": {"labels": {"l": "1"}, "annotations": {"n": "2"}, "name": "other"},
            "type": "kubernetes.io/dockerconfigjson", "immutable": true,
        }));
        let plan = decide(&sealed, &blueprint(&sealed, &[("foo", "bar")]), None).unwrap();
        let Plan::Create(secret) = plan else {
            panic!("it is not there")
        };
        assert_eq!(
            serde_json::to_value(&secret).unwrap(),
            json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": {
                    "namespace": "a", "name": "x", "labels": {"l": "1"},
                    "annotations": {"n": "2"}, "ownerReferences": owner_of("u"),
                },
                "type": "kubernetes.io/dockerconfigjson", "immutable": true, "data": {"foo": BAR},
            })
        );
    }

    #[test]
    fn what_is_as_it_should_be_is_kept() {
        let sealed = sealed(json!({}));
        let live = live(
            json!({"ownerReferences": owner_of("u")}),
            json!({"foo": BAR}),
        );
        let ours = Some((&live, Ownership::Ours));
        let plan = decide(&sealed, &blueprint(&sealed, &[("foo", "bar")]), ours);
        assert!(matches!(plan, Ok(Plan::Keep)));
    }

    #[test]
    fn drift_of_our_keys_type_labels_and_owner_is_put_right_and_what_others_added_stays() {
        let sealed = sealed(json!({"metadata": {"labels": {"mine": "1"}}}));
        let live = live(
            json!({
                "ownerReferences": owner_of("u"),
                "labels": {"mine": "edited", "once-mine": "1", "theirs": "1"},
                "annotations": {"theirs": "1", "once-mine": "1"},
                "managedFields": [{
                    "manager": "controller", "operation": "Update",
                    "fieldsV1": {"f:metadata": {
                        "f:labels": {".": {}, "f:mine": {}, "f:once-mine": {}},
                        "f:annotations": {"f:once-mine": {}},
                    }},
                }],
            }),
            json!({"foo": BAR1, "foo2": BAR2}),
        );
        let secret = replaced(&sealed, &live, &[("foo", "bar")]);
        assert_eq!(text(&secret), json!({"foo": "bar"}));
        assert_eq!(
            json!(secret.metadata.labels),
            json!({"mine": "1", "theirs": "1"})
        );
        assert_eq!(json!(secret.metadata.annotations), json!({"theirs": "1"}));
        assert_eq!(json!(secret.metadata.owner_references), owner_of("u"));
    }

    #[test]
    fn a_secret_annotated_managed_is_taken_over_whole() {
        let sealed = sealed(json!({"metadata": {"labels": {"mylabel": "myvalue"}}}));
        let live = live(
            json!({
                "annotations": {MANAGED: "true"},
                "labels": {"mylabel": "myvalue", "anotherlabel": "anothervalue"},
            }),
            json!({"foo": BAR1, "foo2": BAR2}),
        );
        let secret = replaced(&sealed, &live, &[("foo", "bar")]);
        assert_eq!(text(&secret), json!({"foo": "bar"}));
        assert_eq!(secret.metadata.annotations, None);
        assert_eq!(json!(secret.metadata.labels), json!({"mylabel": "myvalue"}));
        assert_eq!(json!(secret.metadata.owner_references), owner_of("u"));
    }

    #[test]
    fn a_secret_annotated_patch_gets_our_items_and_keeps_its_own() {
        let sealed = sealed(json!({"metadata": {"labels": {"mylabel": "myvalue"}}}));
        let labels = json!({"mylabel": "myvalue", "anotherlabel": "anothervalue"});
        for managed in [false, true] {
            let mut annotations = json!({PATCH: "true"});
            if managed {
                annotations[MANAGED] = "true".into();
            }
            let live = live(
                json!({"annotations": annotations, "labels": labels}),
                json!({"foo": BAR1, "foo2": BAR2}),
            );
            let secret = replaced(&sealed, &live, &[("foo", "bar")]);
            assert_eq!(text(&secret), json!({"foo": "bar", "foo2": "bar2"}));
            assert_eq!(json!(secret.metadata.annotations), annotations);
            assert_eq!(json!(secret.metadata.labels), labels);
            let owners = json!(secret.metadata.owner_references);
            assert_eq!(owners, if managed { owner_of("u") } else { Value::Null });
        }
    }

    #[test]
    fn a_secret_of_somebody_else_is_not_ours() {
        let sealed = sealed(json!({}));
        for metadata in [
            json!({}),
            json!({"ownerReferences": owner_of("another")}),
            json!({"annotations": {MANAGED: "TRUE", PATCH: "1"}}),
            json!({"annotations": {SKIP_SET_OWNER_REFERENCES: "true"}}),
        ] {
            let result = ownership(&live(metadata, json!({})), &sealed, None);
            assert_eq!(result, Err(Problem::NotOurs("x".into())));
        }
    }

    #[test]
    fn a_secret_that_we_made_without_owner_is_ours_as_long_as_it_is_the_same_one() {
        let sealed = sealed(json!({}));
        let unowned = json!({"annotations": {SKIP_SET_OWNER_REFERENCES: "true"}});
        let written = |uid: &str| {
            let secret = json!({"secret": {"uid": uid, "resourceVersion": "1"}});
            serde_json::from_value::<crds::sealed_secret::Written>(secret).unwrap()
        };
        let live = live(unowned, json!({}));
        assert_eq!(
            ownership(&live, &sealed, Some(&written("s"))),
            Ok(Ownership::Ours)
        );
        let another = ownership(&live, &sealed, Some(&written("t")));
        assert_eq!(another, Err(Problem::NotOurs("x".into())));
    }

    #[test]
    fn a_sealing_key_is_not_touched_even_if_somebody_annotated_it() {
        let sealed = sealed(json!({}));
        let key = json!({
            "labels": {crds::sealed_secret::SEALING_KEY: "active"},
            "annotations": {MANAGED: "true", PATCH: "true"},
        });
        let result = ownership(&live(key, json!({})), &sealed, None);
        assert_eq!(result, Err(Problem::KeySecret("x".into())));
    }

    #[test]
    fn an_immutable_secret_may_change_its_labels_and_not_its_data() {
        let sealed = sealed(json!({"metadata": {"labels": {"l": "1"}}}));
        let mut live = live(
            json!({"ownerReferences": owner_of("u")}),
            json!({"foo": BAR}),
        );
        live.immutable = Some(true);
        let secret = replaced(&sealed, &live, &[("foo", "bar")]);
        assert_eq!(secret.immutable, Some(true));
        let other = blueprint(&sealed, &[("foo", "baz")]);
        let refused = decide(&sealed, &other, Some((&live, Ownership::Ours)));
        assert_eq!(refused.err(), Some(Problem::Immutable("a/x".into())));
    }

    #[test]
    fn another_type_is_said_before_the_api_server_refuses_it() {
        let sealed = sealed(json!({"type": "kubernetes.io/tls"}));
        let live = live(
            json!({"ownerReferences": owner_of("u")}),
            json!({"foo": BAR}),
        );
        let plan = decide(
            &sealed,
            &blueprint(&sealed, &[("foo", "bar")]),
            Some((&live, Ownership::Ours)),
        );
        let problem = Problem::OtherType {
            present: "Opaque".into(),
            wanted: "kubernetes.io/tls".into(),
        };
        assert_eq!(plan.err(), Some(problem));
    }

    #[test]
    fn without_owner_reference_ours_is_removed_and_those_of_others_stay() {
        let skip = json!({"metadata": {"annotations": {SKIP_SET_OWNER_REFERENCES: "true"}}});
        let sealed = sealed(skip);
        let mut owners = owner_of("u");
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "c", "uid": "o"});
        owners.as_array_mut().unwrap().push(other.clone());
        let live = live(json!({"ownerReferences": owners}), json!({"foo": BAR}));
        let secret = replaced(&sealed, &live, &[("foo", "bar")]);
        assert_eq!(json!(secret.metadata.owner_references), json!([other]));
    }

    fn rules() -> crate::plan::Rules {
        crate::plan::Rules {
            own_namespace: "kube-system".into(),
            key_prefix: "sealed-secrets-key".into(),
            accept_v1_data: true,
            allow_privileged_types: false,
        }
    }

    fn examined() -> Examined {
        Examined {
            place: Place::new("a", "x"),
            scope: keys::Scope::Strict,
            label: keys::Label::new(keys::Scope::Strict, "a", "x"),
            format: Format::Items,
            items: Vec::new(),
        }
    }

    fn built(template: Value, data: &[(&str, &str)]) -> Result<Blueprint, Problem> {
        let sealed = sealed(template);
        let plaintexts = blueprint(&sealed, data).data;
        let values = Values {
            plaintexts,
            ..Values::default()
        };
        Blueprint::new(&sealed, &examined(), values, &rules())
    }

    #[test]
    fn a_null_template_leaves_the_item_out() {
        let blueprint = built(json!({"data": {"b": null}}), &[("a", "1"), ("b", "2")]).unwrap();
        assert_eq!(blueprint.data.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn an_opened_item_wins_over_a_template_of_the_same_name() {
        let sealed = sealed(json!({"data": {"a": "t", "b": "t"}}));
        let mut values = Values {
            plaintexts: blueprint(&sealed, &[("a", "1")]).data,
            ..Values::default()
        };
        values.rendered = blueprint(&sealed, &[("a", "2"), ("b", "3")]).data;
        let blueprint = Blueprint::new(&sealed, &examined(), values, &rules()).unwrap();
        let value = |name: &str| blueprint.data[name].expose().to_vec();
        assert_eq!((value("a"), value("b")), (b"1".to_vec(), b"3".to_vec()));
    }

    #[test]
    fn the_record_does_not_follow_into_the_secret() {
        let annotations = json!({"signet.dev/sealed-with": "{}", "k": "v"});
        let blueprint = built(json!({"metadata": {"annotations": annotations}}), &[]).unwrap();
        assert_eq!(blueprint.annotations.keys().collect::<Vec<_>>(), ["k"]);
    }

    #[test]
    fn a_value_is_taken_over_only_for_the_same_ciphertext_in_an_untouched_secret() {
        let item = crate::plan::Item {
            name: "foo".into(),
            bytes: vec![1],
            digest: "d".into(),
        };
        let memory = Memory::default();
        let marks: BTreeMap<String, u64> = [("foo".to_owned(), memory.mark("foo", b"bar"))].into();
        let inputs = inputs_digest("u", keys::Scope::Strict);
        let written = |version: &str, digest: &str, inputs: &str| {
            serde_json::from_value::<crds::sealed_secret::Written>(json!({
                "secret": {"uid": "s", "resourceVersion": version}, "inputs": inputs,
                "items": {"foo": {"key": "k", "digest": digest}},
            }))
            .unwrap()
        };
        let same = live(json!({}), json!({"foo": BAR}));
        let edited = live(json!({}), json!({"foo": BAR1}));
        for (live, version, digest, with_marks, expected) in [
            (&same, "5", "d", false, true),
            (&same, "4", "d", false, false),
            (&same, "4", "d", true, true),
            (&edited, "4", "d", true, false),
            (&same, "5", "e", true, false),
        ] {
            let written = written(version, digest, &inputs);
            let marks = with_marks.then_some((&memory, &marks));
            let remembered = Remembered {
                written: Some(&written),
                inputs: &inputs,
                marks,
            };
            assert_eq!(
                reusable(&item, live, &remembered),
                expected,
                "{version} {digest}"
            );
        }
        let other = written("5", "d", "another scope");
        let remembered = Remembered {
            written: Some(&other),
            inputs: &inputs,
            marks: None,
        };
        assert!(!reusable(&item, &same, &remembered));
    }
}
