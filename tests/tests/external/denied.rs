//! What moto never answers: entries of a batch that failed, keys that may not be used, secrets that
//! wait for their end, and answers that are slow or cut.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Failure, Fault, Observation, eventually, objects};

use crate::{
    alone,
    stage::{Shared, Stage},
    survives, synced,
};

/// The answer of a batch for the secrets of a test: values of some, errors for others.
fn batch(stage: &Stage, values: &[(&str, &str)], errors: &[(&str, &str, &str)]) -> Fault {
    let values = values.iter().map(|(name, value)| {
        let id = stage.remote(name);
        json!({"ARN": format!("arn:aws:secretsmanager:eu-west-1:1:secret:{id}-AbCdEf"), "Name": id, "SecretString": value})
    });
    let errors = errors.iter().map(|(name, code, message)| {
        json!({"SecretId": stage.remote(name), "ErrorCode": code, "Message": message})
    });
    Fault::aws_answer(&json!({
        "SecretValues": values.collect::<Vec<Value>>(), "Errors": errors.collect::<Vec<Value>>(),
    }))
}

/// A namespace with an access key of its own: what is denied to others, and who they are, is kept apart.
async fn own_key(shared: &Shared) -> Result<(Stage, String), Failure> {
    shared.aws.faults().clear();
    let stage = shared.stage().await?;
    let key = stage.namespace.to_uppercase().replace('-', "");
    let data: &[(&str, &[u8])] = &[("id", key.as_bytes()), ("secret", b"x")];
    let object = objects::secret(&stage.namespace, "access-key", data);
    stage.cluster.apply_value(&object).await?;
    Ok((stage, key))
}

/// An ExternalSecret with two values, which are read in one batch.
async fn two_values(shared: &Shared, deletion: &str) -> Result<Stage, Failure> {
    let (stage, _) = own_key(shared).await?;
    let data = ["good", "bad"]
        .map(|name| json!({"secretKey": name, "remoteRef": {"key": stage.remote(name)}}));
    let spec = json!({"target": {"deletionPolicy": deletion}, "data": data});
    for name in ["good", "bad"] {
        shared
            .aws
            .create_secret(&stage.remote(name), "first")
            .await?;
    }
    stage
        .cluster
        .create(&stage.external_secret("two", spec))
        .await?;
    for name in ["good", "bad"] {
        stage
            .cluster
            .secret_holds(&stage.namespace, "two", name, b"first")
            .await?;
    }
    Ok(stage)
}

/// The incumbent takes no notice of such an entry, and the key is gone although all is said to be well.
#[tokio::test]
async fn an_entry_of_a_batch_that_failed_is_told_and_its_value_kept() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = two_values(&shared, "Delete").await?;
    let kind = "AccessDeniedException";
    let errors = [("bad", kind, "Access to KMS is not allowed")];
    let answer = batch(&stage, &[("good", "second")], &errors);
    shared.aws.faults().always("BatchGetSecretValue", answer);
    shared.aws.faults().always(
        "GetSecretValue",
        Fault::aws(400, kind, "Access to KMS is not allowed"),
    );
    stage
        .refused(&shared.controller, "two", &["bad", kind, "KMS"])
        .await?;
    for name in ["good", "bad"] {
        stage
            .cluster
            .secret_holds(&stage.namespace, "two", name, b"first")
            .await?;
    }
    shared.aws.faults().clear();
    stage
        .cluster
        .condition(&stage.at("two"), "Ready", "True")
        .await?;
    Ok(())
}

#[tokio::test]
async fn an_entry_of_a_batch_that_is_not_there_is_that_lack() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = two_values(&shared, "Delete").await?;
    let errors = [(
        "bad",
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )];
    let answer = batch(&stage, &[("good", "second")], &errors);
    shared.aws.faults().always("BatchGetSecretValue", answer);
    stage
        .cluster
        .secret_holds(&stage.namespace, "two", "good", b"second")
        .await?;
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "two")
        .await?
        .unwrap_or_default();
    assert!(
        !data.contains_key("bad"),
        "what AWS has no more is left out"
    );
    let event = stage
        .cluster
        .event(&stage.at("two"), "MissingProviderSecret")
        .await?;
    assert_eq!(event["type"], "Normal");
    shared.aws.faults().clear();
    Ok(())
}

#[tokio::test]
async fn a_key_that_may_not_be_used_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let kind = "DecryptionFailure";
    let message =
        "Secrets Manager can't decrypt the protected secret text using the provided KMS key.";
    survives(&shared, &stage, Fault::aws(400, kind, message), kind).await
}

/// Both texts, that of AWS and that of moto, and of the older exception that the incumbent looks for.
#[tokio::test]
async fn a_secret_that_waits_for_its_end_is_gone() -> Result<(), Failure> {
    let shared = alone().await?;
    for (kind, message) in [
        (
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        ),
        (
            "InvalidRequestException",
            "You tried to perform the operation on a secret that's currently marked deleted.",
        ),
        (
            "InvalidParameterException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        ),
    ] {
        let stage = two_values(&shared, "Delete").await?;
        let answer = batch(&stage, &[("good", "second")], &[("bad", kind, message)]);
        shared.aws.faults().always("BatchGetSecretValue", answer);
        shared
            .aws
            .faults()
            .always("GetSecretValue", Fault::aws(400, kind, message));
        stage
            .cluster
            .secret_holds(&stage.namespace, "two", "good", b"second")
            .await?;
        eventually("the end of the value", async || {
            let data = stage
                .cluster
                .secret_data(&stage.namespace, "two")
                .await?
                .unwrap_or_default();
            Ok(Observation::when(!data.contains_key("bad"), || {
                format!("{:?}", data.keys())
            }))
        })
        .await?;
        stage
            .cluster
            .condition(&stage.at("two"), "Ready", "True")
            .await?;
        shared.aws.faults().clear();
        stage.cluster.delete(&stage.at("two")).await?;
    }
    Ok(())
}

/// A whole second for each answer, and connections that end in the middle of one: the SDK tries again,
/// nobody notices, and others are not held up.
#[tokio::test]
async fn slow_and_cut_answers_are_waited_for_and_asked_for_again() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    for fault in [
        Fault::Delay(Duration::from_secs(1)),
        Fault::Cut,
        Fault::CutAfter,
    ] {
        let value = format!("{fault:?}");
        for operation in ["GetSecretValue", "BatchGetSecretValue"] {
            shared.aws.faults().next(operation, 1, fault.clone());
        }
        shared.aws.put_secret(&stage.remote("db"), &value).await?;
        stage
            .cluster
            .secret_holds(&stage.namespace, "db", "value", value.as_bytes())
            .await?;
        shared.aws.faults().clear();
    }
    let events = stage.cluster.events(&stage.at("db")).await?;
    let failed = events.iter().any(|event| event["reason"] == "UpdateFailed");
    assert!(
        !failed,
        "an answer that came in the end was told as a failure"
    );
    Ok(())
}

/// ListSecrets and BatchGetSecretValue answer in pages, and an empty page may come before a full one.
#[tokio::test]
async fn an_answer_in_pages_is_read_to_its_end() -> Result<(), Failure> {
    let shared = alone().await?;
    let (stage, key) = own_key(&shared).await?;
    let faults = shared.aws.faults();
    let names = ["a", "b", "c"];
    let pages = format!("ListSecrets by {key}");
    for name in names {
        shared.aws.create_secret(&stage.remote(name), name).await?;
    }
    let page = |names: &[&str], more: Option<&str>| {
        let list = names.iter().map(|name| json!({"Name": stage.remote(name)}));
        let mut body = json!({"SecretList": list.collect::<Vec<Value>>()});
        if let Some(token) = more {
            body["NextToken"] = json!(token);
        }
        Fault::aws_answer(&body)
    };
    faults.next(&pages, 1, page(&["a"], Some("one")));
    faults.next(&pages, 1, page(&[], Some("two")));
    faults.next(&pages, 1, page(&["b", "c"], None));
    let spec = json!({"refreshInterval": "1h", "dataFrom": [{
        "find": {"name": {"regexp": "."}},
        "rewrite": [{"regexp": {"source": ".*/", "target": ""}}],
    }]});
    stage
        .cluster
        .create(&stage.external_secret("paged", spec))
        .await?;
    stage
        .cluster
        .condition(&stage.at("paged"), "Ready", "True")
        .await?;
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "paged")
        .await?
        .unwrap_or_default();
    assert_eq!(
        data.keys().collect::<Vec<_>>(),
        names.iter().collect::<Vec<_>>()
    );
    let calls = shared.aws.calls().into_iter();
    let calls = calls.filter(|call| call.operation == "ListSecrets" && call.access_key == key);
    let tokens: Vec<Value> = calls.map(|call| call.body["NextToken"].clone()).collect();
    assert_eq!(tokens, [Value::Null, json!("one"), json!("two")]);
    Ok(())
}

#[tokio::test]
async fn a_search_that_is_denied_is_told_and_nothing_is_lost() -> Result<(), Failure> {
    let shared = alone().await?;
    let stage = synced(&shared).await?;
    let spec =
        json!({"dataFrom": [{"find": {"name": {"regexp": format!("^{}$", stage.remote("db"))}}}]});
    stage
        .cluster
        .create(&stage.external_secret("found", spec))
        .await?;
    let key = stage.remote("db").replace('/', "_");
    stage
        .cluster
        .secret_holds(&stage.namespace, "found", &key, b"first")
        .await?;
    let kind = "AccessDeniedException";
    let denied = Fault::aws(
        400,
        kind,
        "is not authorized to perform: secretsmanager:ListSecrets",
    );
    shared.aws.faults().always("ListSecrets", denied);
    stage
        .refused(
            &shared.controller,
            "found",
            &["error getting all secrets", kind],
        )
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "found", &key, b"first")
        .await?;
    shared.aws.faults().clear();
    stage
        .cluster
        .condition(&stage.at("found"), "Ready", "True")
        .await?;
    Ok(())
}
