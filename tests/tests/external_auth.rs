//! As whom AWS is asked: keys, ServiceAccounts, chains of roles, and what identities may not do. The
//! parameters of each call are looked at in front of moto, which accepts any role.

#[path = "external/attacks.rs"]
mod attacks;
#[path = "external/generators.rs"]
mod generators;
#[path = "external/identities.rs"]
mod identities;
#[path = "external/stage.rs"]
mod stage;

use serde_json::{Value, json};
use tests::{Call, Failure};

use crate::stage::{Shared, Stage, store};

async fn shared() -> Result<&'static Shared, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    tests::share(&SHARED, Shared::start).await
}

/// The calls of an operation of STS for a role.
fn assumptions(shared: &Shared, operation: &str, role: &str) -> Vec<Call> {
    let calls = shared.aws.calls().into_iter();
    calls
        .filter(|call| call.operation == operation && call.body["RoleArn"] == role)
        .collect()
}

/// The calls that read a secret of the test.
fn reads(shared: &Shared, id: &str) -> Vec<Call> {
    let calls = shared.aws.calls().into_iter();
    calls
        .filter(|call| {
            let batch = call.body["SecretIdList"].as_array();
            call.body["SecretId"] == id || batch.is_some_and(|ids| ids.iter().any(|one| one == id))
        })
        .collect()
}

fn role(stage: &Stage, name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{}-{name}", stage.namespace)
}

/// A store `name` whose AWS part is changed by `change`, and a value read through it.
async fn reads_through(
    shared: &Shared,
    stage: &Stage,
    name: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), Failure> {
    let mut object = store("SecretStore", name, &stage.namespace);
    change(&mut object["spec"]["provider"]["aws"]);
    stage.cluster.create(&object).await?;
    shared
        .aws
        .create_secret(&stage.remote(name), "value")
        .await?;
    let mut object = stage.one_value(name, name, None);
    object["spec"]["secretStoreRef"]["name"] = json!(name);
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, name, "value", b"value")
        .await
}

/// The session token of temporary keys is sent, too, and another key in the Secret is another identity
/// from the next refresh on.
#[tokio::test]
async fn keys_of_a_secret_sign_and_follow_it() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let access = |id: &str| {
        let data: &[(&str, &[u8])] = &[
            ("id", id.as_bytes()),
            ("secret", b"x"),
            ("token", b"session"),
        ];
        tests::objects::secret(&stage.namespace, "access-key", data)
    };
    stage.cluster.apply_value(&access("AKIAFIRST")).await?;
    reads_through(shared, &stage, "keys", |aws| {
        aws["auth"]["secretRef"]["sessionTokenSecretRef"] =
            json!({"name": "access-key", "key": "token"});
    })
    .await?;
    let id = stage.remote("keys");
    assert!(
        reads(shared, &id)
            .iter()
            .all(|call| call.access_key == "AKIAFIRST")
    );
    stage.cluster.apply_value(&access("AKIASECOND")).await?;
    tests::eventually("the second key", async || {
        let calls = reads(shared, &id);
        let last = calls.last().map(|call| call.access_key.clone());
        Ok(tests::Observation::when(
            last.as_deref() == Some("AKIASECOND"),
            || format!("{last:?}"),
        ))
    })
    .await
}

/// TokenRequest, then AssumeRoleWithWebIdentity with the role in the annotation of the ServiceAccount.
#[tokio::test]
async fn a_service_account_assumes_the_role_of_its_annotation() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let role = role(&stage, "irsa");
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": stage.namespace, "annotations": {
            "eks.amazonaws.com/role-arn": role, "eks.amazonaws.com/audience": "sts.example",
        }},
    });
    stage.cluster.create(&account).await?;
    reads_through(shared, &stage, "irsa", |aws| {
        aws["auth"] =
            json!({"jwt": {"serviceAccountRef": {"name": "reader", "audiences": ["more"]}}});
    })
    .await?;
    let calls = assumptions(shared, "AssumeRoleWithWebIdentity", &role);
    assert_eq!(calls.len(), 1, "one exchange of a token for all reads");
    let call = &calls[0];
    assert_eq!(
        call.body["RoleSessionName"],
        "external-secrets-provider-aws"
    );
    let token = call.body["WebIdentityToken"].as_str().unwrap_or_default();
    let claims = claims(token)?;
    assert_eq!(claims["aud"], json!(["sts.example", "more"]));
    let subject = format!("system:serviceaccount:{}:reader", stage.namespace);
    assert_eq!(claims["sub"], json!(subject));
    let log = shared.controller.log()?;
    assert!(!log.contains(token), "the token is in the log");
    Ok(())
}

#[tokio::test]
async fn a_service_account_without_a_role_is_named() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let mut object = store("SecretStore", "roleless", &stage.namespace);
    object["spec"]["provider"]["aws"]["auth"] =
        json!({"jwt": {"serviceAccountRef": {"name": "default"}}});
    stage.cluster.create(&object).await?;
    let at = tests::Coordinates::new(
        "external-secrets.io/v1",
        "SecretStore",
        &stage.namespace,
        "roleless",
    );
    let condition = stage.cluster.condition(&at, "Ready", "False").await?;
    let message = condition["message"].as_str().unwrap_or_default();
    let expected = format!(
        "an IAM role must be associated with service account default (namespace: {})",
        stage.namespace
    );
    assert!(message.contains(&expected), "{message}");
    Ok(())
}

/// additionalRoles, then role with externalID, session tags and transitive keys (assume_role.go).
#[tokio::test]
async fn roles_are_assumed_one_by_the_other_and_the_last_with_tags() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let (first, second, last) = (role(&stage, "1"), role(&stage, "2"), role(&stage, "3"));
    reads_through(shared, &stage, "chain", |aws| {
        aws["additionalRoles"] = json!([first, second]);
        aws["role"] = json!(last);
        aws["externalID"] = json!("external id/1");
        aws["sessionTags"] = json!([{"key": "team", "value": "a"}, {"key": "env", "value": "b"}]);
        aws["transitiveTagKeys"] = json!(["team"]);
    })
    .await?;
    let one = |role: &str| {
        let mut calls = assumptions(shared, "AssumeRole", role);
        assert_eq!(calls.len(), 1, "{role}");
        calls.remove(0)
    };
    let (one, two, three) = (one(&first), one(&second), one(&last));
    assert_eq!(
        one.access_key, "AKIAEXAMPLE",
        "the key of the Secret begins"
    );
    // moto answers with another key for each role: each is assumed with that of the one before.
    assert_ne!(two.access_key, one.access_key);
    assert_ne!(three.access_key, two.access_key);
    for call in [&one, &two] {
        for field in [
            "ExternalId",
            "Tags.member.1.Key",
            "TransitiveTagKeys.member.1",
        ] {
            assert_eq!(call.body[field], Value::Null, "{field}");
        }
    }
    let tags = [
        ("ExternalId", "external id/1"),
        ("RoleSessionName", "external-secrets-provider-aws"),
        ("Tags.member.1.Key", "env"),
        ("Tags.member.1.Value", "b"),
        ("Tags.member.2.Key", "team"),
        ("Tags.member.2.Value", "a"),
        ("TransitiveTagKeys.member.1", "team"),
    ];
    for (field, value) in tags {
        assert_eq!(three.body[field], value, "{field}");
    }
    let reads = reads(shared, &stage.remote("chain"));
    assert!(reads.iter().all(|call| call.access_key != three.access_key));
    Ok(())
}

/// sessionTagsPolicy: the tags say for whom, so each namespace has credentials of its own.
#[tokio::test]
async fn tags_say_for_whom_a_cluster_store_asks() -> Result<(), Failure> {
    let shared = shared().await?;
    let (one, two) = (shared.stage().await?, shared.stage().await?);
    let role = role(&one, "tagged");
    let name = format!("tagged-{}", one.namespace);
    let mut object = store("ClusterSecretStore", &name, &one.namespace);
    let aws = &mut object["spec"]["provider"]["aws"];
    aws["role"] = json!(role);
    aws["sessionTagsPolicy"] = json!("Custom");
    aws["customSessionTags"] = json!({"team": "a"});
    one.cluster.create(&object).await?;
    for stage in [&one, &two] {
        shared
            .aws
            .create_secret(&stage.remote("db"), "value")
            .await?;
        let mut object = stage.one_value("tagged", "db", None);
        object["spec"]["secretStoreRef"] = json!({"name": name, "kind": "ClusterSecretStore"});
        stage.cluster.create(&object).await?;
        stage
            .cluster
            .secret_holds(&stage.namespace, "tagged", "value", b"value")
            .await?;
    }
    let calls = assumptions(shared, "AssumeRole", &role);
    let mut namespaces: Vec<&Value> = calls
        .iter()
        .map(|call| {
            let keys = ["esoNamespace", "esoStoreKind", "esoStoreName", "team"];
            for (index, key) in keys.iter().enumerate() {
                assert_eq!(call.body[format!("Tags.member.{}.Key", index + 1)], *key);
            }
            assert_eq!(call.body["Tags.member.2.Value"], "ClusterSecretStore");
            assert_eq!(call.body["Tags.member.3.Value"], name);
            &call.body["Tags.member.1.Value"]
        })
        .collect();
    namespaces.sort_by_key(ToString::to_string);
    let mut expected = [json!(one.namespace), json!(two.namespace)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!(namespaces, expected.iter().collect::<Vec<_>>());
    Ok(())
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Result<Value, Failure> {
    use base64::Engine as _;
    let body = token.split('.').nth(1).unwrap_or_default();
    let body = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body)?;
    Ok(serde_json::from_slice(&body)?)
}
