//! The real sealed-secrets controller as a process.

use std::path::PathBuf;
use std::process::ExitStatus;

use crate::cache::SEALED_SECRETS;
use crate::control_plane::{GRACE, free_ports};
use crate::rights::Identity;
use crate::{Failure, Observation, Process, ProcessBuilder, Scratch, eventually, upstream};

/// The real controller. It knows only the configuration of a pod, at a fixed path: a mount namespace
/// of its own gives it that. Dropping it kills it.
pub struct RealController {
    process: Process,
    port: u16,
    metrics_port: u16,
    _scratch: Scratch,
}

impl RealController {
    /// Starts it with the identity of a ServiceAccount and further arguments (`--flag=value`), without
    /// waiting for anything.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(identity: &Identity, arguments: &[&str]) -> Result<Self, Failure> {
        const SET_UP: &str = "mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && \
            mkdir -p /var/run && { [ /var/run -ef /run ] || mount --bind /run /var/run; } && \
            cp -r \"$0\" /run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";
        let scratch = Scratch::new("real-controller")?;
        let [port, metrics_port] = free_ports()?;
        let account = account(identity, &scratch)?;
        let server: http::Uri = identity.kubeconfig.server().parse()?;
        let process = ProcessBuilder::new("real-controller", &unshare()?)
            .args(["--mount", "--propagation", "private", "--"])
            .args(["/bin/sh", "-c", SET_UP])
            .arg(account)
            .arg(SEALED_SECRETS.program("controller")?)
            .flag("listen-addr", format!("0.0.0.0:{port}"))
            .flag("listen-metrics-addr", format!("127.0.0.1:{metrics_port}"))
            .args(arguments)
            .env("KUBERNETES_SERVICE_HOST", server.host().unwrap_or_default())
            .env(
                "KUBERNETES_SERVICE_PORT",
                server.port_u16().unwrap_or(443).to_string(),
            )
            .start(scratch.path())?;
        Ok(Self {
            process,
            port,
            metrics_port,
            _scratch: scratch,
        })
    }

    /// The port that it serves the certificate at.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it serves a certificate, and gives that.
    ///
    /// # Errors
    /// If it ends, or serves none within the usual minute; with the end of its log.
    pub async fn certificate(&mut self) -> Result<String, Failure> {
        let url = format!("http://127.0.0.1:{}", self.port);
        eventually("the real controller's certificate", async || {
            self.process.must_run()?;
            let answer = upstream::get(&url, "/v1/cert.pem").await.ok();
            let pem = answer
                .filter(|(status, _)| status.is_success())
                .map(|(_, pem)| pem);
            Ok(Observation::of(pem, || String::from("none")))
        })
        .await
    }

    /// Its metrics, as Prometheus reads them.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn metrics(&self) -> Result<String, Failure> {
        let url = format!("http://127.0.0.1:{}", self.metrics_port);
        Ok(upstream::get(&url, "/metrics").await?.1)
    }

    /// The process, for its log, memory and id.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// If it takes longer than a cluster would give it.
    pub async fn terminate(&mut self) -> Result<ExitStatus, Failure> {
        self.process.terminate(GRACE).await
    }
}

/// What a pod finds about its ServiceAccount.
fn account(identity: &Identity, scratch: &Scratch) -> Result<PathBuf, Failure> {
    let account = scratch.path().join("account");
    std::fs::create_dir_all(&account)?;
    std::fs::write(
        account.join("token"),
        identity.kubeconfig.token().unwrap_or_default(),
    )?;
    std::fs::write(account.join("namespace"), identity.namespace)?;
    let authority = identity.kubeconfig.certificate_authority();
    let authority = authority.ok_or_else(|| Failure::new("the kubeconfig names no authority"))?;
    std::fs::copy(authority, account.join("ca.crt"))?;
    Ok(account)
}

fn unshare() -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join("unshare"))
        .find(|program| program.is_file())
        .ok_or_else(|| Failure::new("unshare is not in the PATH: install util-linux"))
}
