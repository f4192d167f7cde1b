//! The parts that the demo is played on: a control plane, AWS, a Git server, the controller.

use std::path::{Path, PathBuf};

use tests::{
    Cluster, ControlPlane, Controller, ControllerBuilder, Credentials, Failure, GitRepository,
    GitServer, Invocation, Moto, cache,
};

use crate::report::Report;

/// The namespace of the controller, as in the guide's pipeline.
pub(crate) const CONTROLLER_NAMESPACE: &str = "sealed-secrets";
/// The namespace of the application.
pub(crate) const APPLICATION: &str = "my-app-prod";
/// The secret in AWS that the example's ExternalSecret names.
pub(crate) const AWS_SECRET: &str = "production/myapp/database";
/// The access key that the example's store signs with.
pub(crate) const ACCESS_KEY: [&str; 2] = [
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
];

/// All parts, running.
pub(crate) struct Stage {
    controller: Controller,
    log: PathBuf,
    repository: GitRepository,
    _git: GitServer,
    aws: Moto,
    cluster: Cluster,
    plane: ControlPlane,
}

impl Stage {
    /// Starts everything.
    pub(crate) async fn set(report: &mut Report) -> Result<Self, Failure> {
        report.chapter("The stage");
        let mut plane = None;
        report
            .step("kube-apiserver, etcd, controller-manager", async {
                let started = plane.insert(ControlPlane::start().await?);
                Ok(format!("answers at {}", started.admin().server()))
            })
            .await?;
        let plane = plane.ok_or_else(|| Failure::new("no control plane"))?;
        let cluster = plane.cluster().await?;
        let mut rest = None;
        report
            .step("AWS Secrets Manager and a Git server", async {
                let (aws, _git, repository) = rest.insert(outside(&cluster).await?);
                Ok(format!("at {} and {}", aws.url(), repository.url()))
            })
            .await?;
        let (aws, git, repository) = rest.ok_or_else(|| Failure::new("nothing outside"))?;
        let mut controller = None;
        report
            .step("the controller, under its own role", async {
                let started = controller.insert(start_controller(&plane, &aws).await?);
                let memory = started.process().resident_kib()? / 1_024;
                Ok(format!("ready, {memory} MiB (a debug build)"))
            })
            .await?;
        let mut controller = controller.ok_or_else(|| Failure::new("no controller"))?;
        let log = controller.process().log().to_owned();
        Ok(Self {
            controller,
            log,
            repository,
            _git: git,
            aws,
            cluster,
            plane,
        })
    }

    pub(crate) fn aws(&self) -> &Moto {
        &self.aws
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn repository(&self) -> &GitRepository {
        &self.repository
    }

    pub(crate) fn kubeconfig(&self) -> &Path {
        self.plane.admin().path()
    }

    pub(crate) fn kubectl_path(&self) -> PathBuf {
        cache::CONTROL_PLANE
            .program("kubectl")
            .unwrap_or_else(|_| "kubectl".into())
    }

    pub(crate) fn controller_log(&self) -> PathBuf {
        self.log.clone()
    }

    pub(crate) fn kubectl(&self) -> Result<Invocation, Failure> {
        self.plane.kubectl()
    }

    /// Our kubeseal, with the kubeconfig of the demo.
    pub(crate) fn kubeseal(&self) -> Result<Invocation, Failure> {
        let program = cache::own_program("kubeseal")?;
        Ok(Invocation::new(program)
            .env("HOME", self.plane.directory())
            .env("KUBECONFIG", self.kubeconfig()))
    }

    /// A failure with the end of the controller's log under it.
    pub(crate) fn blame(&mut self, failure: Failure) -> Failure {
        let tail = self.controller.process().tail();
        Failure::new(format!(
            "{failure}\n\nthe end of the controller's log:\n{tail}"
        ))
    }

    /// Ends everything, the controller first and by asking.
    pub(crate) async fn strike(mut self) -> Result<(), Failure> {
        let status = self.controller.terminate().await?;
        if status.success() {
            return Ok(());
        }
        let tail = self.controller.process().tail();
        Err(Failure::new(format!(
            "the controller ended with {status}; its log:\n{tail}"
        )))
    }
}

/// AWS with its secret, and a Git server with the example repository behind a password.
async fn outside(cluster: &Cluster) -> Result<(Moto, GitServer, GitRepository), Failure> {
    let aws = Moto::start().await?;
    aws.create_secret(AWS_SECRET, r#"{"username":"app","password":"from-aws-1"}"#)
        .await?;
    let credentials = Credentials::new("flux", "a-token-of-the-demo");
    let git = GitServer::start(Some(&credentials)).await?;
    let repository = git.create("k8s-gitops").await?;
    repository.copy(&cache::repository().join("deploy/example"))?;
    cluster
        .apply(
            "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n---\n\
             apiVersion: v1\nkind: Secret\nmetadata: {name: github-token, namespace: flux-system}\n\
             stringData: {username: flux, password: a-token-of-the-demo}\n",
        )
        .await?;
    Ok((aws, git, repository))
}

/// The controller as deploy/base installs it, but as a process of this machine.
async fn start_controller(plane: &ControlPlane, aws: &Moto) -> Result<Controller, Failure> {
    let base = cache::repository().join("deploy/base");
    let mut arguments = vec!["apply".to_owned(), "--server-side".to_owned()];
    for file in [
        "namespace",
        "account",
        "cluster-role",
        "delivery-role",
        "role",
        "sealing-roles",
        "services",
    ] {
        arguments.push(format!(
            "--filename={}",
            base.join(file).with_extension("yaml").display()
        ));
    }
    plane.kubectl()?.args(&arguments).stdout().await?;
    let identity = plane
        .kubeconfig_for_service_account(CONTROLLER_NAMESPACE, "sealed-secrets-controller")
        .await?;
    ControllerBuilder::new(&identity, CONTROLLER_NAMESPACE)?
        .env("AWS_ENDPOINT_URL", aws.url())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .start()
        .await
}
