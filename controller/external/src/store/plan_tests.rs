//! What stores say and what becomes of it.

use std::sync::Arc;

use crds::secret_store::{ClusterSecretStore, SecretStore};
use serde_json::{Value, json};

use super::*;

fn namespaced(spec: Value) -> AnyStore {
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": {"name": "aws", "namespace": "team"}, "spec": spec,
    });
    AnyStore::Namespaced(Arc::new(
        serde_json::from_value::<SecretStore>(object).unwrap(),
    ))
}

fn cluster(spec: Value) -> AnyStore {
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "aws"}, "spec": spec,
    });
    AnyStore::Cluster(Arc::new(
        serde_json::from_value::<ClusterSecretStore>(object).unwrap(),
    ))
}

fn aws(more: Value) -> Value {
    let mut aws = json!({"service": "SecretsManager", "region": "eu-central-1"});
    for (key, value) in more.as_object().unwrap() {
        aws[key] = value.clone();
    }
    json!({"provider": {"aws": aws}})
}

fn keys(namespace: Option<&str>) -> Value {
    let reference = |key: &str| match namespace {
        Some(namespace) => json!({"name": "creds", "key": key, "namespace": namespace}),
        None => json!({"name": "creds", "key": key}),
    };
    json!({"auth": {"secretRef": {
        "accessKeyIDSecretRef": reference("id"), "secretAccessKeySecretRef": reference("secret"),
    }}})
}

fn asked(store: &AnyStore, namespace: Option<&str>) -> Option<Wanted> {
    wanted(store, checked(store).unwrap(), namespace).unwrap()
}

fn complaint(store: &AnyStore) -> String {
    checked(store).err().unwrap().to_string()
}

#[test]
fn a_provider_or_service_that_is_not_served_is_named() {
    let vault = namespaced(json!({"provider": {"vault": {"server": "x"}}}));
    assert!(complaint(&vault).starts_with("the provider vault is not served"));
    let none = namespaced(json!({"provider": {}}));
    assert_eq!(
        complaint(&none),
        "exactly one provider must be specified, found none"
    );
    let both = namespaced(json!({"provider": {"aws": {}, "vault": {}}}));
    assert_eq!(
        complaint(&both),
        "exactly one provider must be specified, found aws, vault"
    );
    let parameters = namespaced(aws(json!({"service": "ParameterStore"})));
    assert!(complaint(&parameters).starts_with("the AWS service ParameterStore is not served"));
}

#[test]
fn a_region_cannot_become_another_host() {
    for region in [
        "",
        "evil.example/",
        "eu-central-1.evil.example",
        "-a",
        "a@b",
        "a#",
    ] {
        let store = namespaced(aws(json!({ "region": region })));
        assert_eq!(
            complaint(&store),
            format!("spec.provider.aws.region: region not found: {region}")
        );
    }
}

#[test]
fn a_recovery_window_is_checked_as_the_incumbent_does() {
    for (settings, good) in [
        (json!({}), true),
        (json!({"recoveryWindowInDays": 7}), true),
        (json!({"recoveryWindowInDays": 31}), false),
        (
            json!({"recoveryWindowInDays": 7, "forceDeleteWithoutRecovery": true}),
            false,
        ),
    ] {
        let store = namespaced(aws(json!({ "secretsManager": settings })));
        assert_eq!(checked(&store).is_ok(), good, "{settings}");
    }
}

/// CVE-2026-42875: a namespaced store that refers to another namespace.
#[test]
fn t08_a_namespaced_store_may_not_refer_to_another_namespace() {
    let foreign = namespaced(aws(keys(Some("other"))));
    let text = complaint(&foreign);
    assert!(
        text.starts_with("spec.provider.aws.auth.secretRef.namespace: namespace should"),
        "{text}"
    );
    let account =
        json!({"auth": {"jwt": {"serviceAccountRef": {"name": "sa", "namespace": "other"}}}});
    assert!(complaint(&namespaced(aws(account))).contains("serviceAccountRef.namespace"));
    assert!(checked(&namespaced(aws(keys(Some("team"))))).is_ok());
}

#[test]
fn references_are_resolved_in_the_right_namespace() {
    let found = |store: &AnyStore, namespace| match asked(store, namespace)?.base {
        WantedBase::Keys {
            access_key_id: (key, field),
            ..
        } => Some(format!("{key} {field}")),
        _ => None,
    };
    let own = namespaced(aws(keys(None)));
    assert_eq!(found(&own, Some("team")).as_deref(), Some("team/creds id"));
    let fixed = cluster(aws(keys(Some("vault"))));
    assert_eq!(
        found(&fixed, Some("team")).as_deref(),
        Some("vault/creds id")
    );
    assert!(!asked(&fixed, None).unwrap().by_namespace);
    let referent = cluster(aws(keys(None)));
    assert_eq!(
        found(&referent, Some("team")).as_deref(),
        Some("team/creds id")
    );
    assert!(asked(&referent, Some("team")).unwrap().by_namespace);
    assert_eq!(asked(&referent, None), None);
}

#[test]
fn the_last_role_carries_external_id_and_tags() {
    let store = namespaced(aws(json!({
        "additionalRoles": ["one"], "role": "two", "externalID": "x",
        "sessionTags": [{"key": "team", "value": "a"}], "transitiveTagKeys": ["team"],
    })));
    let roles = asked(&store, Some("team")).unwrap().roles;
    assert_eq!(
        roles[0],
        Assume {
            role: "one".into(),
            ..Assume::default()
        }
    );
    assert_eq!(roles[1].external_id.as_deref(), Some("x"));
    assert_eq!(roles[1].tags, BTreeMap::from([("team".into(), "a".into())]));
    assert_eq!(roles[1].transitive_tags, ["team"]);
}

/// The incumbent's TestBuildSessionTags.
#[test]
fn tags_that_say_for_whom_make_an_identity_for_each_namespace() {
    let store = cluster(aws(json!({
        "role": "r", "sessionTagsPolicy": "Custom", "sessionTags": [{"key": "gone", "value": "x"}],
        "customSessionTags": {"team": "a", "empty": "", "esoNamespace": "forged"},
    })));
    let found = asked(&store, Some("ns")).unwrap();
    assert!(found.by_namespace);
    let expected = [
        ("esoNamespace", "ns"),
        ("esoStoreKind", "ClusterSecretStore"),
        ("esoStoreName", "aws"),
        ("team", "a"),
    ];
    assert_eq!(
        found.roles[0].tags,
        expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    assert_eq!(asked(&store, None), None);
}

#[test]
fn retries_are_as_the_incumbent_reads_them() {
    let retries = |settings: Value| {
        let mut spec = aws(json!({}));
        spec["retrySettings"] = settings;
        asked(&namespaced(spec), Some("team")).unwrap().retries
    };
    let second = Some(Duration::from_secs(1));
    assert_eq!(
        retries(json!({"retryInterval": "1s"})),
        Retries {
            attempts: Some(3),
            wait: second
        }
    );
    assert_eq!(
        retries(json!({"maxRetries": 1})),
        Retries {
            attempts: Some(1),
            wait: None
        }
    );
    assert_eq!(retries(json!({"maxRetries": 0})).attempts, Some(0));
    assert_eq!(
        asked(&namespaced(aws(json!({}))), None).unwrap().retries,
        Retries::default()
    );
}

#[test]
fn any_condition_of_a_cluster_store_admits_a_namespace() {
    let labels = BTreeMap::from([("team".to_owned(), "a".to_owned())]);
    let admitted = |conditions: Value| {
        let mut spec = aws(json!({}));
        spec["conditions"] = conditions;
        admits(&cluster(spec), "shop-prod", &labels)
    };
    for (conditions, expected) in [
        (json!([]), true),
        (json!([{}]), false),
        (json!([{"namespaces": ["shop"]}]), false),
        (json!([{"namespaces": ["shop", "shop-prod"]}]), true),
        (
            json!([{"namespaces": ["shop"]}, {"namespaceRegexes": ["-prod$"]}]),
            true,
        ),
        (json!([{"namespaceRegexes": ["shop"]}]), true),
        (json!([{"namespaceRegexes": ["^prod"]}]), false),
        (
            json!([{"namespaceSelector": {"matchLabels": {"team": "a"}}}]),
            true,
        ),
        (
            json!([{"namespaceSelector": {"matchLabels": {"team": "a", "x": "y"}}}]),
            false,
        ),
        (
            json!([{"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}]),
            true,
        ),
        (json!([{"namespaceSelector": {}}]), true),
    ] {
        assert_eq!(admitted(conditions.clone()), expected, "{conditions}");
    }
}
