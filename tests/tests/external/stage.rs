//! What the suites of ExternalSecrets share: one controller, one AWS, and a namespace per test.

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Moto, REGION,
    objects, rights,
};

/// One controller with one AWS.
pub(crate) struct Shared {
    plane: &'static ControlPlane,
    pub(crate) controller: Controller,
    pub(crate) aws: Moto,
}

impl Shared {
    pub(crate) async fn start() -> Result<Self, Failure> {
        Self::on(ControlPlane::shared().await?, |builder| builder).await
    }

    /// On a control plane of the caller's, with more flags.
    pub(crate) async fn on(
        plane: &'static ControlPlane,
        more: impl FnOnce(ControllerBuilder) -> ControllerBuilder,
    ) -> Result<Self, Failure> {
        let identity = rights::ours(plane).await?;
        let aws = Moto::start().await?;
        let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
        let controller = more(builder.parts("external").aws(&aws)).start().await?;
        Ok(Self {
            plane,
            controller,
            aws,
        })
    }

    /// A namespace with a SecretStore `aws` and the access key that it names.
    pub(crate) async fn stage(&self) -> Result<Stage, Failure> {
        Stage::on(self.plane).await
    }
}

/// A namespace of a test.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
}

impl Stage {
    /// A namespace with a SecretStore `aws` and the access key that it names.
    pub(crate) async fn on(plane: &ControlPlane) -> Result<Self, Failure> {
        let cluster = plane.cluster().await?;
        let namespace = cluster.namespace("external").await?;
        let key = objects::secret(
            &namespace,
            "access-key",
            &[("id", b"AKIAEXAMPLE"), ("secret", b"x")],
        );
        cluster.create(&key).await?;
        cluster
            .create(&store("SecretStore", "aws", &namespace))
            .await?;
        Ok(Self { cluster, namespace })
    }

    pub(crate) fn at(&self, name: &str) -> Coordinates {
        Coordinates::new(
            "external-secrets.io/v1",
            "ExternalSecret",
            &self.namespace,
            name,
        )
    }

    /// The name of a secret in AWS that is this test's own.
    pub(crate) fn remote(&self, name: &str) -> String {
        format!("{}/{name}", self.namespace)
    }

    /// An ExternalSecret of the store `aws` that refreshes each second, with more in its spec.
    pub(crate) fn external_secret(&self, name: &str, more: Value) -> Value {
        let mut object = json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "refreshInterval": "1s",
                "secretStoreRef": {"name": "aws", "kind": "SecretStore"},
            },
        });
        for (field, value) in more.as_object().cloned().unwrap_or_default() {
            object["spec"][field] = value;
        }
        object
    }

    /// An ExternalSecret with one value: the whole of a secret in AWS, or a property of it.
    pub(crate) fn one_value(&self, name: &str, remote: &str, property: Option<&str>) -> Value {
        let mut reference = json!({"key": self.remote(remote)});
        if let Some(property) = property {
            reference["property"] = json!(property);
        }
        self.external_secret(
            name,
            json!({"data": [{"secretKey": "value", "remoteRef": reference}]}),
        )
    }

    /// Waits until an ExternalSecret is not ready, and checks that condition or event, and the log,
    /// hold the texts.
    pub(crate) async fn refused(
        &self,
        controller: &Controller,
        name: &str,
        texts: &[&str],
    ) -> Result<(), Failure> {
        let at = self.at(name);
        let condition = self.cluster.condition(&at, "Ready", "False").await?;
        assert_eq!(condition["reason"], "SecretSyncedError");
        let message = condition["message"].as_str().unwrap_or_default();
        let event = self.cluster.event(&at, "UpdateFailed").await?;
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["source"]["component"], "external-secrets");
        let told = event["message"].as_str().unwrap_or_default();
        for text in texts {
            assert!(
                message.contains(text),
                "the condition of {at} does not hold {text}: {message}"
            );
            assert!(
                told.contains(text),
                "the event of {at} does not hold {text}: {told}"
            );
        }
        controller.logged(&self.namespace).await
    }
}

/// A store whose access key is the Secret `access-key` of a namespace.
pub(crate) fn store(kind: &str, name: &str, namespace: &str) -> Value {
    let selector = |key: &str| json!({"name": "access-key", "key": key});
    let (mut id, mut secret) = (selector("id"), selector("secret"));
    let mut metadata = json!({"name": name});
    if kind == "ClusterSecretStore" {
        id["namespace"] = json!(namespace);
        secret["namespace"] = json!(namespace);
    } else {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": kind,
        "metadata": metadata,
        "spec": {"provider": {"aws": {
            "service": "SecretsManager",
            "region": REGION,
            "auth": {"secretRef": {
                "accessKeyIDSecretRef": id,
                "secretAccessKeySecretRef": secret,
            }},
        }}},
    })
}
