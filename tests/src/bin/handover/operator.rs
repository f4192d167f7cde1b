//! The real operator as a process.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use tests::{
    ControlPlane, Failure, Moto, Observation, Process, ProcessBuilder, REGION, Scratch, eventually,
    shop,
};

/// How long it may take to end.
const GRACE: Duration = Duration::from_secs(40);

/// A running operator. Dropping it kills it.
pub(crate) struct Operator {
    process: Process,
    metrics: String,
}

impl Operator {
    /// Starts it as admin, with a few flags for kinds that our definitions do not have.
    pub(crate) fn start(
        program: &Path,
        plane: &ControlPlane,
        aws: &Moto,
        logs: &Scratch,
    ) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let process = ProcessBuilder::new("operator", program)
            .args([
                "--enable-push-secret-reconciler=false",
                "--enable-cluster-push-secret-reconciler=false",
                "--enable-generator-state=false",
                "--concurrent=5",
                "--live-addr=127.0.0.1:0",
            ])
            .flag("metrics-addr", address.to_string())
            .env("KUBECONFIG", plane.admin().path())
            .env("AWS_SECRETSMANAGER_ENDPOINT", aws.url())
            .env("AWS_STS_ENDPOINT", aws.url())
            .env("AWS_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .start(logs.path())?;
        Ok(Self {
            process,
            metrics: format!("http://{address}"),
        })
    }

    /// Waits until it has looked at so many ExternalSecrets.
    pub(crate) async fn has_seen(&mut self, objects: usize) -> Result<(), Failure> {
        let waited = eventually("the operator's look at everything", async || {
            if let Err(ended) = self.process.must_run() {
                return Ok(Observation::Never(ended));
            }
            let seen = match tests::get(&self.metrics, "/metrics").await {
                Ok((_, text)) => shop::seen(&text),
                Err(_) => 0,
            };
            Ok(Observation::when(seen == objects, || {
                format!("{seen} seen")
            }))
        })
        .await;
        waited.map_err(|failure| {
            Failure::new(format!(
                "{failure}; the end of its log:\n{}",
                self.process.tail()
            ))
        })
    }

    /// Ends it.
    pub(crate) async fn end(&mut self) -> Result<(), Failure> {
        self.process.terminate(GRACE).await?;
        Ok(())
    }
}
