//! Our controller as a process.

use std::ffi::{OsStr, OsString};
use std::process::ExitStatus;

use http::StatusCode;

use crate::cache::{self, SIGNET_KUSTOMIZE};
use crate::control_plane::{GRACE, free_ports};
use crate::{
    ControlPlane, Failure, Invocation, Kubeconfig, Moto, Observation, Process, ProcessBuilder,
    Scratch, eventually, moto, own_network, upstream,
};

/// How the controller is to be started, as often as a test needs.
#[derive(Clone)]
pub struct ControllerBuilder {
    process: ProcessBuilder,
    port: u16,
    metrics_port: u16,
}

impl ControllerBuilder {
    /// Our controller with the identity of a kubeconfig, its own objects in `namespace`. It listens
    /// at free ports, and in a network of our own on all addresses.
    ///
    /// # Errors
    /// If it is not built, or no port is free.
    pub fn new(kubeconfig: &Kubeconfig, namespace: &str) -> Result<Self, Failure> {
        let [port, metrics_port] = free_ports()?;
        let host = if own_network::entered() {
            "0.0.0.0"
        } else {
            "127.0.0.1"
        };
        // The program that renders kustomizations is beside the controller in an image.
        let mut path = OsString::from(SIGNET_KUSTOMIZE.directory()?);
        SIGNET_KUSTOMIZE.program("signet-kustomize")?;
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let process = ProcessBuilder::new("controller", &cache::own_program("controller")?)
            .flag("kubeconfig", kubeconfig.path())
            .flag("listen-addr", format!("{host}:{port}"))
            .flag("listen-metrics-addr", format!("{host}:{metrics_port}"))
            .env("PATH", path)
            .env("POD_NAMESPACE", namespace);
        Ok(Self {
            process,
            port,
            metrics_port,
        })
    }

    /// The parts that it does, comma-separated; all if not said.
    #[must_use]
    pub fn parts(self, parts: &str) -> Self {
        self.flag("parts", parts)
    }

    /// Adds `--flag=value`.
    #[must_use]
    pub fn flag(mut self, flag: &str, value: impl AsRef<OsStr>) -> Self {
        self.process = self.process.flag(flag, value);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.process = self.process.env(name, value);
        self
    }

    /// Sends its calls of AWS to a moto, with credentials in the environment.
    #[must_use]
    pub fn aws(self, moto: &Moto) -> Self {
        self.env("AWS_ENDPOINT_URL", moto.url())
            .env("AWS_REGION", moto::REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env(
                "AWS_SECRET_ACCESS_KEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            )
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Starts it and waits until it says that it is ready. It may be started again after it ended:
    /// the log is continued.
    ///
    /// # Errors
    /// If it ends, or is not ready within the usual minute.
    pub async fn start(&self) -> Result<Controller, Failure> {
        let scratch = Scratch::new("controller")?;
        let mut controller = self.start_unready(scratch)?;
        controller.ready().await?;
        Ok(controller)
    }

    /// Starts it without waiting for anything, its log in `scratch`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_unready(&self, scratch: Scratch) -> Result<Controller, Failure> {
        // Neither what it leaves behind when killed nor a user's own ~/.aws is anybody's business.
        let process = self
            .process
            .clone()
            .env_if_unset("TMPDIR", scratch.path())
            .env_if_unset("HOME", scratch.path())
            .start(scratch.path())?;
        eventually::show_on_timeout(process.log());
        Ok(Controller {
            process,
            port: self.port,
            metrics_port: self.metrics_port,
            scratch,
        })
    }
}

/// A running controller. Dropping it kills it.
pub struct Controller {
    process: Process,
    port: u16,
    metrics_port: u16,
    scratch: Scratch,
}

impl Controller {
    /// Waits until `/readyz` answers with success.
    ///
    /// # Errors
    /// If it ends, or is not ready within the usual minute; with the end of its log.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        let url = self.url();
        let waited = eventually("readiness of the controller", async || {
            if let Err(ended) = self.process.must_run() {
                return Ok(Observation::Never(ended));
            }
            let (status, body) = upstream::get(&url, "/readyz").await?;
            Ok(Observation::when(status == StatusCode::OK, || {
                format!("{status}: {body}")
            }))
        })
        .await;
        waited.map_err(|failure| {
            if self.process.must_run().is_err() {
                return failure;
            }
            let tail = self.process.tail();
            Failure::new(format!("{failure}; the end of its log:\n{tail}"))
        })
    }

    /// Where it serves health and the certificate.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The port of [`Controller::url`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `GET` of a path it serves: the status and the body.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn get(&self, path: &str) -> Result<(StatusCode, String), Failure> {
        upstream::get(&self.url(), path).await
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metrics(&self) -> Result<String, Failure> {
        let url = format!("http://127.0.0.1:{}", self.metrics_port);
        Ok(upstream::get(&url, "/metrics").await?.1)
    }

    /// Of how many SealedSecrets it says that they are in order.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn in_order(&self) -> Result<usize, Failure> {
        let metrics = self.metrics().await?;
        let conditions = metrics
            .lines()
            .filter(|line| line.starts_with("sealed_secrets_controller_condition_info{"));
        Ok(conditions.filter(|line| line.ends_with("} 1")).count())
    }

    /// The process, for its log, memory and id.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// What it logged until now.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn log(&self) -> Result<String, Failure> {
        self.process.output()
    }

    /// Waits until its log holds a text.
    ///
    /// # Errors
    /// If it does not within the usual minute; with the end of its log.
    pub async fn logged(&self, text: &str) -> Result<(), Failure> {
        eventually(
            &format!("log of the controller with \"{text}\""),
            async || {
                let log = self.process.output()?;
                Ok(Observation::when(log.contains(text), || {
                    format!("\n{}", self.process.tail())
                }))
            },
        )
        .await
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// If it takes longer than a cluster would give it.
    pub async fn terminate(&mut self) -> Result<ExitStatus, Failure> {
        self.process.terminate(GRACE).await
    }

    /// Kills it as a crash would, and gives the directory of its log for the next one.
    ///
    /// # Errors
    /// If it cannot be reaped.
    pub fn kill(mut self) -> Result<Scratch, Failure> {
        self.process.kill()?;
        Ok(self.scratch)
    }
}

/// What `controller adopt --dry-run` prints of a part to somebody who may read everything. The
/// controller's own objects are in `namespace`.
///
/// # Errors
/// If it is not built, or does not answer.
pub async fn adoption(
    plane: &ControlPlane,
    part: &str,
    namespace: &str,
) -> Result<String, Failure> {
    Invocation::new(cache::own_program("controller")?)
        .env("POD_NAMESPACE", namespace)
        .args(["--kubeconfig".as_ref(), plane.admin().path().as_os_str()])
        .args(["--parts", part, "adopt", "--dry-run"])
        .stdout()
        .await
}
