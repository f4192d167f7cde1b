//! The controller at work with the rights and the arguments of each variant: what it lacks shows.

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Moto, Observation,
    REGION, RealKubeseal, eventually, objects, rights::Identity,
};

use crate::elsewhere::grant;
use crate::rendered::{Rendered, variant};

const SEALED: &str = "bitnami.com/v1alpha1";
const EXTERNAL: &str = "external-secrets.io/v1";

#[tokio::test]
async fn sealed_and_external_need_nothing_of_deliverys_role() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let base = variant("base").await?;
    let identity = grant(plane, &base, "rights-base", &[], &["signet-delivery"]).await?;
    let aws = Moto::start().await?;
    let controller = start(&identity, &base)?
        .parts("sealed,external")
        .flag("old-gc-behavior", "true")
        .aws(&aws)
        .start()
        .await?;
    let namespace = cluster.namespace("rights").await?;
    sealed(&cluster, &controller, &namespace, identity.namespace).await?;
    fetched(&cluster, &aws, &namespace, "rights-base").await?;
    signed_in_as_an_account(&cluster, &aws, &namespace, "rights-base").await?;
    of_a_cluster_store(&cluster, &aws, &namespace, "rights-base").await?;
    in_many_namespaces(&cluster, &namespace, "rights-base").await?;
    generated(&cluster, &namespace).await?;
    let_go(&cluster, &namespace).await?;
    gone_by_hand(&cluster, &namespace).await?;
    // Its Lease and the published keys.
    let lease = Coordinates::new(
        "coordination.k8s.io/v1",
        "Lease",
        "rights-base",
        "signet-controller",
    );
    cluster.must_get(&lease).await?;
    let keys = Coordinates::config_map("rights-base", "sealed-secrets-certificates");
    exists(&cluster, &keys).await?;
    nothing_was_refused(&controller)
}

#[tokio::test]
async fn a_namespaced_installation_serves_its_namespaces_and_sees_no_other() -> Result<(), Failure>
{
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let namespaced = variant("namespaced").await?;
    let others = [("my-app-prod", "rights-my-app")];
    let identity = grant(plane, &namespaced, "rights-namespaced", &others, &[]).await?;
    let aws = Moto::start().await?;
    let mut builder = start(&identity, &namespaced)?;
    let arguments = namespaced.arguments();
    assert!(!arguments.is_empty());
    for argument in arguments {
        let (flag, value) = argument.split_once('=').unwrap_or((&argument, "true"));
        let value = value.replace("my-app-prod", "rights-my-app");
        builder = builder.flag(flag.trim_start_matches("--"), value);
    }
    let controller = builder.aws(&aws).start().await?;
    sealed(&cluster, &controller, "rights-my-app", identity.namespace).await?;
    fetched(&cluster, &aws, "rights-my-app", "rights-namespaced").await?;
    signed_in_as_an_account(&cluster, &aws, "rights-my-app", "rights-namespaced").await?;
    generated(&cluster, "rights-my-app").await?;
    let_go(&cluster, "rights-my-app").await?;
    nothing_was_refused(&controller)?;
    let theirs = Cluster::new(identity.kubeconfig.client().await?);
    for namespace in ["", "default"] {
        let read = theirs.list("v1", "Secret", namespace).await;
        assert!(read.is_err(), "Secrets of {namespace} can be listed");
    }
    assert!(theirs.list("v1", "Secret", "rights-my-app").await.is_ok());
    Ok(())
}

#[tokio::test]
async fn the_sealed_only_variant_opens_and_says_once_what_it_lacks() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let cluster = plane.cluster().await?;
    let only = variant("sealed-only").await?;
    let identity = grant(plane, &only, "rights-sealed-only", &[], &[]).await?;
    let namespace = cluster.namespace("rights").await?;
    let controller = start(&identity, &only)?.parts("sealed").start().await?;
    sealed(&cluster, &controller, &namespace, identity.namespace).await?;
    for lack in ["leases", "configmaps"] {
        controller.logged(lack).await?;
        let log = controller.log()?;
        let warnings = log
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(lack));
        assert_eq!(warnings.count(), 1, "{lack}: {log}");
    }
    Ok(())
}

/// The controller with an identity, which looks only at what has its namespace as class or label: it
/// is not the only one in this cluster.
pub(crate) fn start(
    identity: &Identity,
    rendered: &Rendered,
) -> Result<ControllerBuilder, Failure> {
    let environment = &rendered.deployment()["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(environment[0]["name"], "POD_NAMESPACE");
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
    Ok(builder
        .flag("controller-class", identity.namespace)
        .flag("label-selector", format!("class={}", identity.namespace)))
}

/// A SealedSecret of the real kubeseal is opened, and put right.
pub(crate) async fn sealed(
    cluster: &Cluster,
    controller: &Controller,
    namespace: &str,
    class: &str,
) -> Result<(), Failure> {
    let (_status, certificate) = controller.get("/v1/cert.pem").await?;
    let kubeseal = RealKubeseal::with_certificate(&certificate)?;
    let secret = objects::secret(namespace, "opened", &[("key", b"value")]);
    let mut sealed = kubeseal.seal(&secret, &[]).await?;
    sealed["metadata"]["labels"] = json!({"class": class});
    cluster.create(&sealed).await?;
    let at = Coordinates::new(SEALED, "SealedSecret", namespace, "opened");
    cluster
        .secret_holds(namespace, "opened", "key", b"value")
        .await?;
    cluster
        .delete(&Coordinates::secret(namespace, "opened"))
        .await?;
    cluster
        .secret_holds(namespace, "opened", "key", b"value")
        .await?;
    let _event = cluster.event(&at, "Unsealed").await?;
    Ok(())
}

/// An ExternalSecret of a store with an access key.
pub(crate) async fn fetched(
    cluster: &Cluster,
    aws: &Moto,
    namespace: &str,
    class: &str,
) -> Result<(), Failure> {
    cluster.create(&access_key(namespace)).await?;
    let auth = |namespace: Option<&str>| {
        let reference = |key: &str| match namespace {
            Some(namespace) => json!({"name": "access-key", "key": key, "namespace": namespace}),
            None => json!({"name": "access-key", "key": key}),
        };
        json!({"secretRef": {
            "accessKeyIDSecretRef": reference("id"), "secretAccessKeySecretRef": reference("secret"),
        }})
    };
    let store = store("SecretStore", "keyed", Some(namespace), class, &auth(None));
    cluster.create(&store).await?;
    synced(cluster, aws, namespace, "fetched", "SecretStore", "keyed").await
}

/// An ExternalSecret of a store that signs in with the token of a ServiceAccount.
async fn signed_in_as_an_account(
    cluster: &Cluster,
    aws: &Moto,
    namespace: &str,
    class: &str,
) -> Result<(), Failure> {
    let role = "arn:aws:iam::123456789012:role/reader";
    cluster
        .create(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {
                "name": "reader", "namespace": namespace,
                "annotations": {"eks.amazonaws.com/role-arn": role},
            },
        }))
        .await?;
    let auth = json!({"jwt": {"serviceAccountRef": {"name": "reader"}}});
    let store = store("SecretStore", "account", Some(namespace), class, &auth);
    cluster.create(&store).await?;
    synced(
        cluster,
        aws,
        namespace,
        "signed-in",
        "SecretStore",
        "account",
    )
    .await
}

/// An ExternalSecret of a ClusterSecretStore that looks at the labels of namespaces.
pub(crate) async fn of_a_cluster_store(
    cluster: &Cluster,
    aws: &Moto,
    namespace: &str,
    class: &str,
) -> Result<(), Failure> {
    let reference = |key: &str| json!({"name": "access-key", "key": key, "namespace": namespace});
    let auth = json!({"secretRef": {
        "accessKeyIDSecretRef": reference("id"), "secretAccessKeySecretRef": reference("secret"),
    }});
    let mut store = store("ClusterSecretStore", class, None, class, &auth);
    store["spec"]["conditions"] = json!([{"namespaceSelector": {
        "matchLabels": {"kubernetes.io/metadata.name": namespace},
    }}]);
    cluster.create(&store).await?;
    synced(
        cluster,
        aws,
        namespace,
        "clusterwide",
        "ClusterSecretStore",
        class,
    )
    .await
}

async fn synced(
    cluster: &Cluster,
    aws: &Moto,
    namespace: &str,
    name: &str,
    kind: &str,
    store: &str,
) -> Result<(), Failure> {
    let remote = format!("{namespace}/{name}");
    aws.create_secret(&remote, "from AWS").await?;
    cluster
        .create(&json!({
            "apiVersion": EXTERNAL, "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "secretStoreRef": {"name": store, "kind": kind},
                "data": [{"secretKey": "key", "remoteRef": {"key": remote}}],
            },
        }))
        .await?;
    let at = Coordinates::new(EXTERNAL, "ExternalSecret", namespace, name);
    cluster.condition(&at, "Ready", "True").await?;
    cluster
        .secret_holds(namespace, name, "key", b"from AWS")
        .await
}

/// An ExternalSecret of a generator. It names no store, so every controller that sees it serves it.
async fn generated(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    cluster
        .create(&json!({
            "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password",
            "metadata": {"name": "password", "namespace": namespace},
            "spec": {"length": 20},
        }))
        .await?;
    let reference = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password",
        "name": "password",
    });
    cluster
        .create(&json!({
            "apiVersion": EXTERNAL, "kind": "ExternalSecret",
            "metadata": {"name": "generated", "namespace": namespace},
            "spec": {
                "refreshPolicy": "CreatedOnce",
                "dataFrom": [{"sourceRef": {"generatorRef": reference}}],
            },
        }))
        .await?;
    let at = Coordinates::new(EXTERNAL, "ExternalSecret", namespace, "generated");
    cluster.condition(&at, "Ready", "True").await?;
    Ok(())
}

/// A ClusterExternalSecret makes an ExternalSecret, changes it, and goes with it; its template reads a
/// ConfigMap.
async fn in_many_namespaces(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), Failure> {
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": {"template": "{{ .key }}!"},
        "metadata": {"name": "template", "namespace": namespace},
    });
    cluster.create(&config_map).await?;
    let spec = json!({
        "secretStoreRef": {"name": name, "kind": "ClusterSecretStore"},
        "target": {"name": "templated", "template": {"templateFrom": [{
            "configMap": {"name": "template", "items": [{"key": "template"}]},
        }]}},
        "data": [{"secretKey": "key", "remoteRef": {"key": format!("{namespace}/clusterwide")}}],
    });
    let many = json!({
        "apiVersion": EXTERNAL, "kind": "ClusterExternalSecret",
        "metadata": {
            "name": name,
            "finalizers": ["externalsecrets.external-secrets.io/clusterexternalsecret-cleanup"],
        },
        "spec": {
            "externalSecretName": "many", "externalSecretSpec": spec, "namespaces": [namespace],
        },
    });
    cluster.create(&many).await?;
    let one = Coordinates::new(EXTERNAL, "ExternalSecret", namespace, "many");
    exists(cluster, &one).await?;
    cluster
        .secret_holds(namespace, "templated", "template", b"from AWS!")
        .await?;
    let at = Coordinates::new(EXTERNAL, "ClusterExternalSecret", "", name);
    let change = json!({"spec": {"externalSecretMetadata": {"labels": {"a": "b"}}}});
    cluster.merge(&at, &change).await?;
    eventually("the change of the ExternalSecret", async || {
        let found = cluster.must_get(&one).await?["metadata"]["labels"].clone();
        Ok(Observation::when(found["a"] == "b", || found.to_string()))
    })
    .await?;
    cluster.condition(&at, "Ready", "True").await?;
    cluster.delete(&at).await
}

/// The incumbent's finalizer is taken from an ExternalSecret that is deleted.
async fn let_go(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    let at = Coordinates::new(EXTERNAL, "ExternalSecret", namespace, "fetched");
    let patch = json!({
        "metadata": {"finalizers": ["externalsecrets.external-secrets.io/externalsecret-cleanup"]},
        "spec": {"target": {"deletionPolicy": "Delete"}},
    });
    cluster.merge(&at, &patch).await?;
    cluster.delete(&at).await
}

/// With --old-gc-behavior the Secret is deleted by us.
async fn gone_by_hand(cluster: &Cluster, namespace: &str) -> Result<(), Failure> {
    cluster
        .delete(&Coordinates::new(
            SEALED,
            "SealedSecret",
            namespace,
            "opened",
        ))
        .await?;
    let secret = Coordinates::secret(namespace, "opened");
    eventually("the end of the Secret", async || {
        let left = cluster.get(&secret).await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is there")
        }))
    })
    .await
}

async fn exists(cluster: &Cluster, at: &Coordinates) -> Result<(), Failure> {
    eventually(&format!("{at}"), async || {
        Ok(Observation::of(cluster.get(at).await?.map(drop), || {
            String::from("not there")
        }))
    })
    .await
}

/// The API server says `forbidden` whenever a right is missing, and the log tells of it.
fn nothing_was_refused(controller: &Controller) -> Result<(), Failure> {
    let log = controller.log()?;
    let refused: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("forbidden") || line.contains("right to"))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    Ok(())
}

fn access_key(namespace: &str) -> Value {
    objects::secret(
        namespace,
        "access-key",
        &[("id", b"AKIAEXAMPLE"), ("secret", b"x")],
    )
}

fn store(kind: &str, name: &str, namespace: Option<&str>, class: &str, auth: &Value) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": EXTERNAL, "kind": kind, "metadata": metadata,
        "spec": {
            "controller": class,
            "provider": {"aws": {"service": "SecretsManager", "region": REGION, "auth": auth}},
        },
    })
}
