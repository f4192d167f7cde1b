//! One object that does not decode fails the list it is in, and with it the watch of its siblings. These
//! objects pass the incumbents' schemas, or were stored before there was one.

#![expect(clippy::unwrap_used, reason = "tests")]

use crds::duration::DurationError;
use crds::external_secret::{CreationPolicy, ExternalSecret};
use crds::git_repository::GitRepository;
use crds::kustomization::{InventoryEntry, Kustomization};
use crds::sealed_secret::SealedSecret;
use crds::secret_store::{AwsService, ClusterSecretStore, SecretStore};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read<K: DeserializeOwned>(object: &Value) -> K {
    let mut whole = json!({"apiVersion": "x/v1", "kind": "X", "metadata": {"name": "x"}});
    for (key, value) in object.as_object().unwrap() {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

#[test]
fn an_object_without_spec_decodes() {
    for object in [
        json!({}),
        json!({"spec": null}),
        json!({"spec": {}}),
        json!({"status": null}),
    ] {
        assert_eq!(read::<SealedSecret>(&object).spec, <_>::default());
        assert_eq!(read::<ExternalSecret>(&object).spec, <_>::default());
        assert_eq!(read::<SecretStore>(&object).spec, <_>::default());
        assert_eq!(read::<ClusterSecretStore>(&object).spec, <_>::default());
        assert_eq!(read::<GitRepository>(&object).spec, <_>::default());
        assert_eq!(read::<Kustomization>(&object).spec, <_>::default());
    }
}

#[test]
fn a_status_of_any_shape_decodes() {
    for status in [
        json!({}),
        json!({"observedGeneration": -1}),
        json!({"observedGeneration": "x", "conditions": "x", "written": 1, "history": {}, "artifact": []}),
        json!({"conditions": [{"type": 1}], "refreshTime": null, "binding": "x", "capabilities": 3}),
        json!({"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "yesterday"}]}),
        json!({"refreshTime": "2024-01-01T00:00:00+99:00", "artifact": {"revision": "x"}}),
    ] {
        let object = json!({"status": status});
        assert!(read::<SealedSecret>(&object).status.is_some());
        assert!(read::<ExternalSecret>(&object).status.is_some());
        assert!(read::<SecretStore>(&object).status.is_some());
        assert!(read::<GitRepository>(&object).status.is_some());
        assert!(read::<Kustomization>(&object).status.is_some());
    }
}

#[test]
fn a_bad_sealed_item_reads_as_empty_as_in_the_incumbent() {
    let encrypted = json!({"a": "AgB", "b": 1, "c": null, "d": {"e": "f"}, "g": ["h"]});
    let sealed = read::<SealedSecret>(&json!({"spec": {"encryptedData": encrypted}}));
    let items: Vec<_> = sealed
        .spec
        .encrypted_data
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(items, ["a=AgB", "b=", "c=", "d=", "g="]);
    for none in [json!(null), json!("x"), json!(["x"])] {
        let sealed = read::<SealedSecret>(&json!({"spec": {"encryptedData": none}}));
        assert!(sealed.spec.encrypted_data.is_empty());
    }
}

#[test]
fn a_template_keeps_what_it_does_not_know() {
    let template = json!({
        "type": "Opaque",
        "immutable": true,
        "data": {"a": "{{ .b }}", "c": null, "d": 1},
        "metadata": {
            "name": "x",
            "creationTimestamp": "not a time",
            "labels": {"a": "b", "c": 1},
            "annotations": null,
            "finalizers": ["x"],
            "ownerReferences": [{"kind": "Y"}],
        },
    });
    let sealed =
        read::<SealedSecret>(&json!({"spec": {"template": template, "encryptedData": {}}}));
    let template = &sealed.spec.template;
    assert_eq!(template.data["a"].as_deref(), Some("{{ .b }}"));
    assert_eq!(template.data["c"], None);
    assert_eq!(template.data["d"].as_deref(), Some("1"));
    assert_eq!(template.metadata.labels["c"], "1");
    assert!(template.metadata.annotations.is_empty());
    let written = serde_json::to_value(&sealed).unwrap();
    let metadata = &written["spec"]["template"]["metadata"];
    assert_eq!(metadata["creationTimestamp"], "not a time");
    assert_eq!(metadata["ownerReferences"], json!([{"kind": "Y"}]));
    for template in [json!(null), json!({"metadata": null, "data": null})] {
        let sealed = read::<SealedSecret>(&json!({"spec": {"template": template}}));
        assert_eq!(sealed.spec.template, <_>::default());
    }
}

#[test]
fn a_policy_from_the_future_is_kept_by_its_name() {
    let target = json!({"creationPolicy": "Borrow", "deletionPolicy": ""});
    let secret = read::<ExternalSecret>(&json!({"spec": {"target": target}}));
    assert_eq!(
        secret.spec.target.creation_policy,
        CreationPolicy::Other("Borrow".to_owned())
    );
    assert!(secret.spec.target.deletion_policy.is_default());
    assert_eq!(
        serde_json::to_value(&secret.spec).unwrap()["target"]["creationPolicy"],
        "Borrow"
    );
}

#[test]
fn an_interval_that_is_none_fails_its_object_alone() {
    let seconds = |text: &str| {
        let secret = read::<ExternalSecret>(&json!({"spec": {"refreshInterval": text}}));
        secret
            .spec
            .parse_refresh_interval()
            .map(|interval| interval.map(|it| it.as_secs()))
    };
    assert_eq!(seconds("1h0m0s"), Ok(Some(3600)));
    assert_eq!(seconds(""), Ok(Some(3600)));
    assert_eq!(seconds("0s"), Ok(None));
    assert_eq!(seconds("1ns"), Ok(Some(1)));
    assert_eq!(seconds("99999999h"), Err(DurationError::TooLong));
    assert_eq!(seconds("-1h"), Err(DurationError::Negative));

    let spec = json!({"interval": "99999999h", "timeout": "1d"});
    let source = read::<GitRepository>(&json!({"spec": spec})).spec;
    assert_eq!(source.parse_interval(), Err(DurationError::TooLong));
    assert_eq!(source.parse_timeout(), Err(DurationError::Malformed));
}

#[test]
fn a_kustomization_has_fluxs_default_times() {
    let times = |spec: Value| {
        let spec = read::<Kustomization>(&json!({"spec": spec})).spec;
        [
            spec.parse_interval(),
            spec.parse_retry_interval(),
            spec.parse_timeout(),
        ]
        .map(|time| time.unwrap().as_secs())
    };
    assert_eq!(times(json!({"interval": "10m"})), [600, 600, 570]);
    assert_eq!(
        times(json!({"interval": "40s", "retryInterval": "5s"})),
        [40, 5, 30]
    );
    assert_eq!(
        times(json!({"interval": "0s", "timeout": "2m"})),
        [1, 1, 120]
    );
}

#[test]
fn a_store_may_be_validated_every_so_many_seconds() {
    let seconds = |interval: Value| {
        let store = read::<SecretStore>(&json!({"spec": {"refreshInterval": interval}}));
        store
            .spec
            .parse_refresh_interval()
            .map(|interval| interval.map(|it| it.as_secs()))
    };
    assert_eq!(seconds(json!(300)), Ok(Some(300)));
    assert_eq!(seconds(json!("300")), Ok(Some(300)));
    assert_eq!(seconds(json!("5m")), Ok(Some(300)));
    assert_eq!(seconds(json!(0)), Ok(None));
    assert_eq!(seconds(json!(null)), Ok(None));
    assert_eq!(seconds(json!(-1)), Err(DurationError::Negative));
    assert_eq!(
        seconds(json!(99_999_999_999_u64)),
        Err(DurationError::TooLong)
    );
    assert_eq!(seconds(json!(1e300)), Err(DurationError::Malformed));
}

#[test]
fn a_store_of_another_provider_survives_a_round_trip() {
    let provider = json!({"vault": {"server": "https://v", "auth": {"x": [1]}}});
    let store = read::<ClusterSecretStore>(&json!({"spec": {"provider": provider}}));
    assert!(store.spec.provider.aws.is_none());
    assert_eq!(store.spec.provider.names().collect::<Vec<_>>(), ["vault"]);
    assert_eq!(
        serde_json::to_value(&store).unwrap()["spec"]["provider"],
        provider
    );

    let provider = json!({"aws": {
        "service": "SecretsManager",
        "region": "eu-west-1",
        "externalID": "x",
        "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": "a", "key": "id", "namespace": "n"},
            "secretAccessKeySecretRef": {"name": "a", "key": "secret"},
        }},
    }});
    let store = read::<SecretStore>(&json!({"spec": {"provider": provider}}));
    let aws = store.spec.provider.aws.as_ref().unwrap();
    assert_eq!(aws.service, AwsService::SecretsManager);
    assert_eq!(
        aws.auth
            .secret_ref
            .as_ref()
            .unwrap()
            .access_key_id
            .namespace
            .as_deref(),
        Some("n")
    );
    assert_eq!(store.spec.provider.names().collect::<Vec<_>>(), ["aws"]);
    assert_eq!(
        serde_json::to_value(&store).unwrap()["spec"]["provider"],
        provider
    );
}

#[test]
fn an_inventory_reads_as_flux_wrote_it() {
    let entries = json!([{"id": "ns_name_apps_Deployment", "v": "v1"}]);
    let object =
        json!({"status": {"inventory": {"entries": entries}, "observedGeneration": "bad"}});
    let status = read::<Kustomization>(&object).status.unwrap();
    let entry = InventoryEntry {
        id: "ns_name_apps_Deployment".to_owned(),
        v: "v1".to_owned(),
    };
    assert_eq!(status.inventory.unwrap().entries, [entry]);
}
