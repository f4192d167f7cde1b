//! Whose keys and labels are whose: the controller's table of the incumbent
//! (externalsecret_controller_test.go), by the names that its entries have there.

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Observation, eventually, objects};

use crate::{
    data, pairs, shared,
    stage::{Shared, Stage},
    synced,
};

fn one(stage: &Stage, target: Value) -> Value {
    json!({
        "target": target,
        "data": [{"secretKey": "ours", "remoteRef": {"key": stage.remote("db")}}],
    })
}

async fn with_value(value: &str) -> Result<(&'static Shared, Stage), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    shared.aws.create_secret(&stage.remote("db"), value).await?;
    Ok((shared, stage))
}

async fn secret(stage: &Stage, name: &str) -> Result<Value, Failure> {
    stage
        .cluster
        .must_get(&Coordinates::secret(&stage.namespace, name))
        .await
}

/// checkDeletion, checkSecretDataHashAnnotation, checkSecretDataHashAnnotationChange.
#[tokio::test]
async fn what_is_deleted_or_edited_is_put_back_with_its_hash() -> Result<(), Failure> {
    const HASH: &str = "03a707af0159f9cbff01ece86d3f85a3d7c3a11b512f5e7fc90bd042";
    let (_, stage) = with_value("someValue").await?;
    let spec = json!({"refreshInterval": "1h", "data": [
        {"secretKey": "targetProperty", "remoteRef": {"key": stage.remote("db")}},
    ]});
    synced(&stage, "own", spec).await?;
    let hash = "/metadata/annotations/reconcile.external-secrets.io~1data-hash";
    let first = secret(&stage, "own").await?;
    assert_eq!(first.pointer(hash), Some(&json!(HASH)));
    let edited = json!({
        "data": {"targetProperty": "eA=="},
        "metadata": {"annotations": {"reconcile.external-secrets.io/data-hash": "forged"}},
    });
    let at = Coordinates::secret(&stage.namespace, "own");
    stage.cluster.merge(&at, &edited).await?;
    eventually("the value and its hash", async || {
        let now = secret(&stage, "own").await?;
        let back = now.pointer(hash) == Some(&json!(HASH)) && now["data"] == first["data"];
        Ok(Observation::when(back, || {
            now["metadata"]["annotations"].to_string()
        }))
    })
    .await?;
    stage.cluster.delete(&at).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "own", "targetProperty", b"someValue")
        .await?;
    assert_ne!(
        secret(&stage, "own").await?["metadata"]["uid"],
        first["metadata"]["uid"]
    );
    Ok(())
}

/// mergeWithSecret, checkMergeSecretDataHashAnnotation, mergeWithSecretUpdate,
/// mergeWithSecretNoChange and mergeWithConflict.
#[tokio::test]
async fn what_is_merged_keeps_what_others_put_there() -> Result<(), Failure> {
    let (_, stage) = with_value("value").await?;
    let mut theirs = objects::secret(
        &stage.namespace,
        "merged",
        &[("theirs", b"1"), ("ours", b"2")],
    );
    theirs["metadata"]["labels"] = json!({"theirs": "label"});
    theirs["metadata"]["annotations"] = json!({"theirs": "annotation"});
    stage.cluster.create(&theirs).await?;
    let mut object = stage.external_secret(
        "merging",
        one(&stage, json!({"name": "merged", "creationPolicy": "Merge"})),
    );
    object["metadata"]["labels"] = json!({"es-label-key": "es-label-value"});
    object["metadata"]["annotations"] = json!({"es-annotation-key": "es-annotation-value"});
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .condition(&stage.at("merging"), "Ready", "True")
        .await?;
    assert_eq!(
        data(&stage, "merged").await?,
        pairs([("ours", "value"), ("theirs", "1")])
    );
    let made = secret(&stage, "merged").await?;
    let metadata = &made["metadata"];
    let labels = json!({
        "theirs": "label", "es-label-key": "es-label-value",
        "reconcile.external-secrets.io/managed": "true",
    });
    assert_eq!(metadata["labels"], labels);
    let mut annotations = metadata["annotations"].clone();
    let hash = annotations
        .as_object_mut()
        .and_then(|all| all.remove("reconcile.external-secrets.io/data-hash"));
    // `map[ours:[118 97 108 117 101] theirs:[49]]`: foreign keys count.
    assert_eq!(
        hash,
        Some(json!(
            "3b3e7d262f55a25ec07570cc4c8a994a1a0b9bd2b7fa692cfd249145"
        ))
    );
    assert_eq!(
        annotations,
        json!({"theirs": "annotation", "es-annotation-key": "es-annotation-value"})
    );
    assert_eq!(metadata["ownerReferences"], Value::Null);
    let managers = metadata["managedFields"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let ours = managers
        .iter()
        .find(|entry| entry["manager"] == "externalsecrets.external-secrets.io/merging");
    let ours = ours.cloned().unwrap_or_default();
    assert_eq!(ours["operation"], "Update");
    let fields = json!({
        "f:data": {"f:ours": {}},
        "f:metadata": {
            "f:annotations": {"f:es-annotation-key": {}, "f:reconcile.external-secrets.io/data-hash": {}},
            "f:labels": {"f:es-label-key": {}, "f:reconcile.external-secrets.io/managed": {}},
        },
    });
    assert_eq!(ours["fieldsV1"], fields);
    // A whole refresh later nothing was written.
    let refreshed = async || {
        let object = stage.cluster.must_get(&stage.at("merging")).await?;
        Ok::<_, Failure>(object["status"]["refreshTime"].clone())
    };
    let last = refreshed().await?;
    eventually("another refresh", async || {
        let now = refreshed().await?;
        Ok(Observation::when(now != last, || now.to_string()))
    })
    .await?;
    let later = secret(&stage, "merged").await?;
    assert_eq!(
        later["metadata"]["resourceVersion"],
        metadata["resourceVersion"]
    );
    let wiped = json!({"data": {"ours": null, "theirs": "Mw=="}});
    let at = Coordinates::secret(&stage.namespace, "merged");
    stage.cluster.merge(&at, &wiped).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "merged", "ours", b"value")
        .await?;
    assert_eq!(
        data(&stage, "merged").await?,
        pairs([("ours", "value"), ("theirs", "3")])
    );
    Ok(())
}

/// mergeWithSecretErr: it is no error, and the Secret is taken up as soon as it is there.
#[tokio::test]
async fn a_target_to_merge_into_is_awaited() -> Result<(), Failure> {
    let (_, stage) = with_value("value").await?;
    let spec = one(&stage, json!({"creationPolicy": "Merge"}));
    stage
        .cluster
        .create(&stage.external_secret("waiting", spec))
        .await?;
    let condition = stage
        .cluster
        .condition(&stage.at("waiting"), "Ready", "True")
        .await?;
    assert_eq!(condition["reason"], "SecretMissing");
    let text = "secret will not be created due to CreationPolicy=Merge";
    assert_eq!(condition["message"], text);
    stage
        .cluster
        .create(&objects::secret(&stage.namespace, "waiting", &[]))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "waiting", "ours", b"value")
        .await
}

/// createSecretPolicyOrphan, skipBindingSecret, syncBigNames, CreateOrMerge and deletionPolicy=Merge.
#[tokio::test]
async fn each_creation_policy_leaves_what_it_says_behind() -> Result<(), Failure> {
    let (shared, stage) = with_value("value").await?;
    let orphan = synced(
        &stage,
        "orphan",
        one(&stage, json!({"creationPolicy": "Orphan"})),
    )
    .await?;
    assert_eq!(orphan, pairs([("ours", "value")]));
    let none = synced(
        &stage,
        "none",
        one(&stage, json!({"creationPolicy": "None"})),
    )
    .await?;
    assert!(none.is_empty());
    let binding = async |name: &str| {
        let object = stage.cluster.must_get(&stage.at(name)).await?;
        Ok::<_, Failure>(object["status"]["binding"]["name"].clone())
    };
    assert_eq!(binding("none").await?, Value::Null);
    let long = format!("{}-with-a-name-of-76-characters", "x".repeat(47));
    synced(&stage, &long, one(&stage, json!({}))).await?;
    assert_eq!(binding(&long).await?, json!(long));
    let managers = secret(&stage, &long).await?["metadata"]["managedFields"].to_string();
    assert!(
        managers.contains("externalsecrets.external-secrets.io/sha3/"),
        "{managers}"
    );

    let theirs = objects::secret(&stage.namespace, "shared", &[("theirs", b"1")]);
    stage.cluster.create(&theirs).await?;
    let both =
        json!({"name": "shared", "creationPolicy": "CreateOrMerge", "deletionPolicy": "Merge"});
    stage
        .cluster
        .create(&stage.external_secret("sharing", one(&stage, both)))
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "shared", "ours", b"value")
        .await?;
    shared.aws.delete_secret(&stage.remote("db")).await?;
    eventually("only the foreign key", async || {
        let left = data(&stage, "shared").await?;
        Ok(Observation::when(left == pairs([("theirs", "1")]), || {
            format!("{:?}", left.keys())
        }))
    })
    .await?;
    // An owned Secret that goes later shows that the garbage collector had its turn.
    stage.cluster.delete(&stage.at("orphan")).await?;
    stage.cluster.delete(&stage.at(&long)).await?;
    eventually("the end of the owned Secret", async || {
        let left = stage
            .cluster
            .get(&Coordinates::secret(&stage.namespace, &long))
            .await?;
        Ok(Observation::when(left.is_none(), || {
            "it is still there".to_owned()
        }))
    })
    .await?;
    assert!(secret(&stage, "orphan").await.is_ok());
    Ok(())
}

/// syncLabelsAnnotations, removeOutdatedLabelsAnnotations, onlyMetadataFromTemplate,
/// templateShouldRewrite and templateShouldMerge.
#[tokio::test]
async fn metadata_and_templates_take_away_what_they_no_longer_say() -> Result<(), Failure> {
    let (_, stage) = with_value("value").await?;
    let mut object = stage.external_secret("labelled", one(&stage, json!({})));
    object["metadata"]["labels"] = json!({"old": "1", "stays": "1"});
    stage.cluster.create(&object).await?;
    let labels = async |wanted: Value| {
        eventually("labels of the Secret", async || {
            let at = Coordinates::secret(&stage.namespace, "labelled");
            let made = stage.cluster.get(&at).await?.unwrap_or_default();
            let mut found = made["metadata"]["labels"].clone();
            if let Some(all) = found.as_object_mut() {
                all.retain(|key, _| !key.starts_with("reconcile.external-secrets.io/"));
            }
            Ok(Observation::when(found == wanted, || found.to_string()))
        })
        .await
    };
    labels(json!({"old": "1", "stays": "1"})).await?;
    let at = stage.at("labelled");
    let patch = json!({"metadata": {"labels": {"old": null, "new": "2"}}});
    stage.cluster.merge(&at, &patch).await?;
    labels(json!({"new": "2", "stays": "1"})).await?;
    let template = |template: Value| json!({"spec": {"target": {"template": template}}});
    let patch = template(json!({"metadata": {"labels": {"templated": "{{ .ours }}"}}}));
    stage.cluster.merge(&at, &patch).await?;
    labels(json!({"templated": "value"})).await?;
    assert_eq!(data(&stage, "labelled").await?, pairs([("ours", "value")]));
    let holds = async |wanted: &[(&str, &str)]| {
        eventually("keys of the Secret", async || {
            let found = data(&stage, "labelled").await?;
            let wanted = wanted
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            Ok(Observation::when(found == wanted.collect(), || {
                format!("{:?}", found.keys())
            }))
        })
        .await
    };
    stage
        .cluster
        .merge(&at, &template(json!({"data": {"one": "{{ .ours }}!"}})))
        .await?;
    holds(&[("one", "value!")]).await?;
    stage
        .cluster
        .merge(
            &at,
            &template(json!({"data": {"one": null, "two": "{{ .ours }}?"}})),
        )
        .await?;
    holds(&[("two", "value?")]).await?;
    stage
        .cluster
        .merge(&at, &template(json!({"mergePolicy": "Merge"})))
        .await?;
    holds(&[("ours", "value"), ("two", "value?")]).await
}
