//! What a ClusterExternalSecret asks of each namespace. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    cluster_external_secret::{
        ClusterExternalSecret, ClusterExternalSecretCondition, ClusterExternalSecretStatus,
        FailedNamespace, READY,
    },
    external_secret::{ExternalSecret, ExternalSecretSpec, FORCE_SYNC},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference};
use kube::{
    ResourceExt as _,
    api::ObjectMeta,
    core::{Selector, SelectorExt as _},
};

const GROUP: &str = "external-secrets.io";
const KIND: &str = "ClusterExternalSecret";
/// What the condition says when a namespace has failed (clusterexternalsecret_controller.go).
const FAILED: &str = "one or more namespaces failed";

/// What to do in one namespace.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// The ExternalSecret is to be made.
    Create(Box<ExternalSecret>),
    /// It is to be replaced.
    Replace(Box<ExternalSecret>),
    /// One of ours is to go.
    Delete(String),
}

/// What to do in all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plan {
    /// By namespace.
    pub(crate) actions: Vec<(String, Action)>,
    /// The namespaces that have, or will have, their ExternalSecret.
    pub(crate) provisioned: BTreeSet<String>,
    /// The namespaces where nothing may be done, and why.
    pub(crate) failed: BTreeMap<String, String>,
}

/// The name of the ExternalSecrets.
pub(crate) fn name_of(object: &ClusterExternalSecret) -> String {
    match object.spec.external_secret_name.as_str() {
        "" => object.name_any(),
        name => name.to_owned(),
    }
}

/// What to do. `namespaces` are those that are not being deleted, with their labels; `existing`
/// finds an ExternalSecret by namespace and name.
pub(crate) fn plan(
    object: &ClusterExternalSecret,
    namespaces: &BTreeMap<String, BTreeMap<String, String>>,
    existing: &dyn Fn(&str, &str) -> Option<ExternalSecret>,
) -> Plan {
    let name = name_of(object);
    let selected: BTreeSet<&String> = namespaces
        .iter()
        .filter(|(name, labels)| selects(object, name, labels))
        .map(|(n, _)| n)
        .collect();
    let mut plan = Plan::default();
    let status = object.status.clone().unwrap_or_default();
    let old_name = status.external_secret_name.as_str();
    for namespace in &status.provisioned_namespaces {
        let mut old = vec![];
        if !old_name.is_empty() && old_name != name {
            old.push(old_name);
        }
        if !selected.contains(namespace) {
            old.push(&name);
        }
        for old in old {
            if existing(namespace, old).is_some_and(|found| is_owned(&found, object)) {
                plan.actions
                    .push((namespace.clone(), Action::Delete(old.to_owned())));
            }
        }
    }
    for namespace in selected {
        match existing(namespace, &name) {
            Some(found) if !is_owned(&found, object) => {
                let reason = "external secret already exists in namespace".to_owned();
                plan.failed.insert(namespace.clone(), reason);
            }
            Some(found) => {
                let wanted = wanted(object, namespace, &name, found.metadata.clone());
                if !is_same(&wanted, &found) {
                    plan.actions
                        .push((namespace.clone(), Action::Replace(Box::new(wanted))));
                }
                plan.provisioned.insert(namespace.clone());
            }
            None => {
                let wanted = wanted(object, namespace, &name, ObjectMeta::default());
                plan.actions
                    .push((namespace.clone(), Action::Create(Box::new(wanted))));
                plan.provisioned.insert(namespace.clone());
            }
        }
    }
    plan
}

/// Any selector is enough, and any name.
fn selects(
    object: &ClusterExternalSecret,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> bool {
    let spec = &object.spec;
    let selectors = spec
        .namespace_selector
        .iter()
        .chain(&spec.namespace_selectors);
    selectors.into_iter().any(|selector| fits(selector, labels))
        || spec.namespaces.iter().any(|name| name == namespace)
}

fn fits(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    Selector::try_from(selector.clone()).is_ok_and(|selector| selector.matches(labels))
}

fn wanted(
    object: &ClusterExternalSecret,
    namespace: &str,
    name: &str,
    metadata: ObjectMeta,
) -> ExternalSecret {
    let asked = &object.spec.external_secret_metadata;
    let mut annotations = asked.annotations.clone();
    match object.annotations().get(FORCE_SYNC) {
        Some(value) => drop(annotations.insert(FORCE_SYNC.to_owned(), value.clone())),
        None => drop(annotations.remove(FORCE_SYNC)),
    }
    let owner = OwnerReference {
        api_version: format!("{GROUP}/v1"),
        kind: KIND.to_owned(),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let others = metadata.owner_references.iter().flatten();
    let others = others.filter(|owner| owner.kind != KIND || owner.name != object.name_any());
    let owners = others.cloned().chain([owner]).collect();
    ExternalSecret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(asked.labels.clone()),
            annotations: Some(annotations),
            owner_references: Some(owners),
            managed_fields: None,
            ..metadata
        },
        spec: object.spec.external_secret_spec.clone(),
        status: None,
    }
}

fn is_same(wanted: &ExternalSecret, found: &ExternalSecret) -> bool {
    let owners = |object: &ExternalSecret| object.owner_references().to_vec();
    wanted.labels() == found.labels()
        && wanted.annotations() == found.annotations()
        && owners(wanted) == owners(found)
        && normal(&wanted.spec) == normal(&found.spec)
}

/// A spec with the default that the API server fills in, and with one form of a duration: the
/// incumbent writes `1h0m0s` where the manifest says `1h`.
fn normal(spec: &ExternalSecretSpec) -> ExternalSecretSpec {
    let mut spec = spec.clone();
    let interval = spec.refresh_interval.take();
    let interval = interval.unwrap_or_else(|| "1h0m0s".to_owned());
    spec.refresh_interval = Some(match crds::duration::parse(&interval) {
        Ok(duration) => format!("{}ns", duration.as_nanos()),
        Err(_) => interval,
    });
    spec
}

/// Whether the ExternalSecret is this object's (`isExternalSecretOwnedBy`: by name).
pub(crate) fn is_owned(found: &ExternalSecret, object: &ClusterExternalSecret) -> bool {
    let mut controllers = found
        .owner_references()
        .iter()
        .filter(|owner| owner.controller == Some(true));
    controllers.any(|owner| {
        let group = owner
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        group == GROUP && owner.kind == KIND && owner.name == object.name_any()
    })
}

/// The status once a plan was carried out.
pub(crate) fn status(
    object: &ClusterExternalSecret,
    plan: &Plan,
    failed: &BTreeMap<String, String>,
) -> ClusterExternalSecretStatus {
    let good = failed.is_empty();
    ClusterExternalSecretStatus {
        external_secret_name: name_of(object),
        failed_namespaces: failed
            .iter()
            .map(|(namespace, reason)| FailedNamespace {
                namespace: namespace.clone(),
                reason: reason.clone(),
            })
            .collect(),
        provisioned_namespaces: plan
            .provisioned
            .iter()
            .filter(|namespace| !failed.contains_key(*namespace))
            .cloned()
            .collect(),
        conditions: vec![ClusterExternalSecretCondition {
            type_: READY.to_owned(),
            status: if good { "True" } else { "False" }.to_owned(),
            message: if good {
                String::new()
            } else {
                FAILED.to_owned()
            },
        }],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(spec: Value, status: Value) -> ClusterExternalSecret {
        let mut spec = spec;
        spec["externalSecretSpec"] = json!({"secretStoreRef": {"name": "s"}, "data": []});
        serde_json::from_value(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
            "metadata": {"name": "ces", "uid": "u", "annotations": {FORCE_SYNC: "7", "other": "x"}},
            "spec": spec, "status": status,
        }))
        .unwrap()
    }

    fn namespaces() -> BTreeMap<String, BTreeMap<String, String>> {
        let labelled = |team: &str| BTreeMap::from([("team".to_owned(), team.to_owned())]);
        [("a", "x"), ("b", "x"), ("c", "y")]
            .map(|(n, team)| (n.to_owned(), labelled(team)))
            .into()
    }

    fn words(plan: &Plan) -> Vec<String> {
        let word = |action: &Action| match action {
            Action::Create(_) => "create".to_owned(),
            Action::Replace(_) => "replace".to_owned(),
            Action::Delete(name) => format!("delete {name}"),
        };
        plan.actions
            .iter()
            .map(|(namespace, action)| format!("{namespace}: {}", word(action)))
            .collect()
    }

    #[test]
    fn namespaces_are_selected_by_any_selector_or_name() {
        let of = object(
            json!({"namespaceSelectors": [{"matchLabels": {"team": "x"}}], "namespaces": ["c", "gone"]}),
            json!({}),
        );
        let plan = plan(&of, &namespaces(), &|_, _| None);
        assert_eq!(words(&plan), ["a: create", "b: create", "c: create"]);
        let none = super::plan(&object(json!({}), json!({})), &namespaces(), &|_, _| None);
        assert_eq!(none, Plan::default());
    }

    #[test]
    fn what_is_there_already_is_left_and_what_was_edited_is_put_back() {
        let of = object(
            json!({"namespaces": ["a"], "externalSecretMetadata": {"labels": {"l": "1"}}}),
            json!({}),
        );
        let Action::Create(mut made) = plan(&of, &namespaces(), &|_, _| None).actions.remove(0).1
        else {
            panic!("it is created first");
        };
        assert_eq!(
            made.annotations().get(FORCE_SYNC).map(String::as_str),
            Some("7")
        );
        assert!(!made.annotations().contains_key("other"));
        // As the API server returns it.
        made.spec.refresh_interval = Some("1h0m0s".into());
        made.metadata.resource_version = Some("1".into());
        let again = plan(&of, &namespaces(), &|_, _| Some((*made).clone()));
        assert!(again.actions.is_empty() && again.provisioned.contains("a"));
        // As the incumbent writes the same duration.
        let mut hour = of.clone();
        hour.spec.external_secret_spec.refresh_interval = Some("60m".into());
        let again = plan(&hour, &namespaces(), &|_, _| Some((*made).clone()));
        assert_eq!(words(&again), Vec::<String>::new());
        hour.spec.external_secret_spec.refresh_interval = Some("61m".into());
        let longer = plan(&hour, &namespaces(), &|_, _| Some((*made).clone()));
        assert_eq!(words(&longer), ["a: replace"]);
        made.metadata.labels = None;
        let edited = plan(&of, &namespaces(), &|_, _| Some((*made).clone()));
        assert_eq!(words(&edited), ["a: replace"]);
    }

    #[test]
    fn one_that_is_not_ours_is_told_and_left() {
        let of = object(json!({"namespaces": ["a", "b"]}), json!({}));
        let foreign = |namespace: &str, _: &str| (namespace == "a").then(ExternalSecret::default);
        let plan = plan(&of, &namespaces(), &foreign);
        assert_eq!(words(&plan), ["b: create"]);
        let status = status(&of, &plan, &plan.failed);
        assert_eq!(status.provisioned_namespaces, ["b"]);
        assert_eq!(
            status.failed_namespaces[0].reason,
            "external secret already exists in namespace"
        );
        assert_eq!(
            (
                status.conditions[0].status.as_str(),
                status.conditions[0].message.as_str()
            ),
            ("False", FAILED)
        );
    }

    #[test]
    fn what_is_no_longer_selected_or_has_another_name_goes() {
        let of = object(
            json!({"namespaces": ["a"], "externalSecretName": "new"}),
            json!({"externalSecretName": "old", "provisionedNamespaces": ["a", "b"]}),
        );
        let owned = wanted(&of, "a", "old", ObjectMeta::default());
        let existing = |_: &str, name: &str| (name == "old").then(|| owned.clone());
        let plan = plan(&of, &namespaces(), &existing);
        assert_eq!(
            words(&plan),
            ["a: delete old", "b: delete old", "a: create"]
        );
    }
}
