//! What one identity may read, another does not see.

use serde_json::{Value, json};
use tests::{Coordinates, Failure, Fault, Observation, eventually, objects};

use crate::{
    shared,
    stage::{Stage, store},
};

/// Referent authentication: a ClusterSecretStore that names no namespace takes the access key of
/// whoever asks, and shows ready although it cannot be validated.
#[tokio::test]
async fn a_cluster_store_asks_as_the_namespace_that_asks_it() -> Result<(), Failure> {
    let shared = shared().await?;
    let (one, two) = (shared.stage().await?, shared.stage().await?);
    let name = referent(&one, "referent").await?;
    let at = Coordinates::new("external-secrets.io/v1", "ClusterSecretStore", "", &name);
    let condition = one.cluster.condition(&at, "Ready", "True").await?;
    assert_eq!(condition["reason"], "Valid");
    for (stage, key) in [(&one, "AKIAREFERENTONE"), (&two, "AKIAREFERENTTWO")] {
        access_key(stage, key).await?;
        shared
            .aws
            .create_secret(&stage.remote("db"), "value")
            .await?;
        let mut object = stage.one_value("referent", "db", None);
        object["spec"]["secretStoreRef"] = json!({"name": name, "kind": "ClusterSecretStore"});
        stage.cluster.create(&object).await?;
        stage
            .cluster
            .secret_holds(&stage.namespace, "referent", "value", b"value")
            .await?;
        let calls = crate::reads(shared, &stage.remote("db"));
        assert!(!calls.is_empty() && calls.iter().all(|call| call.access_key == key));
    }
    Ok(())
}

/// Two identities that read one id at the same moment: AWS answers each with another value, as its
/// policies may (a resource policy by tag, say), and denies it to a third.
#[tokio::test]
async fn t34_two_identities_never_see_each_others_value_of_one_id() -> Result<(), Failure> {
    let shared = shared().await?;
    let first = shared.stage().await?;
    let others = [shared.stage().await?, shared.stage().await?];
    let name = referent(&first, "apart").await?;
    let id = first.remote("one-id");
    let keys = ["AKIAAPARTONE", "AKIAAPARTTWO", "AKIAAPARTTHREE"];
    for (key, value) in keys.iter().zip(["of one", "of two"]) {
        let single = json!({"ARN": arn(&id), "Name": id, "SecretString": value});
        let batch = json!({"SecretValues": [single], "Errors": []});
        let faults = shared.aws.faults();
        faults.always(
            &format!("GetSecretValue by {key}"),
            Fault::aws_answer(&single),
        );
        faults.always(
            &format!("BatchGetSecretValue by {key}"),
            Fault::aws_answer(&batch),
        );
    }
    for operation in ["GetSecretValue", "BatchGetSecretValue"] {
        let denied = Fault::aws(400, "AccessDeniedException", "not authorized");
        shared
            .aws
            .faults()
            .always(&format!("{operation} by {}", keys[2]), denied);
    }
    let stages = [&first, &others[0], &others[1]];
    for (stage, key) in stages.iter().zip(keys) {
        access_key(stage, key).await?;
    }
    for stage in stages {
        let mut object = stage.external_secret(
            "apart",
            json!({
                "secretStoreRef": {"name": name, "kind": "ClusterSecretStore"},
                "data": [{"secretKey": "value", "remoteRef": {"key": id}}],
            }),
        );
        object["metadata"]["labels"] = json!({"signet-test": "apart"});
        stage.cluster.create(&object).await?;
    }
    for (stage, value) in stages.iter().zip(["of one", "of two"]) {
        let value = value.as_bytes();
        stage
            .cluster
            .secret_holds(&stage.namespace, "apart", "value", value)
            .await?;
    }
    others[1]
        .refused(&shared.controller, "apart", &["AccessDenied", &id])
        .await?;
    // Each goes on with its own at every refresh.
    let seen = shared.aws.calls().len();
    eventually("more reads by both", async || {
        let calls = shared.aws.calls();
        let of = |key: &str| {
            let later = calls.iter().skip(seen);
            later.filter(|call| call.access_key == key).count()
        };
        let counts = (of(keys[0]), of(keys[1]));
        Ok(Observation::when(counts.0 > 2 && counts.1 > 2, || {
            format!("{} and {}", counts.0, counts.1)
        }))
    })
    .await?;
    for (stage, value) in stages.iter().zip(["of one", "of two"]) {
        let data = stage
            .cluster
            .secret_data(&stage.namespace, "apart")
            .await?
            .unwrap_or_default();
        assert_eq!(data.get("value").map(Vec::as_slice), Some(value.as_bytes()));
    }
    let third = Coordinates::secret(&others[1].namespace, "apart");
    assert_eq!(others[1].cluster.get(&third).await?, None);
    Ok(())
}

/// CVE-2026-42875: what a namespaced store may not borrow, on the real API server.
#[tokio::test]
async fn t08_a_foreign_secret_reference_of_a_namespaced_store_is_refused() -> Result<(), Failure> {
    let shared = shared().await?;
    let (owner, thief) = (shared.stage().await?, shared.stage().await?);
    access_key(&owner, "AKIANOTYOURS").await?;
    shared
        .aws
        .create_secret(&owner.remote("db"), "value")
        .await?;
    let mut object = store("SecretStore", "thief", &thief.namespace);
    let keys = &mut object["spec"]["provider"]["aws"]["auth"]["secretRef"];
    for field in ["accessKeyIDSecretRef", "secretAccessKeySecretRef"] {
        keys[field]["namespace"] = json!(owner.namespace);
    }
    thief.cluster.create(&object).await?;
    let at = Coordinates::new(
        "external-secrets.io/v1",
        "SecretStore",
        &thief.namespace,
        "thief",
    );
    let condition = thief.cluster.condition(&at, "Ready", "False").await?;
    let message = condition["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("secretRef.namespace") && message.contains(&owner.namespace),
        "{message}"
    );
    let spec = json!({
        "secretStoreRef": {"name": "thief", "kind": "SecretStore"},
        "data": [{"secretKey": "value", "remoteRef": {"key": owner.remote("db")}}],
    });
    thief
        .cluster
        .create(&thief.external_secret("theft", spec))
        .await?;
    thief
        .refused(&shared.controller, "theft", &["thief"])
        .await?;
    let used = shared
        .aws
        .calls()
        .iter()
        .any(|call| call.access_key == "AKIANOTYOURS");
    assert!(!used, "the foreign key was used");
    Ok(())
}

/// CVE-2026-54725: no field of a tenant's object chooses where AWS is; one that tries is not heard.
#[tokio::test]
async fn t13_no_url_is_taken_from_tenant_objects() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    shared
        .aws
        .create_secret(&stage.remote("db"), "value")
        .await?;
    let mut object = store("SecretStore", "elsewhere", &stage.namespace);
    let aws = &mut object["spec"]["provider"]["aws"];
    for field in ["endpoint", "endpointURL", "stsEndpoint", "url"] {
        aws[field] = json!(url);
        aws["auth"][field] = json!(url);
    }
    object["metadata"]["annotations"] = json!({"endpoint": url, "AWS_ENDPOINT_URL": url});
    stage.cluster.create(&object).await?;
    for (name, region) in [
        ("host", "x.example/"),
        ("at", "a@127.0.0.1"),
        ("metadata", "169.254.169.254#"),
    ] {
        let mut object = store("SecretStore", name, &stage.namespace);
        object["spec"]["provider"]["aws"]["region"] = json!(region);
        stage.cluster.create(&object).await?;
        let at = Coordinates::new(
            "external-secrets.io/v1",
            "SecretStore",
            &stage.namespace,
            name,
        );
        let condition = stage.cluster.condition(&at, "Ready", "False").await?;
        let message = condition["message"].as_str().unwrap_or_default();
        assert!(message.contains("spec.provider.aws.region"), "{message}");
    }
    let mut object = stage.one_value("elsewhere", "db", None);
    object["spec"]["secretStoreRef"]["name"] = json!("elsewhere");
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "elsewhere", "value", b"value")
        .await?;
    let came = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(came.is_err(), "somebody asked at the tenant's URL");
    Ok(())
}

/// A ClusterSecretStore with keys of no namespace.
async fn referent(stage: &Stage, prefix: &str) -> Result<String, Failure> {
    let name = format!("{prefix}-{}", stage.namespace);
    let mut object = store("ClusterSecretStore", &name, &stage.namespace);
    let keys = &mut object["spec"]["provider"]["aws"]["auth"]["secretRef"];
    for field in ["accessKeyIDSecretRef", "secretAccessKeySecretRef"] {
        keys[field]
            .as_object_mut()
            .map(|selector| selector.remove("namespace"));
    }
    stage.cluster.create(&object).await?;
    Ok(name)
}

async fn access_key(stage: &Stage, id: &str) -> Result<(), Failure> {
    let data: &[(&str, &[u8])] = &[("id", id.as_bytes()), ("secret", b"x")];
    let object: Value = objects::secret(&stage.namespace, "access-key", data);
    stage.cluster.apply_value(&object).await?;
    Ok(())
}

fn arn(id: &str) -> String {
    format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{id}-AbCdEf")
}
