//! What an ExternalSecret may ask for besides a value: searches, versions, tags, templates, policies,
//! generators, roles, and one ExternalSecret for many namespaces.

#[path = "external/cases.rs"]
mod cases;
#[path = "external/ownership.rs"]
mod ownership;
#[path = "external/stage.rs"]
mod stage;
#[path = "external/stores.rs"]
mod stores;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, eventually, objects};

use crate::stage::{Shared, Stage, store};

async fn shared() -> Result<&'static Shared, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    tests::share(&SHARED, Shared::start).await
}

/// Creates an ExternalSecret and waits until it is synced; returns the keys and values of its Secret.
async fn synced(
    stage: &Stage,
    name: &str,
    spec: Value,
) -> Result<BTreeMap<String, String>, Failure> {
    stage
        .cluster
        .create(&stage.external_secret(name, spec))
        .await?;
    stage
        .cluster
        .condition(&stage.at(name), "Ready", "True")
        .await?;
    data(stage, name).await
}

async fn data(stage: &Stage, name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let data = stage
        .cluster
        .secret_data(&stage.namespace, name)
        .await?
        .unwrap_or_default();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(data
        .into_iter()
        .map(|(key, value)| (key, text(value)))
        .collect())
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// FindByName, FindByNameAndRewrite and FindByTag of the incumbent's end-to-end suite.
#[tokio::test]
async fn secrets_are_found_by_name_path_and_tags() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    for (name, tag) in [("one", "x"), ("two", "x"), ("three", "xyz")] {
        let body = json!({
            "Name": stage.remote(name), "SecretString": name,
            "Tags": [{"Key": "test", "Value": format!("{}-{tag}", stage.namespace)}],
        });
        shared.aws.call("CreateSecret", body).await?;
    }
    let strip =
        json!([{"regexp": {"source": format!("{}/(.*)", stage.namespace), "target": "$1"}}]);
    let by_name = json!({"dataFrom": [{
        "find": {"name": {"regexp": format!("^{}/t", stage.namespace)}}, "rewrite": strip,
    }]});
    let found = synced(&stage, "by-name", by_name).await?;
    assert_eq!(found, pairs([("three", "three"), ("two", "two")]));
    let by_path = json!({"dataFrom": [{
        "find": {"path": format!("{}/", stage.namespace), "name": {"regexp": "."}}, "rewrite": strip,
    }]});
    let found = synced(&stage, "by-path", by_path).await?;
    assert_eq!(
        found,
        pairs([("one", "one"), ("three", "three"), ("two", "two")])
    );
    // AWS matches the start of a value: `-xyz` would slip in with `-x`.
    let tags = json!({"test": format!("{}-x", stage.namespace)});
    let by_tag = json!({"dataFrom": [{"find": {"tags": tags}, "rewrite": strip}]});
    let found = synced(&stage, "by-tag", by_tag).await?;
    assert_eq!(found, pairs([("one", "one"), ("two", "two")]));
    Ok(())
}

#[tokio::test]
async fn versions_tags_and_bytes_are_read() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let body = json!({
        "Name": stage.remote("db"), "SecretString": "old", "Tags": [{"Key": "team", "Value": "a"}],
    });
    shared.aws.call("CreateSecret", body).await?;
    shared.aws.put_secret(&stage.remote("db"), "new").await?;
    let bytes = json!({"Name": stage.remote("bytes"), "SecretBinary": "AP8="});
    shared.aws.call("CreateSecret", bytes).await?;
    let db = stage.remote("db");
    let spec = json!({"data": [
        {"secretKey": "now", "remoteRef": {"key": db}},
        {"secretKey": "before", "remoteRef": {"key": db, "version": "AWSPREVIOUS"}},
        {"secretKey": "team", "remoteRef": {"key": db, "metadataPolicy": "Fetch", "property": "team"}},
        {"secretKey": "bytes", "remoteRef": {"key": stage.remote("bytes")}},
    ]});
    let mut found = synced(&stage, "versions", spec).await?;
    found.remove("bytes");
    assert_eq!(
        found,
        pairs([("before", "old"), ("now", "new"), ("team", "a")])
    );
    stage
        .cluster
        .secret_holds(&stage.namespace, "versions", "bytes", &[0, 255])
        .await
}

/// JSONDataWithTemplate and TemplateFromConfigmaps, and what the incumbent does not do: a ConfigMap
/// that changes wakes whoever is rendered from it.
#[tokio::test]
async fn templates_are_rendered_and_follow_their_sources() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), r#"{"user":"app"}"#)
        .await?;
    let config = |text: &str| {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "source", "namespace": stage.namespace},
            "data": {"file": text},
        })
    };
    stage.cluster.create(&config("one {{ .user }}")).await?;
    let spec = json!({
        "refreshInterval": "1h",
        "target": {"template": {
            "data": {"url": "postgres://{{ .user | upper }}@db"},
            "templateFrom": [{"configMap": {"name": "source", "items": [{"key": "file"}]}}],
        }},
        "dataFrom": [{"extract": {"key": stage.remote("db")}}],
    });
    let found = synced(&stage, "templated", spec).await?;
    assert_eq!(
        found,
        pairs([("file", "one app"), ("url", "postgres://APP@db")])
    );
    stage
        .cluster
        .apply_value(&config("two {{ .user }}"))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "templated", "file", b"two app")
        .await
}

/// mergeWithSecret and DeletionPolicyDelete.
#[tokio::test]
async fn policies_keep_and_delete_what_they_say() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let theirs = objects::secret(&stage.namespace, "merged", &[("theirs", b"1")]);
    stage.cluster.create(&theirs).await?;
    let of = |target: Value| json!({"target": target, "data": [{"secretKey": "ours", "remoteRef": {"key": stage.remote("db")}}]});
    let found = synced(&stage, "merged", of(json!({"creationPolicy": "Merge"}))).await?;
    assert_eq!(found, pairs([("ours", "value"), ("theirs", "1")]));
    synced(&stage, "going", of(json!({"deletionPolicy": "Delete"}))).await?;
    shared.aws.delete_secret(&stage.remote("db")).await?;
    eventually("the end of the Secret", async || {
        let left = stage
            .cluster
            .get(&Coordinates::secret(&stage.namespace, "going"))
            .await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await?;
    eventually("the reason of the condition", async || {
        let condition = stage
            .cluster
            .condition(&stage.at("going"), "Ready", "True")
            .await?;
        Ok(Observation::when(
            condition["reason"] == "SecretDeleted",
            || condition.to_string(),
        ))
    })
    .await
}

#[tokio::test]
async fn a_target_of_another_name_takes_the_place_of_the_old_one() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let spec = json!({
        "target": {"name": "old"},
        "data": [{"secretKey": "value", "remoteRef": {"key": stage.remote("db")}}],
    });
    stage
        .cluster
        .create(&stage.external_secret("renamed", spec))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "old", "value", b"value")
        .await?;
    let patch = json!({"spec": {"target": {"name": "new"}}});
    stage.cluster.merge(&stage.at("renamed"), &patch).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "new", "value", b"value")
        .await?;
    eventually("the end of the old Secret", async || {
        let left = stage
            .cluster
            .get(&Coordinates::secret(&stage.namespace, "old"))
            .await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await
}

#[tokio::test]
async fn a_role_is_assumed_once_for_many_reads() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let mut object = store("SecretStore", "role", &stage.namespace);
    let aws = &mut object["spec"]["provider"]["aws"];
    aws["role"] = json!(format!(
        "arn:aws:iam::123456789012:role/{}",
        stage.namespace
    ));
    aws["externalID"] = json!("x");
    stage.cluster.create(&object).await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let mut object = stage.one_value("by-role", "db", None);
    object["spec"]["secretStoreRef"]["name"] = json!("role");
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "by-role", "value", b"value")
        .await?;
    shared.aws.put_secret(&stage.remote("db"), "second").await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "by-role", "value", b"second")
        .await?;
    let roles = shared
        .aws
        .counts()
        .get("AssumeRole")
        .copied()
        .unwrap_or_default();
    assert_eq!(
        roles, 1,
        "calls of AssumeRole; this is the only test with a role"
    );
    Ok(())
}

#[tokio::test]
async fn a_password_is_made_once_where_the_policy_says_so() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let generator = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password",
        "metadata": {"name": "random", "namespace": stage.namespace}, "spec": {"length": 30},
    });
    stage.cluster.create(&generator).await?;
    let spec = json!({
        "secretStoreRef": {}, "refreshPolicy": "CreatedOnce",
        "dataFrom": [{"sourceRef": {"generatorRef": {"kind": "Password", "name": "random"}}}],
    });
    let mut object = stage.external_secret("generated", spec);
    object["spec"]
        .as_object_mut()
        .map(|spec| spec.remove("secretStoreRef"));
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .condition(&stage.at("generated"), "Ready", "True")
        .await?;
    let first = data(&stage, "generated").await?;
    assert_eq!(first["password"].chars().count(), 30);
    let patch = json!({"metadata": {"annotations": {"external-secrets.io/force-sync": "1"}}});
    stage.cluster.merge(&stage.at("generated"), &patch).await?;
    // Another object that is made later and served shows that the first had its turn.
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    stage
        .cluster
        .create(&stage.one_value("later", "db", None))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "later", "value", b"value")
        .await?;
    assert_eq!(data(&stage, "generated").await?, first);
    Ok(())
}

#[tokio::test]
async fn one_external_secret_comes_to_every_namespace_that_is_chosen() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let other = shared.stage().await?;
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let spec = json!({
        "refreshInterval": "1h", "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
        "data": [{"secretKey": "value", "remoteRef": {"key": stage.remote("db")}}],
    });
    let object = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret",
        "metadata": {"name": stage.namespace},
        "spec": {
            "externalSecretSpec": spec, "externalSecretName": "everywhere",
            "namespaceSelectors": [{"matchLabels": {"chosen": stage.namespace}}],
            "namespaces": [stage.namespace],
        },
    });
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "everywhere", "value", b"value")
        .await?;
    let namespace = Coordinates::new("v1", "Namespace", "", &other.namespace);
    let labels = json!({"metadata": {"labels": {"chosen": stage.namespace}}});
    other.cluster.merge(&namespace, &labels).await?;
    other
        .cluster
        .secret_holds(&other.namespace, "everywhere", "value", b"value")
        .await?;
    let no_labels = json!({"metadata": {"labels": {"chosen": null}}});
    other.cluster.merge(&namespace, &no_labels).await?;
    eventually("the end of the ExternalSecret", async || {
        let left = other.cluster.get(&other.at("everywhere")).await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await?;
    let at = Coordinates::new(
        "external-secrets.io/v1",
        "ClusterExternalSecret",
        "",
        &stage.namespace,
    );
    stage.cluster.delete(&at).await
}

#[tokio::test]
async fn a_generator_that_is_not_served_is_named() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let spec =
        json!({"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "UUID", "name": "u"}}}]});
    stage
        .cluster
        .create(&stage.external_secret("uuid", spec))
        .await?;
    stage
        .refused(&shared.controller, "uuid", &["spec.dataFrom[0]", "UUID"])
        .await
}
