//! From a plaintext secret on a terminal to a running workload.

use tests::{Coordinates, Failure, Observation, eventually};

use crate::{
    report::Report,
    stage::{ACCESS_KEY, APPLICATION, CONTROLLER_NAMESPACE, Stage},
};

/// Where the sealed files go in the repository.
pub(crate) const DB_CREDS: &str = "apps/overlays/production/my-app/db-creds.yaml";
const ACCESS_KEY_FILE: &str = "infrastructure/aws-secrets-manager/credentials.yaml";

/// The guide's own pipeline, and the same for the access key of AWS; committed and pushed.
pub(crate) async fn seal(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    report.chapter("Sealing");
    report
        .step("kubectl create secret | kubeseal", async {
            let sealed = pipeline(stage, "db-creds", &["password=supersecret"]).await?;
            stage.repository().write(DB_CREDS, &sealed)?;
            Ok(format!(
                "{DB_CREDS}, {} bytes, no plaintext in it",
                sealed.len()
            ))
        })
        .await?;
    report
        .step("the same for the access key of AWS", async {
            let [id, secret] = ACCESS_KEY;
            let items = [
                &*format!("access-key-id={id}"),
                &*format!("secret-access-key={secret}"),
            ];
            let sealed = pipeline(stage, "aws-access-key", &items).await?;
            stage.repository().write(ACCESS_KEY_FILE, &sealed)?;
            Ok(ACCESS_KEY_FILE.to_owned())
        })
        .await?;
    report
        .step("git push", async {
            let repository = stage.repository();
            repository.replace(
                "apps/overlays/production/my-app/database-credentials.yaml",
                "refreshInterval: 1h",
                "refreshInterval: 3s",
            )?;
            let commit = repository.commit("my-app with its secrets").await?;
            Ok(format!("commit {}", short(&commit)))
        })
        .await
}

/// `kubectl create secret … | kubeseal …`, sealed for the application's namespace.
async fn pipeline(stage: &Stage, name: &str, items: &[&str]) -> Result<String, Failure> {
    let literals: Vec<String> = items
        .iter()
        .map(|item| format!("--from-literal={item}"))
        .collect();
    let plain = stage
        .kubectl()?
        .args(["create", "secret", "generic", name])
        .args(&literals)
        .args(["--dry-run=client", "-o", "yaml"])
        .stdout()
        .await?;
    let sealed = stage
        .kubeseal()?
        .args(["--controller-namespace", CONTROLLER_NAMESPACE])
        .args(["--namespace", APPLICATION, "--format", "yaml"])
        .input(plain)
        .stdout()
        .await?;
    for item in items {
        let value = item.split_once('=').map_or(*item, |(_, value)| value);
        if sealed.contains(value) {
            return Err(Failure::new(format!(
                "the sealed {name} holds its plaintext"
            )));
        }
    }
    Ok(sealed)
}

/// The repository is told to the cluster once; everything else follows.
pub(crate) async fn deliver(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    report.chapter("Delivery");
    report
        .step("the cluster is told of the repository", entry_point(stage))
        .await?;
    report.step("pulled", pulled(stage)).await?;
    report
        .step("applied", async {
            let deployment = Coordinates::new("apps/v1", "Deployment", APPLICATION, "my-app");
            eventually("the Deployment with the overlay's replicas", async || {
                let found = stage.cluster().get(&deployment).await?;
                let replicas = found
                    .as_ref()
                    .map(|found| found["spec"]["replicas"].clone());
                Ok(Observation::when(replicas == Some(3.into()), || {
                    format!("replicas: {replicas:?}")
                }))
            })
            .await?;
            Ok("Deployment my-app, 3 replicas from the overlay".to_owned())
        })
        .await?;
    let cluster = stage.cluster();
    report
        .step("unsealed", async {
            cluster
                .secret_holds(APPLICATION, "db-creds", "password", b"supersecret")
                .await?;
            let at = Coordinates::new(
                "bitnami.com/v1alpha1",
                "SealedSecret",
                APPLICATION,
                "db-creds",
            );
            cluster.condition(&at, "Synced", "True").await?;
            Ok("Secret db-creds holds what was typed; Synced=True".to_owned())
        })
        .await?;
    report
        .step("synced from AWS", async {
            cluster
                .secret_holds(
                    APPLICATION,
                    "database-credentials",
                    "password",
                    b"from-aws-1",
                )
                .await?;
            let at = Coordinates::new(
                "external-secrets.io/v1beta1",
                "ExternalSecret",
                APPLICATION,
                "database-credentials",
            );
            let ready = cluster.condition(&at, "Ready", "True").await?;
            Ok(format!(
                "Secret database-credentials; {}",
                ready["reason"].as_str().unwrap_or_default()
            ))
        })
        .await
}

/// Applies the repository's own entry point with the URL of the demo's server.
async fn entry_point(stage: &Stage) -> Result<String, Failure> {
    let sync = stage
        .repository()
        .read("clusters/production/flux-system/sync.yaml")?
        .replace(
            "https://github.com/myorg/k8s-gitops",
            stage.repository().url(),
        )
        .replace("interval: 1m", "interval: 2s");
    let applied = stage
        .kubectl()?
        .args(["apply", "--server-side", "--filename=-"])
        .input(sync)
        .stdout()
        .await?;
    Ok(applied
        .lines()
        .map(|line| line.split(' ').next().unwrap_or(line))
        .collect::<Vec<_>>()
        .join(", "))
}

/// Waits until the source is at the commit that the repository is at.
pub(crate) async fn pulled(stage: &Stage) -> Result<String, Failure> {
    let head = stage.repository().head().await?;
    let source = Coordinates::new(
        "source.toolkit.fluxcd.io/v1",
        "GitRepository",
        "flux-system",
        "k8s-gitops",
    );
    let revision = format!("main@sha1:{}", head.trim());
    eventually("the pull of the new commit", async || {
        let object = stage.cluster().must_get(&source).await?;
        let at = object["status"]["artifact"]["revision"].as_str() == Some(&revision);
        Ok(Observation::when(at, || object["status"].to_string()))
    })
    .await?;
    Ok(format!("main at {}", short(&head)))
}

pub(crate) fn short(commit: &str) -> &str {
    commit.trim().get(..8).unwrap_or(commit)
}
