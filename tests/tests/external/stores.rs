//! Stores, refresh policies and keys that cannot be: the rest of the controller's table of the
//! incumbent, by the names that its entries have there.

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, eventually, objects};

use crate::{
    data, pairs, shared,
    stage::{Shared, Stage, store},
    synced,
};

fn one(stage: &Stage) -> Value {
    json!({"data": [{"secretKey": "value", "remoteRef": {"key": stage.remote("db")}}]})
}

async fn refused_with(
    stage: &Stage,
    shared: &Shared,
    name: &str,
    texts: &[&str],
) -> Result<(), Failure> {
    stage.refused(&shared.controller, name, texts).await?;
    let made = stage
        .cluster
        .get(&Coordinates::secret(&stage.namespace, name))
        .await?;
    assert_eq!(made, None, "{name} has a Secret");
    Ok(())
}

/// syncWithMultipleSecretStores, and ignoreMismatchController: a store of another controller's class
/// gets no condition, nor does who asks it.
#[tokio::test]
async fn each_entry_asks_its_own_store_and_a_foreign_one_is_left_alone() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let key = objects::secret(
        &stage.namespace,
        "second-key",
        &[("id", b"AKIASECOND"), ("secret", b"x")],
    );
    stage.cluster.create(&key).await?;
    let mut second = store("SecretStore", "second", &stage.namespace);
    let keys = &mut second["spec"]["provider"]["aws"]["auth"]["secretRef"];
    for field in ["accessKeyIDSecretRef", "secretAccessKeySecretRef"] {
        keys[field]["name"] = json!("second-key");
    }
    stage.cluster.create(&second).await?;
    let mut foreign = store("SecretStore", "foreign", &stage.namespace);
    foreign["spec"]["controller"] = json!("nop");
    stage.cluster.create(&foreign).await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let mut ignored = stage.one_value("ignored", "db", None);
    ignored["spec"]["secretStoreRef"]["name"] = json!("foreign");
    stage.cluster.create(&ignored).await?;
    shared
        .aws
        .create_secret(&stage.remote("second"), "of the second")
        .await?;
    let spec = json!({"data": [
        {"secretKey": "first", "remoteRef": {"key": stage.remote("db")}},
        {
            "secretKey": "second", "remoteRef": {"key": stage.remote("second")},
            "sourceRef": {"storeRef": {"name": "second", "kind": "SecretStore"}},
        },
    ]});
    let found = synced(&stage, "both", spec).await?;
    assert_eq!(
        found,
        pairs([("first", "value"), ("second", "of the second")])
    );
    let by: Vec<String> = shared
        .aws
        .calls()
        .into_iter()
        .filter(|call| call.body.to_string().contains(&stage.remote("second")))
        .map(|call| call.access_key)
        .collect();
    assert!(
        !by.is_empty() && by.iter().all(|key| key == "AKIASECOND"),
        "{by:?}"
    );
    for at in [
        Coordinates::new(
            "external-secrets.io/v1",
            "SecretStore",
            &stage.namespace,
            "foreign",
        ),
        stage.at("ignored"),
    ] {
        let object = stage.cluster.must_get(&at).await?;
        assert_eq!(object["status"]["conditions"], Value::Null, "{at}");
    }
    Ok(())
}

/// The ClusterSecretStore conditions: any that holds is enough, and a label that comes is noticed.
#[tokio::test]
async fn a_cluster_store_says_which_namespaces_may_use_it() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let namespace = &stage.namespace;
    let labels = |extra: Value| json!({"namespaceSelector": {"matchLabels": extra}});
    let own = json!({"kubernetes.io/metadata.name": namespace});
    let cases = [
        (
            "by-name",
            json!([{"namespaces": ["other", namespace]}]),
            true,
        ),
        (
            "by-regex",
            json!([{"namespaceRegexes": ["^external-\\w+$"]}]),
            true,
        ),
        ("by-label", json!([labels(own.clone())]), true),
        (
            "by-any",
            json!([{"namespaces": ["other"]}, labels(own.clone())]),
            true,
        ),
        ("by-other-name", json!([{"namespaces": ["other"]}]), false),
        (
            "by-part",
            json!([labels(
                json!({"kubernetes.io/metadata.name": namespace, "chosen": namespace})
            )]),
            false,
        ),
    ];
    for (name, conditions, _) in &cases {
        let mut object = store(
            "ClusterSecretStore",
            &format!("{name}-{namespace}"),
            namespace,
        );
        object["spec"]["conditions"] = conditions.clone();
        stage.cluster.create(&object).await?;
        let mut object = stage.one_value(name, "db", None);
        object["spec"]["secretStoreRef"] =
            json!({"name": format!("{name}-{namespace}"), "kind": "ClusterSecretStore"});
        stage.cluster.create(&object).await?;
    }
    for (name, _, admitted) in &cases {
        if *admitted {
            stage
                .cluster
                .secret_holds(namespace, name, "value", b"value")
                .await?;
            continue;
        }
        let text = format!(
            "using cluster store \"{name}-{namespace}\" is not allowed from namespace \"{namespace}\": denied by spec.condition"
        );
        refused_with(&stage, shared, name, &[&text]).await?;
    }
    let labelled = json!({"metadata": {"labels": {"chosen": namespace}}});
    stage
        .cluster
        .merge(
            &Coordinates::new("v1", "Namespace", "", namespace),
            &labelled,
        )
        .await?;
    stage
        .cluster
        .secret_holds(namespace, "by-part", "value", b"value")
        .await
}

/// invalidExtractKeysErrCondition, invalidFindKeysErrCondition and failWhen...NullBytes.
#[tokio::test]
async fn keys_and_values_that_cannot_be_are_told_and_nothing_is_made() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("slash"), r#"{"foo/bar":"x"}"#)
        .await?;
    let nul = json!({"k": "a\u{0}b"}).to_string();
    shared.aws.create_secret(&stage.remote("nul"), &nul).await?;
    let bytes = json!({"Name": stage.remote("bytes"), "SecretBinary": "AP8="});
    shared.aws.call("CreateSecret", bytes).await?;
    let same = json!([{"regexp": {"source": "(.*)", "target": "$1"}}]);
    let tip = "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys)";
    let found = |name: &str| json!({"name": {"regexp": format!("^{}$", stage.remote(name))}});
    let with_policy = |mut what: Value| {
        what["nullBytePolicy"] = json!("Fail");
        what
    };
    for (name, spec, text) in [
        (
            "extract",
            json!({"dataFrom": [{"extract": {"key": stage.remote("slash")}, "rewrite": same}]}),
            tip,
        ),
        (
            "find",
            json!({"dataFrom": [{"find": found("slash"), "rewrite": same}]}),
            tip,
        ),
        (
            "nul-data",
            json!({"data": [{"secretKey": "k", "remoteRef": with_policy(json!({"key": stage.remote("bytes")}))}]}),
            "null byte",
        ),
        (
            "nul-extract",
            json!({"dataFrom": [{"extract": with_policy(json!({"key": stage.remote("nul")}))}]}),
            "null byte",
        ),
        (
            "nul-find",
            json!({"dataFrom": [{"find": with_policy(found("bytes"))}]}),
            "null byte",
        ),
    ] {
        stage
            .cluster
            .create(&stage.external_secret(name, spec))
            .await?;
        refused_with(&stage, shared, name, &[text]).await?;
    }
    let metrics = shared.controller.metrics().await?;
    for metric in [
        "externalsecret_sync_calls_total",
        "externalsecret_sync_calls_error",
    ] {
        let line = metrics.lines().find(|line| {
            line.starts_with(metric)
                && line.contains("\"extract\"")
                && line.contains(&stage.namespace)
        });
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        assert!(
            count.is_some_and(|count| count >= 1.0),
            "{metric}: {line:?}"
        );
    }
    Ok(())
}

/// The refreshPolicy table, and deletionPolicyRetainEmpty.
#[tokio::test]
async fn each_refresh_policy_asks_again_when_it_says() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "first")
        .await?;
    for policy in ["CreatedOnce", "OnChange", "Periodic"] {
        let mut spec = one(&stage);
        spec["refreshPolicy"] = json!(policy);
        let found = synced(&stage, &policy.to_lowercase(), spec).await?;
        assert_eq!(found, pairs([("value", "first")]), "{policy}");
    }
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "periodic", "value", b"second")
        .await?;
    for name in ["createdonce", "onchange"] {
        assert_eq!(
            data(&stage, name).await?,
            pairs([("value", "first")]),
            "{name}"
        );
        let force = json!({"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}});
        stage.cluster.merge(&stage.at(name), &force).await?;
    }
    stage
        .cluster
        .secret_holds(&stage.namespace, "onchange", "value", b"second")
        .await?;
    assert_eq!(
        data(&stage, "createdonce").await?,
        pairs([("value", "first")])
    );

    let find = json!({"dataFrom": [{
        "find": {"name": {"regexp": format!("^{}$", stage.remote("db"))}},
        "rewrite": [{"regexp": {"source": ".*/", "target": ""}}],
    }]});
    let found = synced(&stage, "retained", find).await?;
    assert_eq!(found, pairs([("db", "second")]));
    shared.aws.delete_secret(&stage.remote("db")).await?;
    let retained = "secret retained due to DeletionPolicy=Retain";
    eventually("the message about what is kept", async || {
        let condition = stage
            .cluster
            .condition(&stage.at("retained"), "Ready", "True")
            .await?;
        Ok(Observation::when(condition["message"] == retained, || {
            condition.to_string()
        }))
    })
    .await?;
    assert_eq!(data(&stage, "retained").await?, pairs([("db", "second")]));
    Ok(())
}

/// The entries of clusterexternalsecret_controller_test.go that `cluster_external_secret/plan.rs` does
/// not decide alone: names, metadata, a foreign object in the way, edits, another name, the end.
#[tokio::test]
async fn a_cluster_external_secret_follows_its_spec_and_leaves_nothing() -> Result<(), Failure> {
    let shared = shared().await?;
    let (one, two) = (shared.stage().await?, shared.stage().await?);
    shared.aws.create_secret(&one.remote("db"), "value").await?;
    let name = format!("ces-{}", one.namespace);
    let theirs = two.one_value(&name, "nowhere", None);
    two.cluster.create(&theirs).await?;
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
        "metadata": {"name": name, "annotations": {"external-secrets.io/force-sync": "7"}},
        "spec": {
            "externalSecretMetadata": {"labels": {"of": "everybody"}},
            "externalSecretSpec": {
                "refreshInterval": "1h", "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
                "data": [{"secretKey": "value", "remoteRef": {"key": one.remote("db")}}],
            },
            "namespaceSelectors": [{"matchExpressions": [{
                "key": "kubernetes.io/metadata.name", "operator": "In",
                "values": [one.namespace, two.namespace, "gone"],
            }]}],
        },
    });
    one.cluster.create(&object).await?;
    let at = Coordinates::new("external-secrets.io/v1", "ClusterExternalSecret", "", &name);
    one.cluster
        .secret_holds(&one.namespace, &name, "value", b"value")
        .await?;
    one.cluster.condition(&at, "Ready", "False").await?;
    let status = one.cluster.must_get(&at).await?["status"].clone();
    assert_eq!(status["externalSecretName"], name);
    assert_eq!(status["provisionedNamespaces"], json!([one.namespace]));
    let failed = json!([{"namespace": two.namespace, "reason": "external secret already exists in namespace"}]);
    assert_eq!(status["failedNamespaces"], failed);
    let made = one.cluster.must_get(&one.at(&name)).await?;
    assert_eq!(made["metadata"]["labels"]["of"], "everybody");
    assert_eq!(
        made["metadata"]["annotations"]["external-secrets.io/force-sync"],
        "7"
    );

    let edit = json!({"metadata": {"labels": {"of": "nobody"}}, "spec": {"refreshInterval": "2h"}});
    one.cluster.merge(&one.at(&name), &edit).await?;
    eventually("the edit put back", async || {
        let now = one.cluster.must_get(&one.at(&name)).await?;
        let back = now["metadata"]["labels"]["of"] == "everybody"
            && now["spec"]["refreshInterval"] == "1h";
        Ok(Observation::when(back, || now["spec"].to_string()))
    })
    .await?;
    two.cluster.delete(&two.at(&name)).await?;
    two.cluster
        .secret_holds(&two.namespace, &name, "value", b"value")
        .await?;
    one.cluster.condition(&at, "Ready", "True").await?;

    let renamed = json!({"spec": {"externalSecretName": "renamed"}});
    one.cluster.merge(&at, &renamed).await?;
    one.cluster
        .secret_holds(&one.namespace, "renamed", "value", b"value")
        .await?;
    let gone = async |stage: &Stage, name: &str| {
        eventually("the end of the ExternalSecret", async || {
            let left = stage.cluster.get(&stage.at(name)).await?;
            Ok(Observation::when(left.is_none(), || {
                "it is still there".to_owned()
            }))
        })
        .await
    };
    for stage in [&one, &two] {
        gone(stage, &name).await?;
    }
    one.cluster.delete(&at).await?;
    for stage in [&one, &two] {
        gone(stage, "renamed").await?;
    }
    Ok(())
}

/// externalsecret_validator_test.go and secretstore_validator_test.go: what the webhook of the
/// incumbent refuses, the API server does by the rules in the definition, in both versions.
#[tokio::test]
async fn the_api_server_refuses_what_the_incumbents_webhook_refused() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let value = json!([{"secretKey": "k", "remoteRef": {"key": "x"}}]);
    let target = |creation: &str, deletion: &str| json!({"data": value, "target": {"creationPolicy": creation, "deletionPolicy": deletion}});
    let from = |entry: Value| json!({"dataFrom": [entry]});
    let (extract, find) = (json!({"key": "x"}), json!({"name": {"regexp": "."}}));
    let generator = json!({"generatorRef": {"kind": "Password", "name": "p"}});
    let delete =
        "deletionPolicy=Delete must not be used when the controller doesn't own the secret";
    let refused = [
        (json!({}), "either data or dataFrom should be specified"),
        (
            from(json!({})),
            "one of extract, find or sourceRef is required",
        ),
        (
            from(json!({"extract": extract, "find": find})),
            "extract and find cannot be set at the same time",
        ),
        (
            from(json!({"extract": extract, "sourceRef": generator})),
            "generatorRef",
        ),
        (
            from(json!({"find": find, "sourceRef": generator})),
            "generatorRef",
        ),
        (target("Merge", "Delete"), delete),
        (target("None", "Delete"), delete),
        (target("CreateOrMerge", "Delete"), delete),
        (
            target("None", "Merge"),
            "deletionPolicy=Merge must not be used with creationPolicy=None",
        ),
        (target("Never", "Retain"), "creationPolicy"),
        (
            json!({"data": [{"secretKey": "a/b", "remoteRef": {"key": "x"}}]}),
            "secretKey",
        ),
        (
            json!({"data": [{"secretKey": "k", "remoteRef": {}}]}),
            "key",
        ),
        (
            json!({"data": value, "refreshInterval": 3600}),
            "refreshInterval",
        ),
    ];
    let accepted = [
        target("Owner", "Delete"),
        target("Orphan", "Delete"),
        target("Merge", "Merge"),
        from(json!({"extract": extract})),
        from(json!({"sourceRef": generator})),
    ];
    for version in ["v1", "v1beta1"] {
        let create = async |name: String, spec: &Value| {
            let mut object = stage.external_secret(&name, spec.clone());
            object["apiVersion"] = json!(format!("external-secrets.io/{version}"));
            stage.cluster.create(&object).await
        };
        for (index, (spec, text)) in refused.iter().enumerate() {
            let answer = create(format!("refused-{version}-{index}"), spec).await;
            let told = answer.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
            assert!(told.contains(text), "{version} {spec}: {told}");
        }
        for (index, spec) in accepted.iter().enumerate() {
            create(format!("accepted-{version}-{index}"), spec).await?;
        }
    }
    Ok(())
}
