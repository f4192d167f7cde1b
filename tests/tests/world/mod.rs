//! The example repository on a control plane of its own, with all parts of the controller: the
//! demo's work, for suites that disturb or watch it.

#![allow(dead_code, reason = "each suite uses another part of it")]

use serde_json::{Value, json};
use tests::{
    ApiProxy, Cluster, ControlPlane, ControllerBuilder, Coordinates, Credentials, Failure,
    GitRepository, GitServer, Kubeconfig, Moto, Observation, RealKubeseal, cache, eventually,
    objects, rights,
};

pub(crate) const APPLICATION: &str = "my-app-prod";
pub(crate) const SOURCES: &str = "flux-system";
const OVERLAY: &str = "apps/overlays/production/my-app";

/// What the values are that must never be seen, or only that they are there.
#[derive(Clone)]
pub(crate) struct Values {
    pub(crate) sealed: String,
    pub(crate) from_aws: String,
    pub(crate) rotated: String,
    pub(crate) git_password: String,
    pub(crate) access_key: String,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            sealed: String::from("supersecret"),
            from_aws: String::from("from-aws-1"),
            rotated: String::from("from-aws-2"),
            git_password: String::from("a-token"),
            access_key: String::from("a-secret-access-key"),
        }
    }
}

/// AWS and Git, which outlive a cluster.
pub(crate) struct Outside {
    pub(crate) aws: Moto,
    pub(crate) git: GitServer,
    pub(crate) repository: GitRepository,
    pub(crate) values: Values,
    aws_secret: String,
    first: String,
    second: String,
}

impl Outside {
    pub(crate) async fn set(values: Values) -> Result<Self, Failure> {
        let aws = Moto::start().await?;
        let credentials = Credentials::new("flux", &values.git_password);
        let git = GitServer::start(Some(&credentials)).await?;
        let repository = git.create("k8s-gitops").await?;
        repository.copy(&cache::repository().join("deploy/example"))?;
        // Tests of this process share one moto.
        let aws_secret = format!("database-of-{}", repository.url().len() + aws.url().len())
            + &aws.url().replace(['/', ':', '.'], "-");
        let credentials = format!("{OVERLAY}/database-credentials.yaml");
        repository.replace(&credentials, "production/myapp/database", &aws_secret)?;
        repository.replace(&credentials, "refreshInterval: 1h", "refreshInterval: 1s")?;
        aws.create_secret(&aws_secret, "{}").await?;
        seal(&repository, &values).await?;
        let first = repository.commit("first").await?;
        repository.replace(
            &format!("{OVERLAY}/replica-patch.yaml"),
            "replicas: 3",
            "replicas: 5",
        )?;
        repository.remove(&format!("{OVERLAY}/settings.yaml"))?;
        let list = format!("{OVERLAY}/kustomization.yaml");
        repository.replace(&list, "  - settings.yaml\n", "")?;
        repository.commit_locally("second").await?;
        let second = repository.head().await?;
        Ok(Self {
            aws,
            git,
            repository,
            values,
            aws_secret,
            first,
            second,
        })
    }

    /// As before the first cluster.
    async fn reset(&self) -> Result<(), Failure> {
        self.push(&self.first).await?;
        self.put(&self.values.from_aws).await
    }

    async fn push(&self, commit: &str) -> Result<(), Failure> {
        let reference = format!("{commit}:refs/heads/main");
        self.repository
            .git(&["push", "--quiet", "--force", "origin", &reference])
            .await?;
        Ok(())
    }

    async fn put(&self, password: &str) -> Result<(), Failure> {
        let document = json!({"username": "app", "password": password});
        self.aws
            .put_secret(&self.aws_secret, &document.to_string())
            .await
    }
}

/// Seals what the example repository keeps sealed, to the throw-away key of the vectors.
async fn seal(repository: &GitRepository, values: &Values) -> Result<(), Failure> {
    let kubeseal = RealKubeseal::with_certificate(&vector_key("certificate")?)?;
    let access_key: [(&str, &[u8]); 2] = [
        ("access-key-id", b"AKIAEXAMPLE"),
        ("secret-access-key", values.access_key.as_bytes()),
    ];
    let db_creds = objects::secret(
        APPLICATION,
        "db-creds",
        &[("password", values.sealed.as_bytes())],
    );
    for (secret, file) in [
        (db_creds, "apps/overlays/production/my-app/db-creds.yaml"),
        (
            objects::secret(APPLICATION, "aws-access-key", &access_key),
            "infrastructure/aws-secrets-manager/credentials.yaml",
        ),
    ] {
        repository.write(file, kubeseal.seal(&secret, &[]).await?.to_string())?;
    }
    Ok(())
}

/// A cluster with the sealing key of the vectors, and everything ready for the controller.
pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) cluster: Cluster,
    pub(crate) proxy: ApiProxy,
    pub(crate) identity: Kubeconfig,
    pub(crate) builder: ControllerBuilder,
}

impl World {
    pub(crate) async fn set(outside: &Outside) -> Result<Self, Failure> {
        outside.reset().await?;
        let plane = ControlPlane::start().await?;
        let identity = rights::ours(&plane).await?;
        let cluster = plane.cluster().await?;
        cluster.create(&sealing_key(identity.namespace)?).await?;
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SOURCES},
        });
        cluster.apply_value(&namespace).await?;
        let values = [
            ("username", "flux"),
            ("password", &outside.values.git_password),
        ];
        let values = values.map(|(key, value)| (key, value.as_bytes()));
        cluster
            .create(&objects::secret(SOURCES, "github-token", &values))
            .await?;
        let proxy = ApiProxy::start(plane.admin()).await?;
        let proxied = proxy.kubeconfig(&identity.kubeconfig, plane.file("proxied"))?;
        let builder = ControllerBuilder::new(&proxied, identity.namespace)?
            .env("AWS_ENDPOINT_URL", outside.aws.url())
            .env("AWS_EC2_METADATA_DISABLED", "true");
        Ok(Self {
            plane,
            cluster,
            proxy,
            identity: identity.kubeconfig,
            builder,
        })
    }

    /// Tells the cluster of the repository, and waits for all that follows from that.
    pub(crate) async fn deliver(&self, outside: &Outside) -> Result<(), Failure> {
        let sync = outside
            .repository
            .read("clusters/production/flux-system/sync.yaml")?
            .replace(
                "https://github.com/myorg/k8s-gitops",
                outside.repository.url(),
            )
            .replace("interval: 1m", "interval: 1s");
        self.cluster.apply(&sync).await?;
        self.replicas(3).await?;
        self.password("db-creds", &outside.values.sealed).await?;
        self.password("database-credentials", &outside.values.from_aws)
            .await?;
        self.settled(&outside.first).await
    }

    /// A new commit, a new value in AWS, an edit and a deletion by hand.
    pub(crate) async fn change(&self, outside: &Outside) -> Result<(), Failure> {
        outside.push(&outside.second).await?;
        self.replicas(5).await?;
        let settings = Coordinates::config_map(APPLICATION, "my-app-settings");
        eventually("the end of the settings", async || {
            let left = self.cluster.get(&settings).await?;
            Ok(Observation::when(left.is_none(), || {
                String::from("they are still there")
            }))
        })
        .await?;
        outside.put(&outside.values.rotated).await?;
        self.password("database-credentials", &outside.values.rotated)
            .await?;
        self.disturb(outside).await?;
        self.settled(&outside.second).await
    }

    /// An edit and a deletion by hand, put right.
    pub(crate) async fn disturb(&self, outside: &Outside) -> Result<(), Failure> {
        let edit = json!({"spec": {"replicas": 1}});
        self.cluster.merge(&deployment(), &edit).await?;
        self.replicas(5).await?;
        self.cluster
            .delete(&Coordinates::secret(APPLICATION, "db-creds"))
            .await?;
        self.password("db-creds", &outside.values.sealed).await
    }

    /// Something to put right, so that there is a write.
    pub(crate) async fn nudge(&self) -> Result<(), Failure> {
        let secret = Coordinates::secret(APPLICATION, "aws-access-key");
        if self.cluster.get(&secret).await?.is_some() {
            self.cluster.delete(&secret).await?;
        }
        Ok(())
    }

    async fn replicas(&self, wanted: i64) -> Result<(), Failure> {
        eventually(&format!("{wanted} replicas"), async || {
            let found = self.cluster.get(&deployment()).await?.unwrap_or_default();
            let replicas = &found["spec"]["replicas"];
            Ok(Observation::when(*replicas == wanted, || {
                replicas.to_string()
            }))
        })
        .await
    }

    async fn password(&self, secret: &str, value: &str) -> Result<(), Failure> {
        self.cluster
            .secret_holds(APPLICATION, secret, "password", value.as_bytes())
            .await
    }

    /// Waits until everything says that it is at a commit, and true.
    async fn settled(&self, commit: &str) -> Result<(), Failure> {
        let revision = format!("main@sha1:{commit}");
        for name in ["production", "aws-secrets-manager", "my-app"] {
            let group = "kustomize.toolkit.fluxcd.io/v1";
            let at = Coordinates::new(group, "Kustomization", SOURCES, name);
            eventually(&format!("{at} at {revision}"), async || {
                let status = self.cluster.must_get(&at).await?["status"].clone();
                let there = status["lastAppliedRevision"] == revision.as_str();
                Ok(Observation::when(there, || status.to_string()))
            })
            .await?;
            self.cluster.condition(&at, "Ready", "True").await?;
        }
        for (api_version, kind, name, condition) in [
            ("bitnami.com/v1alpha1", "SealedSecret", "db-creds", "Synced"),
            (
                "bitnami.com/v1alpha1",
                "SealedSecret",
                "aws-access-key",
                "Synced",
            ),
            (
                "external-secrets.io/v1",
                "ExternalSecret",
                "database-credentials",
                "Ready",
            ),
        ] {
            let at = Coordinates::new(api_version, kind, APPLICATION, name);
            self.cluster.condition(&at, condition, "True").await?;
        }
        self.counted().await
    }

    /// Waits until the published keys tell what they hold, which may lag behind by some seconds.
    async fn counted(&self) -> Result<(), Failure> {
        let published = Coordinates::config_map("sealed-secrets", "sealed-secrets-certificates");
        eventually("the published census", async || {
            let map = self.cluster.must_get(&published).await?;
            let index = map["data"]["keys.json"].as_str().unwrap_or_default();
            let index: Value = serde_json::from_str(index)?;
            let sealed = self
                .cluster
                .list("bitnami.com/v1alpha1", "SealedSecret", APPLICATION)
                .await?;
            // What never opened is held by no key that is known.
            let is_opened = |sealed: &&Value| !sealed["status"]["written"].is_null();
            let items = sealed
                .iter()
                .filter(is_opened)
                .filter_map(|sealed| sealed["spec"]["encryptedData"].as_object())
                .map(serde_json::Map::len);
            let is_right = index["keys"][0]["items"] == json!(items.sum::<usize>());
            Ok(Observation::when(is_right, || index.to_string()))
        })
        .await
    }
}

pub(crate) fn deployment() -> Coordinates {
    Coordinates::new("apps/v1", "Deployment", APPLICATION, "my-app")
}

/// The sealing key of the vectors as a key Secret of the cluster.
fn sealing_key(namespace: &str) -> Result<Value, Failure> {
    let (certificate, private) = (vector_key("certificate")?, vector_key("pkcs1")?);
    let data = [
        ("tls.crt", certificate.as_bytes()),
        ("tls.key", private.as_bytes()),
    ];
    let mut secret = objects::secret(namespace, "sealed-secrets-keyabcde", &data);
    secret["type"] = json!("kubernetes.io/tls");
    secret["metadata"]["labels"] =
        json!({"sealedsecrets.bitnami.com/sealed-secrets-key": "active"});
    Ok(secret)
}

/// A field of the smaller key of the vectors.
pub(crate) fn vector_key(field: &str) -> Result<String, Failure> {
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/sealing.json"))?;
    Ok(vectors["keys"][0][field]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
