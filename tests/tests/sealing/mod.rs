//! A sealing controller of a test's own: it looks only at the namespace that it lives in, so that the
//! tests of a suite can share a control plane.

#![allow(dead_code, reason = "each suite uses another part of it")]

use std::time::{Duration, SystemTime};

use k8s_openapi::jiff;
use keys::{Certificate, KeyPair, KeySize, Label, PublicKey, Scope, Validity, encode_base64, seal};
use serde_json::{Value, json};
use tests::{
    ApiProxy, Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure,
    Kubeconfig, Observation, eventually,
};

/// The label of key Secrets.
pub(crate) const KEY_LABEL: &str = "sealedsecrets.bitnami.com/sealed-secrets-key";

/// A namespace, and how a controller is started in it.
pub(crate) struct Stage {
    pub(crate) plane: &'static ControlPlane,
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
}

impl Stage {
    pub(crate) async fn set() -> Result<Self, Failure> {
        Self::on(ControlPlane::shared().await?).await
    }

    pub(crate) async fn on(plane: &'static ControlPlane) -> Result<Self, Failure> {
        let cluster = plane.cluster().await?;
        let namespace = cluster.namespace("sealing").await?;
        Ok(Self {
            plane,
            cluster,
            namespace,
        })
    }

    /// A controller for this namespace alone, with keys that are quickly made.
    pub(crate) fn builder(&self) -> Result<ControllerBuilder, Failure> {
        self.builder_as(self.plane.admin())
    }

    fn builder_as(&self, identity: &Kubeconfig) -> Result<ControllerBuilder, Failure> {
        Ok(ControllerBuilder::new(identity, &self.namespace)?
            .parts("sealed")
            .flag("all-namespaces", "false")
            .flag("key-size", "2048"))
    }

    /// The same with a proxy of its own on the way to the API server.
    pub(crate) async fn behind_a_proxy(&self) -> Result<(ApiProxy, ControllerBuilder), Failure> {
        let admin = self.plane.admin();
        let proxy = ApiProxy::start(admin).await?;
        let kubeconfig = proxy.kubeconfig(admin, self.plane.file("proxied.kubeconfig"))?;
        Ok((proxy, self.builder_as(&kubeconfig)?))
    }

    pub(crate) async fn start(&self) -> Result<Controller, Failure> {
        self.builder()?.start().await
    }

    pub(crate) fn at(&self, name: &str) -> Coordinates {
        Coordinates::new(
            "bitnami.com/v1alpha1",
            "SealedSecret",
            &self.namespace,
            name,
        )
    }

    pub(crate) fn secret(&self, name: &str) -> Coordinates {
        Coordinates::secret(&self.namespace, name)
    }

    /// A SealedSecret with these values, sealed strictly.
    pub(crate) fn sealed(&self, key: &PublicKey, name: &str, values: &[(&str, &str)]) -> Value {
        let label = Label::new(Scope::Strict, &self.namespace, name);
        let items: serde_json::Map<String, Value> = values
            .iter()
            .map(|(item, value)| {
                (
                    (*item).to_owned(),
                    sealed(key, &label, value.as_bytes()).into(),
                )
            })
            .collect();
        json!({
            "apiVersion": "bitnami.com/v1alpha1",
            "kind": "SealedSecret",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"encryptedData": items},
        })
    }

    /// Makes a SealedSecret and waits until its Secret has the first value.
    pub(crate) async fn deliver(
        &self,
        key: &PublicKey,
        name: &str,
        values: &[(&str, &str)],
    ) -> Result<(), Failure> {
        self.cluster.create(&self.sealed(key, name, values)).await?;
        self.holds(name, values).await
    }

    pub(crate) async fn holds(&self, name: &str, values: &[(&str, &str)]) -> Result<(), Failure> {
        for (item, value) in values {
            self.cluster
                .secret_holds(&self.namespace, name, item, value.as_bytes())
                .await?;
        }
        Ok(())
    }

    /// The message of the condition that says why a SealedSecret did not become a Secret.
    pub(crate) async fn refused(&self, name: &str) -> Result<String, Failure> {
        let condition = self
            .cluster
            .condition(&self.at(name), "Synced", "False")
            .await?;
        Ok(condition["message"].as_str().unwrap_or_default().to_owned())
    }

    /// The key Secrets, by the label and the name of the oldest form.
    pub(crate) async fn keys(&self) -> Result<Vec<Value>, Failure> {
        let mut secrets = self.cluster.list("v1", "Secret", &self.namespace).await?;
        secrets.retain(|secret| !secret["metadata"]["labels"][KEY_LABEL].is_null());
        secrets.sort_by_key(|secret| secret["metadata"]["creationTimestamp"].to_string());
        Ok(secrets)
    }

    /// Waits until there are so many key Secrets.
    pub(crate) async fn keys_are(&self, count: usize) -> Result<Vec<Value>, Failure> {
        eventually(&format!("{count} key Secrets"), async || {
            let keys = self.keys().await?;
            let seen = keys.len();
            Ok(Observation::of((seen == count).then_some(keys), || {
                seen.to_string()
            }))
        })
        .await
    }

    /// Makes a key Secret of a key pair.
    pub(crate) async fn add_key(
        &self,
        name: &str,
        pair: &KeyPair,
        label: Option<&str>,
    ) -> Result<(), Failure> {
        let private = String::from_utf8(pair.private_key().to_pem().expose().to_vec())
            .map_err(|error| Failure::new(error.to_string()))?;
        self.add_key_pem(name, &private, &pair.certificate().to_pem(), label)
            .await
    }

    pub(crate) async fn add_key_pem(
        &self,
        name: &str,
        private: &str,
        certificate: &str,
        label: Option<&str>,
    ) -> Result<(), Failure> {
        let labels = label.map(|label| json!({KEY_LABEL: label}));
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
            "stringData": {"tls.key": private, "tls.crt": certificate},
        });
        self.cluster.create(&secret).await?;
        Ok(())
    }

    /// Waits until the controller serves the certificate of this key.
    pub(crate) async fn serves(
        &self,
        controller: &Controller,
        key: &PublicKey,
    ) -> Result<(), Failure> {
        eventually("the certificate of the key", async || {
            let served = served(controller).await?.public_key().fingerprint();
            Ok(Observation::when(served == key.fingerprint(), || {
                served.to_string()
            }))
        })
        .await
    }
}

/// Waits until the controller itself says of every SealedSecret that it is in order.
pub(crate) async fn in_order(controller: &Controller, count: usize) -> Result<(), Failure> {
    eventually("every condition in order", async || {
        let good = controller.in_order().await?;
        Ok(Observation::when(good == count, || good.to_string()))
    })
    .await
}

/// The certificate that a controller serves.
pub(crate) async fn served(controller: &Controller) -> Result<Certificate, Failure> {
    let (status, pem) = controller.get("/v1/cert.pem").await?;
    Certificate::from_pem(pem.as_bytes())
        .map_err(|error| Failure::new(format!("{status}: {error}")))
}

/// An item in base64.
pub(crate) fn sealed(key: &PublicKey, label: &Label, value: &[u8]) -> String {
    seal(key, label, value)
        .map(|item| encode_base64(&item))
        .unwrap_or_default()
}

/// A key pair whose certificate began so many hours ago.
pub(crate) fn pair(hours_ago: u64) -> Result<KeyPair, Failure> {
    let start = SystemTime::now() - Duration::from_secs(3_600 * hours_ago);
    let validity = Validity::starting(start, Duration::from_secs(86_400 * 365));
    KeyPair::generate(KeySize::Bits2048, validity, "")
        .map_err(|error| Failure::new(error.to_string()))
}

/// A counter of the controller's metrics; zero where it is not there.
pub(crate) async fn counter(controller: &Controller, name: &str) -> Result<u64, Failure> {
    let metrics = controller.metrics().await?;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(line
        .and_then(|value| value.parse::<f64>().ok())
        .map_or(0, |value| value as u64))
}

/// A moment as `date -R` prints it.
pub(crate) fn as_date_prints_it(moment: SystemTime) -> Result<String, Failure> {
    let failed = |error: jiff::Error| Failure::new(error.to_string());
    let zoned = jiff::Timestamp::try_from(moment)
        .map_err(failed)?
        .to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::strtime::format("%a, %d %b %Y %H:%M:%S %z", &zoned).map_err(failed)
}

/// The incumbent's own definition of SealedSecret, as its chart installs it.
pub(crate) async fn incumbents_definition() -> Result<String, Failure> {
    let file = "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml";
    tests::module_file::of_sealed_secrets(file).await
}
