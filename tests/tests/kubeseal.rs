//! Our kubeseal and the real one, against our controller.

use serde_json::{Value, json};
use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Coordinates, Failure, Invocation,
    cache::{self, SEALED_SECRETS},
    objects, own_network, rights,
};

/// A controller on the control plane of this process.
struct Shared {
    plane: &'static ControlPlane,
    controller: Controller,
}

async fn shared() -> Result<&'static Shared, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    let start = async || {
        let plane = ControlPlane::shared().await?;
        let identity = rights::ours(plane).await?;
        let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
        let controller = builder.parts("sealed").start().await?;
        Ok::<_, Failure>(Shared { plane, controller })
    };
    tests::share(&SHARED, start).await
}

/// A kubeseal by the name of who made it.
fn kubeseal(plane: &ControlPlane, whose: &str) -> Result<Invocation, Failure> {
    let program = match whose {
        "ours" => cache::own_program("kubeseal")?,
        _ => SEALED_SECRETS.program("kubeseal")?,
    };
    let kubeconfig = plane.admin().path();
    Ok(Invocation::new(program)
        .env("KUBECONFIG", kubeconfig)
        .env("HOME", plane.directory()))
}

/// The pipeline of the guide: kubectl makes the Secret, kubeseal seals it, kubectl applies it.
async fn pipeline(
    plane: &ControlPlane,
    whose: &str,
    namespace: &str,
    name: &str,
    arguments: &[&str],
) -> Result<Value, Failure> {
    let plain = plane
        .kubectl()?
        .args([
            "create",
            "secret",
            "generic",
            name,
            "--from-literal=password=supersecret",
        ])
        .args(["--namespace", namespace, "--dry-run=client", "-o", "yaml"])
        .stdout()
        .await?;
    let sealed = kubeseal(plane, whose)?
        .args(["--controller-namespace", "sealed-secrets"])
        .args(arguments)
        .input(plain)
        .stdout()
        .await?;
    plane
        .kubectl()?
        .args(["apply", "-f", "-"])
        .input(sealed.clone())
        .stdout()
        .await?;
    Ok(serde_json::from_str(&sealed)?)
}

async fn opened(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), Failure> {
    cluster
        .secret_holds(namespace, name, "password", b"supersecret")
        .await
}

#[tokio::test]
async fn without_a_service_the_published_certificate_is_found() -> Result<(), Failure> {
    let shared = shared().await?;
    let cluster = shared.plane.cluster().await?;
    let namespace = cluster.namespace("pipeline").await?;
    pipeline(shared.plane, "ours", &namespace, "db-creds", &[]).await?;
    opened(&cluster, &namespace, "db-creds").await
}

#[tokio::test]
async fn our_kubeseal_seals_with_every_scope_what_the_controller_opens() -> Result<(), Failure> {
    let shared = shared().await?;
    let cluster = shared.plane.cluster().await?;
    let namespace = cluster.namespace("scopes").await?;
    for scope in ["strict", "namespace-wide", "cluster-wide"] {
        pipeline(shared.plane, "ours", &namespace, scope, &["--scope", scope]).await?;
        opened(&cluster, &namespace, scope).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_fetched_certificate_is_the_one_that_is_served_and_published() -> Result<(), Failure> {
    let shared = shared().await?;
    let (_status, served) = shared.controller.get("/v1/cert.pem").await?;
    let fetched = kubeseal(shared.plane, "ours")?
        .args(["--controller-namespace", "sealed-secrets", "--fetch-cert"])
        .stdout()
        .await?;
    assert_eq!(fetched.trim(), served.trim());
    let cluster = shared.plane.cluster().await?;
    let at = Coordinates::config_map("sealed-secrets", "sealed-secrets-certificates");
    let published = cluster.must_get(&at).await?;
    let keys: Value = serde_json::from_str(published["data"]["keys.json"].as_str().unwrap_or(""))?;
    assert!(keys.to_string().contains("\"current\""), "{keys}");
    let data = published["data"].as_object().cloned().unwrap_or_default();
    let certificates: Vec<&Value> = data
        .iter()
        .filter(|(name, _)| name.ends_with(".pem"))
        .map(|(_, pem)| pem)
        .collect();
    assert_eq!(certificates.len(), 1);
    assert_eq!(
        certificates
            .first()
            .and_then(|pem| pem.as_str())
            .map(str::trim),
        Some(served.trim())
    );
    Ok(())
}

#[tokio::test]
async fn everybody_who_may_log_in_may_seal() -> Result<(), Failure> {
    let shared = shared().await?;
    let nobody = shared
        .plane
        .kubeconfig_for_user("nobody", &["system:authenticated"])?;
    let secret = objects::secret("anywhere", "db", &[("password", b"supersecret")]);
    let sealed = kubeseal(shared.plane, "ours")?
        .env("KUBECONFIG", nobody.path())
        .args(["--controller-namespace", "sealed-secrets"])
        .input(secret.to_string())
        .stdout()
        .await?;
    let sealed: Value = serde_json::from_str(&sealed)?;
    assert!(sealed["spec"]["encryptedData"]["password"].is_string());
    Ok(())
}

#[tokio::test]
async fn a_controller_that_is_nowhere_is_told_with_all_that_was_tried() -> Result<(), Failure> {
    let shared = shared().await?;
    let secret = objects::secret("anywhere", "db", &[("password", b"supersecret")]);
    let outcome = kubeseal(shared.plane, "ours")?
        .args(["--controller-namespace", "no-such-place"])
        .input(secret.to_string())
        .outcome()
        .await?;
    assert_eq!(outcome.status.code(), Some(1));
    assert!(outcome.stdout.is_empty());
    assert!(outcome.stderr.starts_with("error: "), "{}", outcome.stderr);
    for tried in ["no-such-place", "sealed-secrets-certificates"] {
        assert!(outcome.stderr.contains(tried), "{}", outcome.stderr);
    }
    assert!(!outcome.stderr.contains("supersecret"));
    Ok(())
}

/// Through the Service, as in a cluster with nodes, for both programs.
#[test]
fn both_kubeseals_reach_the_controller_through_the_service_proxy() -> Result<(), Failure> {
    own_network::inside(
        "both_kubeseals_reach_the_controller_through_the_service_proxy",
        async {
            let shared = shared().await?;
            let cluster = shared.plane.cluster().await?;
            let service = "sealed-secrets-controller";
            cluster
                .stand_in("sealed-secrets", service, shared.controller.port())
                .await?;
            // Only the way through the Service is left.
            let published =
                Coordinates::config_map("sealed-secrets", "sealed-secrets-certificates");
            let (_status, served) = shared.controller.get("/v1/cert.pem").await?;
            let namespace = cluster.namespace("through").await?;
            for whose in ["real", "ours"] {
                if cluster.get(&published).await?.is_some() {
                    cluster.delete(&published).await.ok();
                }
                let fetched =
                    tests::eventually(&format!("the certificate for {whose}"), async || {
                        let outcome = kubeseal(shared.plane, whose)?
                            .args(["--controller-namespace", "sealed-secrets", "--fetch-cert"])
                            .outcome()
                            .await?;
                        let text = String::from_utf8(outcome.stdout)?;
                        Ok(tests::Observation::of(
                            outcome.status.success().then_some(text),
                            || outcome.stderr,
                        ))
                    })
                    .await?;
                assert_eq!(fetched.trim(), served.trim(), "{whose}");
                let name = format!("by-{whose}");
                let sealed = pipeline(shared.plane, whose, &namespace, &name, &[]).await?;
                assert_eq!(sealed["metadata"]["name"], json!(name));
                opened(&cluster, &namespace, &name).await?;
            }
            Ok(())
        },
    )
}
