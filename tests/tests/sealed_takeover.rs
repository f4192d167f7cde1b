//! Taking a cluster over from the real controller, and giving it back: no Secret changes, no key is
//! made, nothing is sealed anew. With our definition of SealedSecret and with theirs.

mod sealing;

use std::collections::BTreeMap;

use keys::{Label, Scope};
use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, ControllerBuilder, Coordinates, Failure, Observation, RealController,
    adoption, eventually, rights,
};

use sealing::{KEY_LABEL, incumbents_definition, sealed};

/// 500 in `make soak`.
const OBJECTS: usize = if cfg!(feature = "soak") { 500 } else { 40 };

#[tokio::test]
async fn a_take_over_and_back_changes_nothing_with_our_definition() -> Result<(), Failure> {
    take_over_and_give_back(&ControlPlane::start().await?).await
}

#[tokio::test]
async fn a_take_over_and_back_changes_nothing_with_their_definition() -> Result<(), Failure> {
    take_over_and_give_back(&ControlPlane::start_with(&[incumbents_definition().await?]).await?)
        .await
}

async fn take_over_and_give_back(plane: &ControlPlane) -> Result<(), Failure> {
    let cluster = plane.cluster().await?;
    let identity = rights::sealed_secrets(plane).await?;
    let flags = [
        "--key-size=2048",
        "--kubeclient-qps=1000",
        "--kubeclient-burst=2000",
    ];
    let mut theirs = RealController::start(&identity, &flags)?;
    let certificate = theirs.certificate().await?;
    let certificate = keys::Certificate::from_pem(certificate.as_bytes())
        .map_err(|error| Failure::new(error.to_string()))?;
    let namespace = cluster.namespace("taken").await?;
    for number in 0..OBJECTS {
        cluster
            .create(&varied(&certificate, &namespace, number))
            .await?;
    }
    everything_is_synced(&cluster, &namespace).await?;
    let before = Picture::of(&cluster, &namespace, identity.namespace).await?;
    assert_eq!((before.secrets.len(), before.keys.len()), (OBJECTS, 1));
    seems_to_run(&cluster, identity.namespace).await?;
    let told = adoption(plane, "sealed", identity.namespace).await?;
    assert!(told.contains("would change: nothing"), "{told}");
    assert!(
        told.contains("Deployment kube-system/their-controller"),
        "{told}"
    );
    assert!(
        told.contains(&format!("{OBJECTS} SealedSecrets, 1 keys")),
        "{told}"
    );
    theirs.terminate().await?;

    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?
        .parts("sealed")
        .flag("key-size", "2048");
    let mut ours = builder.start().await?;
    eventually("our look at everything", async || {
        let seen = ours.in_order().await?;
        Ok(Observation::when(seen == OBJECTS, || seen.to_string()))
    })
    .await?;
    Picture::of(&cluster, &namespace, identity.namespace)
        .await?
        .must_be(&before, "taken over")?;
    ours.terminate().await?;

    let mut again = RealController::start(&identity, &flags)?;
    again.certificate().await?;
    eventually("their look at everything", async || {
        again.process().must_run()?;
        let text = again.metrics().await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("sealed_secrets_controller_unseal_requests_total "));
        let seen: usize = line.unwrap_or("0").parse().unwrap_or_default();
        Ok(Observation::when(seen >= OBJECTS, || seen.to_string()))
    })
    .await?;
    everything_is_synced(&cluster, &namespace).await?;
    Picture::of(&cluster, &namespace, identity.namespace)
        .await?
        .must_be(&before, "given back")
}

/// A Deployment of theirs that has replicas, as far as anybody can see.
async fn seems_to_run(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    let labels = json!({"app": "theirs"});
    let image = "docker.io/bitnami/sealed-secrets-controller:0.36.6";
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "their-controller", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "controller", "image": image}]},
            },
        },
    });
    cluster.create(&deployment).await?;
    Ok(())
}

/// SealedSecrets as they are met: with labels, annotations and types, in all scopes, immutable ones.
fn varied(certificate: &keys::Certificate, namespace: &str, number: usize) -> Value {
    let name = format!("x{number}");
    let scope = Scope::ALL[number % 3];
    let label = Label::new(scope, namespace, &name);
    let mut object = json!({
        "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret",
        "metadata": {"name": name, "namespace": namespace, "annotations": {}},
        "spec": {
            "encryptedData": {},
            "template": {"metadata": {"name": name, "namespace": namespace}},
        },
    });
    for item in ["a", "b", "c"] {
        object["spec"]["encryptedData"][item] =
            sealed(certificate.public_key(), &label, item.as_bytes()).into();
    }
    if scope != Scope::Strict {
        let annotation = format!("sealedsecrets.bitnami.com/{scope}");
        object["metadata"]["annotations"][annotation] = "true".into();
    }
    let template = &mut object["spec"]["template"];
    match number % 5 {
        0 => template["metadata"]["labels"] = json!({"app": "shop"}),
        1 => template["metadata"]["annotations"] = json!({"note": "kept"}),
        2 => template["type"] = "example.com/custom".into(),
        3 => template["immutable"] = true.into(),
        _ => {}
    }
    object
}

async fn everything_is_synced(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    for number in 0..OBJECTS {
        let name = format!("x{number}");
        let at = Coordinates::new("bitnami.com/v1alpha1", "SealedSecret", namespace, &name);
        cluster.condition(&at, "Synced", "True").await?;
    }
    Ok(())
}

/// What must not change.
#[derive(PartialEq)]
struct Picture {
    secrets: BTreeMap<String, Value>,
    keys: BTreeMap<String, Value>,
    specs: BTreeMap<String, Value>,
}

impl Picture {
    async fn of(cluster: &Cluster, namespace: &str, own: &str) -> Result<Self, Failure> {
        let named = |objects: Vec<Value>, part: fn(&Value) -> Value| {
            let name = |object: &Value| object["metadata"]["name"].to_string();
            objects
                .iter()
                .map(|object| (name(object), part(object)))
                .collect()
        };
        let mut keys = cluster.list("v1", "Secret", own).await?;
        keys.retain(|secret| !secret["metadata"]["labels"][KEY_LABEL].is_null());
        let sealed = cluster
            .list("bitnami.com/v1alpha1", "SealedSecret", namespace)
            .await?;
        let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
        Ok(Self {
            secrets: named(cluster.list("v1", "Secret", namespace).await?, version),
            keys: named(keys, version),
            specs: named(sealed, |object| object["spec"].clone()),
        })
    }

    fn must_be(&self, before: &Self, when: &str) -> Result<(), Failure> {
        let changed: Vec<&String> = before
            .secrets
            .iter()
            .chain(&before.keys)
            .filter(|(name, version)| {
                self.secrets.get(*name).or_else(|| self.keys.get(*name)) != Some(*version)
            })
            .map(|(name, _)| name)
            .collect();
        if self == before {
            Ok(())
        } else {
            Err(Failure::new(format!(
                "{when}, these are not as before: {changed:?}"
            )))
        }
    }
}
