//! What is true of the sealing part whatever rights it has, as long as they are the incumbent's.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Observation,
    RealKubeseal, eventually, objects, rights::Identity,
};

/// Makes a test of each case. A suite has a function `stage` that says who runs the controller.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        $(#[tokio::test]
        async fn $case() -> Result<(), tests::Failure> {
            cases::$case(&crate::stage().await?).await
        })*
    };
}

macro_rules! all_cases {
    () => {
        cases! {
            what_the_real_kubeseal_sealed_is_opened,
            all_three_scopes_are_opened_where_they_may_be,
            a_changed_sealed_secret_changes_its_secret,
            a_deleted_or_edited_secret_is_put_right,
            a_deleted_sealed_secret_takes_its_secret_with_it,
            labels_annotations_and_type_of_the_template_are_taken,
            an_item_sealed_for_another_cluster_names_itself_and_keeps_what_was_written,
            an_item_that_is_not_base64_is_named,
            an_item_that_is_too_short_is_named,
            an_item_sealed_for_another_name_is_refused,
            an_item_sealed_for_another_namespace_is_refused,
            a_wrong_scope_annotation_is_named,
            a_secret_of_somebody_else_is_left_alone,
            a_bad_sealed_secret_does_not_stop_another,
            the_first_key_is_a_secret_that_the_incumbent_reads,
            nothing_opened_is_logged,
        }
    };
}

/// What the tests of a suite share: one controller.
pub(crate) struct Shared {
    plane: &'static ControlPlane,
    pub(crate) controller: Controller,
    certificate: String,
    own_namespace: &'static str,
}

impl Shared {
    pub(crate) async fn start(
        plane: &'static ControlPlane,
        identity: Identity,
    ) -> Result<Self, Failure> {
        let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
        let controller = builder.parts("sealed").start().await?;
        let (status, certificate) = controller.get("/v1/cert.pem").await?;
        assert!(status.is_success(), "{status}: {certificate}");
        Ok(Self {
            plane,
            controller,
            certificate,
            own_namespace: identity.namespace,
        })
    }
}

/// What one test works with: a namespace of its own.
pub(crate) struct Stage {
    pub(crate) shared: &'static Shared,
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) kubeseal: RealKubeseal,
}

impl Stage {
    pub(crate) async fn on(shared: &'static Shared) -> Result<Self, Failure> {
        let cluster = shared.plane.cluster().await?;
        let namespace = cluster.namespace("sealed").await?;
        let kubeseal = RealKubeseal::with_certificate(&shared.certificate)?;
        Ok(Self {
            shared,
            cluster,
            namespace,
            kubeseal,
        })
    }

    fn at(&self, name: &str) -> Coordinates {
        Coordinates::new(
            "bitnami.com/v1alpha1",
            "SealedSecret",
            &self.namespace,
            name,
        )
    }

    fn secret(&self, name: &str) -> Coordinates {
        Coordinates::secret(&self.namespace, name)
    }

    /// Seals one value with the real kubeseal, strictly, as it is used every day.
    async fn seal(&self, name: &str, key: &str, value: &str) -> Result<Value, Failure> {
        let secret = objects::secret(&self.namespace, name, &[(key, value.as_bytes())]);
        self.kubeseal.seal(&secret, &[]).await
    }

    /// Waits until a SealedSecret is refused, and checks that condition, event and log each tell of
    /// the object and hold the texts.
    async fn refused(&self, name: &str, event: &str, texts: &[&str]) -> Result<(), Failure> {
        let at = self.at(name);
        let condition = self.cluster.condition(&at, "Synced", "False").await?;
        let message = condition["message"].as_str().unwrap_or_default();
        let event = self.cluster.event(&at, event).await?;
        assert_eq!(event["type"], "Warning");
        assert_eq!(event["source"]["component"], "sealed-secrets");
        let told = event["message"].as_str().unwrap_or_default();
        let line = eventually("a line of the log about it", async || {
            // The log quotes what it tells.
            let log = self.shared.controller.log()?.replace("\\\"", "\"");
            let about = |line: &&str| line.contains(&self.namespace) && line.contains(name);
            let line = log
                .lines()
                .filter(about)
                .find(|line| line.contains(texts[0]));
            Ok(Observation::of(line.map(str::to_owned), || {
                log.lines().filter(about).collect::<Vec<_>>().join("\n")
            }))
        })
        .await?;
        for text in texts {
            assert!(
                message.contains(text),
                "the condition of {at} does not hold {text}: {message}"
            );
            assert!(
                told.contains(text),
                "the event of {at} does not hold {text}: {told}"
            );
            assert!(
                line.contains(text),
                "the log of {at} does not hold {text}: {line}"
            );
        }
        Ok(())
    }
}

pub(crate) async fn what_the_real_kubeseal_sealed_is_opened(stage: &Stage) -> Result<(), Failure> {
    let binary: Vec<u8> = (0..=255).collect();
    let values: [(&str, &[u8]); 3] = [
        ("password", b"correct horse"),
        ("empty", b""),
        ("binary", &binary),
    ];
    let secret = objects::secret(&stage.namespace, "db", &values);
    stage
        .cluster
        .create(&stage.kubeseal.seal(&secret, &[]).await?)
        .await?;
    let condition = stage
        .cluster
        .condition(&stage.at("db"), "Synced", "True")
        .await?;
    assert_eq!(condition["type"], "Synced");
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "db")
        .await?
        .unwrap_or_default();
    let expected = values.map(|(key, value)| (key.to_owned(), value.to_vec()));
    assert_eq!(data, BTreeMap::from(expected));
    let sealed = stage.cluster.must_get(&stage.at("db")).await?;
    assert_eq!(
        sealed["status"]["observedGeneration"],
        sealed["metadata"]["generation"]
    );
    let secret = stage.cluster.must_get(&stage.secret("db")).await?;
    assert_eq!(
        secret["metadata"]["ownerReferences"],
        json!([{
            "apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "name": "db",
            "uid": sealed["metadata"]["uid"], "controller": true,
        }])
    );
    let event = stage.cluster.event(&stage.at("db"), "Unsealed").await?;
    assert_eq!(event["message"], "SealedSecret unsealed successfully");
    assert_eq!(event["type"], "Normal");
    Ok(())
}

pub(crate) async fn all_three_scopes_are_opened_where_they_may_be(
    stage: &Stage,
) -> Result<(), Failure> {
    for (scope, name) in [
        ("strict", "db"),
        ("namespace-wide", "other"),
        ("cluster-wide", "third"),
    ] {
        let place = if scope == "cluster-wide" {
            "elsewhere"
        } else {
            &stage.namespace
        };
        let secret = objects::secret(place, "db", &[("scope", scope.as_bytes())]);
        let mut sealed = stage.kubeseal.seal(&secret, &["--scope", scope]).await?;
        sealed["metadata"]["name"] = json!(name);
        sealed["metadata"]["namespace"] = json!(stage.namespace);
        stage.cluster.create(&sealed).await?;
        stage
            .cluster
            .secret_holds(&stage.namespace, name, "scope", scope.as_bytes())
            .await?;
    }
    Ok(())
}

pub(crate) async fn a_changed_sealed_secret_changes_its_secret(
    stage: &Stage,
) -> Result<(), Failure> {
    stage
        .cluster
        .create(&stage.seal("changing", "a", "first").await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "changing", "a", b"first")
        .await?;
    let second = stage.seal("changing", "b", "second").await?;
    let patch =
        json!({"spec": {"encryptedData": {"a": null, "b": second["spec"]["encryptedData"]["b"]}}});
    stage.cluster.merge(&stage.at("changing"), &patch).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "changing", "b", b"second")
        .await?;
    let data = stage
        .cluster
        .secret_data(&stage.namespace, "changing")
        .await?
        .unwrap_or_default();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["b"]);
    stage
        .cluster
        .condition(&stage.at("changing"), "Synced", "True")
        .await?;
    Ok(())
}

pub(crate) async fn a_deleted_or_edited_secret_is_put_right(stage: &Stage) -> Result<(), Failure> {
    stage
        .cluster
        .create(&stage.seal("kept", "a", "value").await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "kept", "a", b"value")
        .await?;
    stage.cluster.delete(&stage.secret("kept")).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "kept", "a", b"value")
        .await?;
    let edit = json!({"stringData": {"a": "by hand"}});
    stage.cluster.merge(&stage.secret("kept"), &edit).await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "kept", "a", b"value")
        .await
}

pub(crate) async fn a_deleted_sealed_secret_takes_its_secret_with_it(
    stage: &Stage,
) -> Result<(), Failure> {
    stage
        .cluster
        .create(&stage.seal("leaving", "a", "value").await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "leaving", "a", b"value")
        .await?;
    stage.cluster.delete(&stage.at("leaving")).await?;
    eventually("the end of the Secret", async || {
        let left = stage.cluster.get(&stage.secret("leaving")).await?;
        Ok(Observation::when(left.is_none(), || {
            String::from("it is still there")
        }))
    })
    .await
}

pub(crate) async fn labels_annotations_and_type_of_the_template_are_taken(
    stage: &Stage,
) -> Result<(), Failure> {
    let mut secret = objects::secret(
        &stage.namespace,
        "registry",
        &[(".dockerconfigjson", b"{}")],
    );
    secret["type"] = json!("kubernetes.io/dockerconfigjson");
    secret["metadata"]["labels"] = json!({"team": "shop"});
    secret["metadata"]["annotations"] = json!({"note": "kept"});
    stage
        .cluster
        .create(&stage.kubeseal.seal(&secret, &[]).await?)
        .await?;
    stage
        .cluster
        .condition(&stage.at("registry"), "Synced", "True")
        .await?;
    let made = stage.cluster.must_get(&stage.secret("registry")).await?;
    assert_eq!(made["type"], "kubernetes.io/dockerconfigjson");
    assert_eq!(made["metadata"]["labels"]["team"], "shop");
    assert_eq!(made["metadata"]["annotations"]["note"], "kept");
    Ok(())
}

pub(crate) async fn an_item_sealed_for_another_cluster_names_itself_and_keeps_what_was_written(
    stage: &Stage,
) -> Result<(), Failure> {
    stage
        .cluster
        .create(&stage.seal("moved", "password", "good").await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "moved", "password", b"good")
        .await?;
    let elsewhere = RealKubeseal::with_certificate(&foreign_certificate()?)?;
    let secret = objects::secret(&stage.namespace, "moved", &[("password", b"better")]);
    let sealed = elsewhere.seal(&secret, &[]).await?;
    stage
        .cluster
        .merge(&stage.at("moved"), &json!({"spec": sealed["spec"]}))
        .await?;
    stage
        .refused(
            "moved",
            "ErrUnsealFailed",
            &["password", "no key could decrypt"],
        )
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "moved", "password", b"good")
        .await
}

pub(crate) async fn an_item_that_is_not_base64_is_named(stage: &Stage) -> Result<(), Failure> {
    let sealed = objects::sealed_secret(&stage.namespace, "garbled", &[("token", "not base64!")]);
    stage.cluster.create(&sealed).await?;
    stage
        .refused("garbled", "ErrUnsealFailed", &["token", "base64"])
        .await?;
    assert!(stage.cluster.get(&stage.secret("garbled")).await?.is_none());
    Ok(())
}

pub(crate) async fn an_item_that_is_too_short_is_named(stage: &Stage) -> Result<(), Failure> {
    let sealed = objects::sealed_secret(&stage.namespace, "cut", &[("token", "AgBcdef=")]);
    stage.cluster.create(&sealed).await?;
    stage
        .refused("cut", "ErrUnsealFailed", &["token", "short"])
        .await?;
    Ok(())
}

pub(crate) async fn an_item_sealed_for_another_name_is_refused(
    stage: &Stage,
) -> Result<(), Failure> {
    let mut sealed = stage.seal("original", "a", "value").await?;
    sealed["metadata"]["name"] = json!("renamed");
    stage.cluster.create(&sealed).await?;
    stage
        .refused("renamed", "ErrUnsealFailed", &["\"a\"", "another name"])
        .await?;
    Ok(())
}

pub(crate) async fn an_item_sealed_for_another_namespace_is_refused(
    stage: &Stage,
) -> Result<(), Failure> {
    let secret = objects::secret("elsewhere", "db", &[("a", b"value")]);
    let mut sealed = stage
        .kubeseal
        .seal(&secret, &["--scope", "namespace-wide"])
        .await?;
    sealed["metadata"]["namespace"] = json!(stage.namespace);
    stage.cluster.create(&sealed).await?;
    stage
        .refused("db", "ErrUnsealFailed", &["\"a\"", "namespace"])
        .await?;
    Ok(())
}

pub(crate) async fn a_wrong_scope_annotation_is_named(stage: &Stage) -> Result<(), Failure> {
    let secret = objects::secret(&stage.namespace, "scoped", &[("a", b"value")]);
    let mut sealed = stage
        .kubeseal
        .seal(&secret, &["--scope", "cluster-wide"])
        .await?;
    let annotations = sealed["metadata"]["annotations"].take();
    stage.cluster.create(&sealed).await?;
    stage
        .refused(
            "scoped",
            "ErrUnsealFailed",
            &["sealedsecrets.bitnami.com/cluster-wide"],
        )
        .await?;
    // Doing what the message says helps, without a change to the spec.
    stage
        .cluster
        .merge(
            &stage.at("scoped"),
            &json!({"metadata": {"annotations": annotations}}),
        )
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "scoped", "a", b"value")
        .await
}

pub(crate) async fn a_secret_of_somebody_else_is_left_alone(stage: &Stage) -> Result<(), Failure> {
    let theirs = objects::secret(&stage.namespace, "theirs", &[("a", b"mine")]);
    let before = stage.cluster.create(&theirs).await?;
    stage
        .cluster
        .create(&stage.seal("theirs", "a", "sealed").await?)
        .await?;
    stage
        .refused(
            "theirs",
            "ErrUpdateFailed",
            &["already exists and is not managed by SealedSecret"],
        )
        .await?;
    let after = stage.cluster.must_get(&stage.secret("theirs")).await?;
    assert_eq!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
    Ok(())
}

pub(crate) async fn a_bad_sealed_secret_does_not_stop_another(
    stage: &Stage,
) -> Result<(), Failure> {
    for number in 0..5 {
        let name = format!("bad-{number}");
        let sealed = objects::sealed_secret(&stage.namespace, &name, &[("a", "bad")]);
        stage.cluster.create(&sealed).await?;
    }
    stage
        .cluster
        .create(&stage.seal("good", "a", "value").await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "good", "a", b"value")
        .await
}

pub(crate) async fn the_first_key_is_a_secret_that_the_incumbent_reads(
    stage: &Stage,
) -> Result<(), Failure> {
    let secrets = stage
        .cluster
        .list("v1", "Secret", stage.shared.own_namespace)
        .await?;
    let is_key = |secret: &&Value| {
        secret["metadata"]["labels"]["sealedsecrets.bitnami.com/sealed-secrets-key"] == "active"
    };
    let keys: Vec<&Value> = secrets.iter().filter(is_key).collect();
    assert_eq!(keys.len(), 1);
    let key = keys.first().copied().cloned().unwrap_or_default();
    assert_eq!(key["type"], "kubernetes.io/tls");
    let name = key["metadata"]["name"].as_str().unwrap_or_default();
    assert!(name.starts_with("sealed-secrets-key"), "{name}");
    let data = stage
        .cluster
        .secret_data(stage.shared.own_namespace, name)
        .await?;
    let data = data.unwrap_or_default();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["tls.crt", "tls.key"]);
    let text = |key: &str| String::from_utf8_lossy(data.get(key).map_or(&[], Vec::as_slice));
    assert!(text("tls.key").starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert_eq!(text("tls.crt").trim(), stage.shared.certificate.trim());
    Ok(())
}

pub(crate) async fn nothing_opened_is_logged(stage: &Stage) -> Result<(), Failure> {
    let canary = "canary-4f1c9a7e";
    stage
        .cluster
        .create(&stage.seal("canary", "a", canary).await?)
        .await?;
    stage
        .cluster
        .secret_holds(&stage.namespace, "canary", "a", canary.as_bytes())
        .await?;
    let mut bad = stage.seal("canary-bad", "good", canary).await?;
    bad["spec"]["encryptedData"]["bad"] = json!("AgBcdef=");
    stage.cluster.create(&bad).await?;
    stage
        .refused("canary-bad", "ErrUnsealFailed", &["\"bad\""])
        .await?;
    let log = stage.shared.controller.log()?;
    assert!(
        log.contains("canary-bad"),
        "the log does not tell of canary-bad"
    );
    for form in [canary.to_owned(), canary_in_base64()] {
        assert!(!log.contains(&form), "the log holds the canary");
    }
    Ok(())
}

/// `canary-4f1c9a7e` in base64.
fn canary_in_base64() -> String {
    String::from("Y2FuYXJ5LTRmMWM5YTdl")
}

/// A certificate whose private key this cluster does not have.
fn foreign_certificate() -> Result<String, Failure> {
    let vectors = include_str!("../../vectors/sealing.json");
    let vectors: Value = serde_json::from_str(vectors)?;
    Ok(vectors["keys"][1]["certificate"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}
