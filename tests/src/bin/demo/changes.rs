//! What happens afterwards: by hand, in Git, in AWS.

use serde_json::json;
use tests::{Coordinates, Failure, Observation, eventually};

use crate::{
    report::Report,
    stage::{APPLICATION, AWS_SECRET, Stage},
    story::{pulled, short},
};

const OVERLAY: &str = "apps/overlays/production/my-app";

fn deployment() -> Coordinates {
    Coordinates::new("apps/v1", "Deployment", APPLICATION, "my-app")
}

fn settings() -> Coordinates {
    Coordinates::config_map(APPLICATION, "my-app-settings")
}

/// A hand edit is reverted, deleted Secrets come back.
pub(crate) async fn by_hand(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    report.chapter("By hand");
    let cluster = stage.cluster();
    report
        .step("kubectl scale is reverted", async {
            cluster
                .merge(&deployment(), &json!({"spec": {"replicas": 1}}))
                .await?;
            replicas(stage, 3).await?;
            Ok("1 replica by hand, 3 again from Git".to_owned())
        })
        .await?;
    for (name, value) in [
        ("db-creds", b"supersecret".as_slice()),
        ("database-credentials", b"from-aws-1"),
    ] {
        report
            .step(&format!("the deleted Secret {name} is back"), async {
                cluster
                    .delete(&Coordinates::secret(APPLICATION, name))
                    .await?;
                cluster
                    .secret_holds(APPLICATION, name, "password", value)
                    .await?;
                Ok("with the same value".to_owned())
            })
            .await?;
    }
    report
        .step("an edited Secret is put right", async {
            let edit = json!({"stringData": {"password": "by-hand"}});
            cluster
                .merge(&Coordinates::secret(APPLICATION, "db-creds"), &edit)
                .await?;
            cluster
                .secret_holds(APPLICATION, "db-creds", "password", b"supersecret")
                .await?;
            Ok("db-creds holds the sealed value again".to_owned())
        })
        .await
}

/// A change in Git arrives, a file removed in Git is pruned.
pub(crate) async fn in_git(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    report.chapter("In Git");
    let repository = stage.repository();
    report
        .step("a change is applied", async {
            repository.replace(
                &format!("{OVERLAY}/replica-patch.yaml"),
                "replicas: 3",
                "replicas: 5",
            )?;
            let commit = repository.commit("five replicas").await?;
            pulled(stage).await?;
            replicas(stage, 5).await?;
            Ok(format!("commit {}: 5 replicas", short(&commit)))
        })
        .await?;
    report
        .step("a removed file is pruned", async {
            stage.cluster().must_get(&settings()).await?;
            repository.remove(&format!("{OVERLAY}/settings.yaml"))?;
            let file = format!("{OVERLAY}/kustomization.yaml");
            repository.replace(&file, "  - settings.yaml\n", "")?;
            let commit = repository.commit("no settings any more").await?;
            eventually("the end of the ConfigMap", async || {
                let left = stage.cluster().get(&settings()).await?;
                Ok(Observation::when(left.is_none(), || {
                    "it is still there".to_owned()
                }))
            })
            .await?;
            stage.cluster().must_get(&deployment()).await?;
            Ok(format!(
                "commit {}: ConfigMap my-app-settings is gone",
                short(&commit)
            ))
        })
        .await
}

/// A new value in AWS arrives.
pub(crate) async fn in_aws(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    report.chapter("In AWS");
    report
        .step("a rotated value arrives", async {
            let value = r#"{"username":"app","password":"from-aws-2"}"#;
            stage.aws().put_secret(AWS_SECRET, value).await?;
            stage
                .cluster()
                .secret_holds(
                    APPLICATION,
                    "database-credentials",
                    "password",
                    b"from-aws-2",
                )
                .await?;
            Ok("Secret database-credentials holds the new value".to_owned())
        })
        .await
}

async fn replicas(stage: &Stage, wanted: i64) -> Result<(), Failure> {
    eventually(&format!("{wanted} replicas"), async || {
        let found = stage.cluster().must_get(&deployment()).await?;
        let replicas = found["spec"]["replicas"].as_i64();
        Ok(Observation::when(replicas == Some(wanted), || {
            format!("replicas: {}", found["spec"]["replicas"])
        }))
    })
    .await
}
