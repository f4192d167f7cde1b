//! Kubeconfig files: one server, one identity.

use std::path::{Path, PathBuf};

use kube::Client;
use kube::config::KubeConfigOptions;
use serde_json::{Value, json};

use crate::Failure;

/// A kubeconfig file with one cluster, one user and one context.
#[derive(Clone)]
pub struct Kubeconfig {
    path: PathBuf,
    cluster: Value,
    user: Value,
}

impl Kubeconfig {
    /// Writes one. `cluster` and `user` are as in the file format.
    pub(crate) fn write(path: PathBuf, cluster: Value, user: Value) -> Result<Self, Failure> {
        let file = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": user}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
            "current-context": "tests",
        });
        // JSON is YAML.
        std::fs::write(&path, serde_json::to_string_pretty(&file)?)?;
        Ok(Self {
            path,
            cluster,
            user,
        })
    }

    /// Reads what the current context of a user's own file means, and writes that as one of ours.
    pub(crate) fn adopt(theirs: &Path, path: PathBuf) -> Result<Self, Failure> {
        let file = serde_json::to_value(kube::config::Kubeconfig::read_from(theirs)?)?;
        let named = |list: &str, name: &Value, content: &str| {
            let entries = file[list].as_array().into_iter().flatten();
            let mut found = entries
                .filter(|entry| entry["name"] == *name)
                .map(|entry| &entry[content]);
            found.next_back().cloned().unwrap_or_default()
        };
        let context = named("contexts", &file["current-context"], "context");
        let cluster = named("clusters", &context["cluster"], "cluster");
        let user = named("users", &context["user"], "user");
        if cluster["server"].is_null() {
            let theirs = theirs.display();
            return Err(Failure::new(format!(
                "the current context of {theirs} has no server"
            )));
        }
        Self::write(path, cluster, user)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The URL of the server.
    pub fn server(&self) -> &str {
        self.cluster["server"].as_str().unwrap_or_default()
    }

    /// The bearer token of the identity, if it has one.
    pub fn token(&self) -> Option<&str> {
        self.user["token"].as_str()
    }

    /// The file of the certificate authority, if it is a file.
    pub fn certificate_authority(&self) -> Option<&Path> {
        self.cluster["certificate-authority"]
            .as_str()
            .map(Path::new)
    }

    /// The same identity at another server, without TLS: for a proxy on loopback.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn through(&self, server: &str, path: PathBuf) -> Result<Self, Failure> {
        Self::write(path, json!({"server": server}), self.user.clone())
    }

    /// Another identity at the same server: what `user` changes in the entry of the user.
    pub(crate) fn with_user(&self, path: PathBuf, user: Value) -> Result<Self, Failure> {
        Self::write(path, self.cluster.clone(), user)
    }

    /// The entry of the user.
    pub(crate) fn user(&self) -> &Value {
        &self.user
    }

    /// A client of this identity. It belongs to the runtime it is made in: make one per test.
    ///
    /// # Errors
    /// If the file is not one that kube reads.
    pub async fn client(&self) -> Result<Client, Failure> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// The configuration of a client of this identity.
    ///
    /// # Errors
    /// If the file is not one that kube reads.
    pub async fn config(&self) -> Result<kube::Config, Failure> {
        let file = kube::config::Kubeconfig::read_from(&self.path)?;
        let options = KubeConfigOptions::default();
        Ok(kube::Config::from_custom_kubeconfig(file, &options).await?)
    }
}
