//! A missing kind or a refused right switches a part off with one clear warning, never the process;
//! the part starts when the lack is gone. And the API server may go away.

use std::collections::BTreeMap;

use serde_json::json;
use tests::{
    ApiProxy, Cluster, ControlPlane, Controller, ControllerBuilder, Failure, GitServer, Moto,
    Observation, REGION, RealKubeseal, definitions, eventually, objects, rights,
};

/// The kinds that users of each part write; delivery looks for this one first.
const KINDS: [&str; 4] = [
    "sealedsecrets.bitnami.com",
    "externalsecrets.external-secrets.io",
    "clustersecretstores.external-secrets.io",
    "gitrepositories.source.toolkit.fluxcd.io",
];

#[tokio::test]
async fn without_its_kinds_a_part_waits_and_then_starts() -> Result<(), Failure> {
    let plane = ControlPlane::start_with(&[]).await?;
    let identity = rights::ours(&plane).await?;
    let aws = Moto::start().await?;
    let proxy = ApiProxy::start(plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(&identity.kubeconfig, plane.file("proxied"))?;
    let builder = ControllerBuilder::new(&kubeconfig, identity.namespace)?;
    let mut controller = builder.aws(&aws).start().await?;
    for kind in KINDS {
        controller.logged(kind).await?;
    }
    looked_again(&proxy, &KINDS).await?;
    told_once(&warnings(&controller, "is off")?, &KINDS);
    controller.process().must_run()?;
    let cluster = plane.cluster().await?;
    for manifest in definitions()? {
        cluster.apply(&manifest).await?;
    }
    all_parts_work(&cluster, &controller, &aws).await
}

#[tokio::test]
async fn without_the_rights_a_part_waits_and_then_starts() -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    // The rights of a part that only seals.
    let identity = rights::sealed_secrets(&plane).await?;
    let aws = Moto::start().await?;
    let proxy = ApiProxy::start(plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(&identity.kubeconfig, plane.file("proxied"))?;
    let builder = ControllerBuilder::new(&kubeconfig, identity.namespace)?;
    let mut controller = builder.aws(&aws).start().await?;
    for kind in KINDS.iter().skip(1) {
        controller.logged(kind).await?;
    }
    looked_again(&proxy, &KINDS[1..]).await?;
    let told = warnings(&controller, "is off")?;
    told_once(&told, &KINDS[1..]);
    let sealing = told.keys().find(|warning| warning.contains(KINDS[0]));
    assert_eq!(sealing, None);
    controller.process().must_run()?;
    let cluster = plane.cluster().await?;
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "everything"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin",
        },
        "subjects": [{
            "kind": "ServiceAccount", "name": "sealed-secrets-controller",
            "namespace": identity.namespace,
        }],
    });
    cluster.apply_value(&binding).await?;
    all_parts_work(&cluster, &controller, &aws).await
}

#[tokio::test]
async fn an_api_server_that_was_away_is_worked_with_again() -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    let identity = rights::ours(&plane).await?;
    let mut proxy = ApiProxy::start(plane.admin()).await?;
    let kubeconfig = proxy.kubeconfig(&identity.kubeconfig, plane.file("proxied"))?;
    let aws = Moto::start().await?;
    let builder = ControllerBuilder::new(&kubeconfig, identity.namespace)?.aws(&aws);
    let mut controller = builder.start().await?;
    let cluster = plane.cluster().await?;
    all_parts_work(&cluster, &controller, &aws).await?;
    proxy.stop();
    let before = controller.log()?.len();
    eventually("a word about the lost connection", async || {
        let now = controller.log()?.len();
        Ok(Observation::when(now > before, || String::from("nothing")))
    })
    .await?;
    proxy.resume().await?;
    // Whoever lost the Lease may end, to be started again by the cluster; so it may here.
    if controller.process().ended()?.is_some() {
        controller = builder.start().await?;
    }
    all_parts_work(&cluster, &controller, &aws).await
}

/// Each part does what it is for, in a namespace of its own.
async fn all_parts_work(
    cluster: &Cluster,
    controller: &Controller,
    aws: &Moto,
) -> Result<(), Failure> {
    let namespace = cluster.namespace("parts").await?;
    let (_status, certificate) = controller.get("/v1/cert.pem").await?;
    let kubeseal = RealKubeseal::with_certificate(&certificate)?;
    let secret = objects::secret(&namespace, "sealed", &[("value", b"sealed")]);
    let sealed = kubeseal.seal(&secret, &[]).await?;
    eventually("the kinds that were installed", async || {
        Ok(Observation::of(cluster.create(&sealed).await.ok(), || {
            String::from("refused")
        }))
    })
    .await?;
    cluster
        .secret_holds(&namespace, "sealed", "value", b"sealed")
        .await?;

    let remote = format!("{namespace}/remote");
    aws.create_secret(&remote, "external").await?;
    let store = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "SecretStore",
        "metadata": {"name": "aws", "namespace": namespace},
        "spec": {"provider": {"aws": {"service": "SecretsManager", "region": REGION}}},
    });
    cluster.create(&store).await?;
    let external = json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "external", "namespace": namespace},
        "spec": {
            "refreshInterval": "1s",
            "secretStoreRef": {"name": "aws"},
            "data": [{"secretKey": "value", "remoteRef": {"key": remote}}],
        },
    });
    cluster.create(&external).await?;
    cluster
        .secret_holds(&namespace, "external", "value", b"external")
        .await?;

    let server = GitServer::start(None).await?;
    let repository = server.create("app").await?;
    let manifest = objects::secret(&namespace, "delivered", &[("value", b"delivered")]);
    repository.write("deploy/secret.yaml", manifest.to_string())?;
    repository.commit("first").await?;
    let source = json!({
        "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {"interval": "1s", "url": repository.url(), "ref": {"branch": "main"}},
    });
    cluster.create(&source).await?;
    let kustomization = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "app", "namespace": namespace},
        "spec": {
            "interval": "1h", "path": "./deploy", "prune": true,
            "sourceRef": {"kind": "GitRepository", "name": "app"},
        },
    });
    cluster.create(&kustomization).await?;
    cluster
        .secret_holds(&namespace, "delivered", "value", b"delivered")
        .await
}

/// Waits until every missing kind has been looked for once more.
async fn looked_again(proxy: &ApiProxy, missing: &[&str]) -> Result<(), Failure> {
    let looks = || -> Vec<usize> {
        let reads = proxy.reads();
        let plurals = missing
            .iter()
            .map(|kind| kind.split('.').next().unwrap_or_default());
        let looks = plurals.map(|plural| reads.get(&format!("list {plural}")).copied());
        looks.map(Option::unwrap_or_default).collect()
    };
    let before = looks();
    eventually("a further look at what is missing", async || {
        let now = looks();
        let all = now.iter().zip(&before).all(|(now, before)| now > before);
        Ok(Observation::when(all, || {
            format!("{now:?} looks at {missing:?}")
        }))
    })
    .await
}

/// What the log warns of with a text, without the time, and how often.
fn warnings(controller: &Controller, text: &str) -> Result<BTreeMap<String, usize>, Failure> {
    let mut told = BTreeMap::new();
    for line in controller.log()?.lines() {
        if let Some((_time, warning)) = line.split_once(" WARN ")
            && warning.contains(text)
        {
            *told.entry(warning.to_owned()).or_default() += 1;
        }
    }
    Ok(told)
}

/// Each kind is told of, and nothing twice.
fn told_once(told: &BTreeMap<String, usize>, kinds: &[&str]) {
    for kind in kinds {
        let names = |warning: &&String| warning.contains(&format!("kind=\"{kind}\""));
        assert!(
            told.keys().any(|warning| names(&warning)),
            "{kind} in {told:#?}"
        );
    }
    assert!(told.values().all(|times| *times == 1), "{told:#?}");
}
