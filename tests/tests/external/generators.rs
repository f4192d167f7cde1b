//! Generators end to end: tokens of ECR, and passwords.

use serde_json::{Value, json};
use tests::{Failure, REGION, objects};

use crate::{shared, stage::Stage};

async fn text(stage: &Stage, name: &str, key: &str) -> Result<String, Failure> {
    let data = stage
        .cluster
        .secret_data(&stage.namespace, name)
        .await?
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(data.get(key).map_or(&[][..], Vec::as_slice)).into_owned())
}

fn generated(stage: &Stage, name: &str, kind: &str, more: Value) -> Value {
    let mut entry = json!({"sourceRef": {"generatorRef": {
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": kind, "name": name,
    }}});
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        entry[field] = value;
    }
    let spec = json!({"refreshInterval": "1h", "dataFrom": [entry]});
    let mut object = stage.external_secret(name, spec);
    object["spec"]
        .as_object_mut()
        .map(|spec| spec.remove("secretStoreRef"));
    object
}

/// ECRAuthorizationToken: what an image pull secret is made of, asked for with the key of a Secret and
/// through a role.
#[tokio::test]
async fn a_token_for_the_registry_becomes_a_pull_secret() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let data: &[(&str, &[u8])] = &[("id", b"AKIAREGISTRY"), ("secret", b"x")];
    stage
        .cluster
        .apply_value(&objects::secret(&stage.namespace, "access-key", data))
        .await?;
    let role = crate::role(&stage, "registry");
    let generator = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "ECRAuthorizationToken",
        "metadata": {"name": "registry", "namespace": stage.namespace},
        "spec": {
            "region": REGION, "role": role,
            "auth": {"secretRef": {
                "accessKeyIDSecretRef": {"name": "access-key", "key": "id"},
                "secretAccessKeySecretRef": {"name": "access-key", "key": "secret"},
            }},
        },
    });
    stage.cluster.create(&generator).await?;
    let mut object = generated(&stage, "registry", "ECRAuthorizationToken", json!({}));
    object["spec"]["target"] = json!({"template": {
        "type": "kubernetes.io/dockerconfigjson", "mergePolicy": "Merge",
        "data": {".dockerconfigjson":
            r#"{"auths":{"{{ .proxy_endpoint }}":{"username":"{{ .username }}","password":"{{ .password }}"}}}"#},
    }});
    stage.cluster.create(&object).await?;
    stage
        .cluster
        .condition(&stage.at("registry"), "Ready", "True")
        .await?;
    assert_eq!(text(&stage, "registry", "username").await?, "AWS");
    let password = text(&stage, "registry", "password").await?;
    let endpoint = text(&stage, "registry", "proxy_endpoint").await?;
    assert!(
        !password.is_empty() && endpoint.contains(REGION),
        "{endpoint}"
    );
    let expires = text(&stage, "registry", "expires_at").await?;
    assert!(
        expires.parse::<u64>().is_ok(),
        "seconds since 1970: {expires}"
    );
    let config: Value =
        serde_json::from_str(&text(&stage, "registry", ".dockerconfigjson").await?)?;
    assert_eq!(config["auths"][&endpoint]["password"], json!(password));
    let assumed = crate::assumptions(shared, "AssumeRole", &role);
    assert_eq!(assumed.len(), 1, "one token for one refresh");
    assert_eq!(assumed[0].access_key, "AKIAREGISTRY");
    let asked = shared
        .aws
        .calls()
        .into_iter()
        .any(|call| call.operation == "GetAuthorizationToken");
    assert!(asked);
    Ok(())
}

#[tokio::test]
async fn a_password_is_made_as_its_generator_says_and_its_key_rewritten() -> Result<(), Failure> {
    let shared = shared().await?;
    let stage = shared.stage().await?;
    let generator = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password",
        "metadata": {"name": "bootstrap", "namespace": stage.namespace},
        "spec": {"length": 24, "digits": 4, "symbols": 2, "symbolCharacters": "-_", "noUpper": true, "allowRepeat": true},
    });
    stage.cluster.create(&generator).await?;
    let rewrite = json!({"rewrite": [{"regexp": {"source": "password", "target": "admin.$0"}}]});
    stage
        .cluster
        .create(&generated(&stage, "bootstrap", "Password", rewrite))
        .await?;
    stage
        .cluster
        .condition(&stage.at("bootstrap"), "Ready", "True")
        .await?;
    let password = text(&stage, "bootstrap", "admin.password").await?;
    let count = |of: fn(char) -> bool| password.chars().filter(|c| of(*c)).count();
    assert_eq!(password.len(), 24);
    assert_eq!(count(|c| c.is_ascii_digit()), 4);
    assert_eq!(count(|c| matches!(c, '-' | '_')), 2);
    assert_eq!(count(|c| c.is_ascii_uppercase()), 0);
    let log = shared.controller.log()?;
    assert!(!log.contains(&password), "the password is in the log");
    Ok(())
}
