//! What the suites of delivery share: one controller, and per test a namespace and a Git server.

#![allow(dead_code, reason = "each suite uses another part of it")]

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Credentials, Failure,
    GitRepository, GitServer, objects, rights,
};

/// One controller.
pub(crate) struct Shared {
    plane: &'static ControlPlane,
    controller: Controller,
}

impl Shared {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let plane = ControlPlane::shared().await?;
        let identity = rights::ours(plane).await?;
        let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
        let controller = builder.parts("delivery").start().await?;
        Ok(Self { plane, controller })
    }

    /// A stage of one test.
    pub(crate) async fn stage(&'static self) -> Result<Stage<'static>, Failure> {
        Stage::of(self.plane.cluster().await?, &self.controller).await
    }
}

/// What one test works with.
pub(crate) struct Stage<'a> {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) server: GitServer,
    pub(crate) repository: GitRepository,
    pub(crate) controller: &'a Controller,
}

impl<'a> Stage<'a> {
    /// A namespace and a repository behind a password, which the Secret `git` holds.
    pub(crate) async fn of(cluster: Cluster, controller: &'a Controller) -> Result<Self, Failure> {
        let namespace = cluster.namespace("delivery").await?;
        let credentials = Credentials::new("git", "a password");
        let server = GitServer::start(Some(&credentials)).await?;
        let repository = server.create("app").await?;
        let values: [(&str, &[u8]); 2] = [("username", b"git"), ("password", b"a password")];
        cluster
            .create(&objects::secret(&namespace, "git", &values))
            .await?;
        Ok(Self {
            cluster,
            namespace,
            server,
            repository,
            controller,
        })
    }

    pub(crate) fn source_at(&self) -> Coordinates {
        Coordinates::new(
            "source.toolkit.fluxcd.io/v1",
            "GitRepository",
            &self.namespace,
            "app",
        )
    }

    pub(crate) fn at(&self, name: &str) -> Coordinates {
        let group = "kustomize.toolkit.fluxcd.io/v1";
        Coordinates::new(group, "Kustomization", &self.namespace, name)
    }

    pub(crate) fn config_map(&self, name: &str) -> Coordinates {
        Coordinates::config_map(&self.namespace, name)
    }

    /// A manifest of a ConfigMap in the namespace of the test.
    pub(crate) fn manifest(&self, name: &str, value: &str) -> String {
        let namespace = &self.namespace;
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  \
             namespace: {namespace}\ndata:\n  key: {value}\n"
        )
    }

    /// Puts the manifest of a ConfigMap into the work tree, as `DIRECTORY/NAME.yaml`.
    pub(crate) fn write(&self, directory: &str, name: &str, value: &str) -> Result<(), Failure> {
        let path = format!("{directory}/{name}.yaml");
        self.repository
            .write(path.trim_start_matches('/'), self.manifest(name, value))
    }

    /// The GitRepository of the test's repository, looked at each second.
    pub(crate) fn source(&self) -> Value {
        json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "app", "namespace": self.namespace},
            "spec": {
                "interval": "1s",
                "url": self.repository.url(),
                "ref": {"branch": "main"},
                "secretRef": {"name": "git"},
            },
        })
    }

    /// A Kustomization that is due only every hour: what happens sooner happens because of a change.
    pub(crate) fn kustomization(&self, name: &str, path: &str) -> Value {
        json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "interval": "1h",
                "retryInterval": "1s",
                "path": path,
                "prune": true,
                "sourceRef": {"kind": "GitRepository", "name": "app"},
            },
        })
    }

    /// Commits the work tree and tells the cluster of the repository and one path of it.
    pub(crate) async fn deliver(&self, path: &str) -> Result<String, Failure> {
        self.deliver_all(&[self.kustomization("app", path)]).await
    }

    /// Commits the work tree and tells the cluster of the repository and of these Kustomizations.
    pub(crate) async fn deliver_all(&self, kustomizations: &[Value]) -> Result<String, Failure> {
        let commit = self.repository.commit("first").await?;
        self.cluster.create(&self.source()).await?;
        for kustomization in kustomizations {
            self.cluster.create(kustomization).await?;
        }
        Ok(commit)
    }

    /// Waits until a Kustomization is ready.
    pub(crate) async fn ready(&self, name: &str) -> Result<(), Failure> {
        let at = self.at(name);
        self.cluster.condition(&at, "Ready", "True").await.map(drop)
    }

    pub(crate) async fn status(&self, name: &str) -> Result<Value, Failure> {
        Ok(self.cluster.must_get(&self.at(name)).await?["status"].take())
    }

    pub(crate) fn account_at(&self, name: &str) -> Coordinates {
        Coordinates::new("v1", "ServiceAccount", &self.namespace, name)
    }

    pub(crate) fn role_at(&self, name: &str) -> Coordinates {
        Coordinates::new(RBAC, "Role", &self.namespace, name)
    }

    /// Makes a ServiceAccount without any right.
    pub(crate) async fn account(&self, name: &str) -> Result<(), Failure> {
        let metadata = json!({"name": name, "namespace": self.namespace});
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata});
        self.cluster.create(&account).await.map(drop)
    }

    /// Lets a ServiceAccount do this with the ConfigMaps of the namespace.
    pub(crate) async fn allow(&self, account: &str, verbs: &[&str]) -> Result<(), Failure> {
        let metadata = json!({"name": account, "namespace": self.namespace});
        let role = json!({
            "apiVersion": RBAC, "kind": "Role", "metadata": metadata,
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs}],
        });
        let subject =
            json!({"kind": "ServiceAccount", "name": account, "namespace": self.namespace});
        let binding = json!({
            "apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account},
            "subjects": [subject],
        });
        self.cluster.create(&role).await?;
        self.cluster.create(&binding).await.map(drop)
    }

    /// Waits until a ConfigMap that was delivered holds a value.
    pub(crate) async fn holds(&self, name: &str, value: &str) -> Result<(), Failure> {
        tests::eventually(&format!("ConfigMap {name} with {value}"), async || {
            let found = self
                .cluster
                .get(&self.config_map(name))
                .await?
                .unwrap_or_default();
            let holds = found["data"]["key"] == value;
            Ok(tests::Observation::when(holds, || {
                found["data"].to_string()
            }))
        })
        .await
    }

    /// Waits until a ConfigMap is gone.
    pub(crate) async fn gone(&self, name: &str) -> Result<(), Failure> {
        tests::eventually(&format!("the end of ConfigMap {name}"), async || {
            let left = self.cluster.get(&self.config_map(name)).await?;
            let instead = || String::from("it is still there");
            Ok(tests::Observation::when(left.is_none(), instead))
        })
        .await
    }

    /// Waits until an object is not ready for a reason, and checks that condition, event and log
    /// tell of it and hold the texts.
    pub(crate) async fn refused(
        &self,
        at: &Coordinates,
        reason: &str,
        texts: &[&str],
    ) -> Result<(), Failure> {
        let condition = tests::eventually(&format!("{reason} of {at}"), async || {
            let object = self.cluster.must_get(at).await?;
            let conditions = object["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let mut ready = conditions
                .into_iter()
                .filter(|condition| condition["type"] == "Ready");
            let found = ready.next().filter(|ready| ready["reason"] == reason);
            Ok(tests::Observation::of(found, || {
                object["status"]["conditions"].to_string()
            }))
        })
        .await?;
        assert_eq!(condition["status"], "False", "{condition}");
        let message = condition["message"].as_str().unwrap_or_default();
        let event = self.cluster.event(at, reason).await?;
        assert_eq!(event["type"], "Warning");
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
        self.controller.logged(&self.namespace).await
    }
}

/// The Kustomization with more in its spec.
pub(crate) fn with(mut kustomization: Value, more: Value) -> Value {
    if let (Some(spec), Value::Object(more)) = (kustomization["spec"].as_object_mut(), more) {
        spec.extend(more);
    }
    kustomization
}

const RBAC: &str = "rbac.authorization.k8s.io/v1";
