//! What the demo prints.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is its purpose"
)]

use std::time::{Duration, Instant};

use tests::Failure;

use crate::stage::Stage;

/// The steps so far and how long they took.
pub(crate) struct Report {
    started: Instant,
    steps: usize,
}

impl Report {
    pub(crate) fn start() -> Self {
        println!("Signet, from a plaintext secret on a terminal to a running workload\n");
        Self {
            started: Instant::now(),
            steps: 0,
        }
    }

    /// A heading over the steps that follow.
    pub(crate) fn chapter(&self, title: &str) {
        println!("\n{title}");
    }

    /// Runs a step and prints what was seen and how long it took.
    pub(crate) async fn step(
        &mut self,
        title: &str,
        work: impl Future<Output = Result<String, Failure>>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let seen = work.await.map_err(|failure| failure.while_doing(title))?;
        self.steps += 1;
        println!("  {} {:<44} {}", duration(started.elapsed()), title, seen);
        Ok(())
    }

    pub(crate) fn summary(&self) {
        let took = self.started.elapsed().as_secs_f64();
        println!("\nAll {} steps happened, in {took:.1} s.", self.steps);
    }
}

/// How to look around in what the demo left running.
pub(crate) fn look_around(stage: &Stage) {
    println!(
        "\nThe demo stays up until Ctrl-C. Look around:\n\n  \
         export KUBECONFIG={}\n  alias kubectl={}\n  \
         kubectl get gitrepositories,kustomizations -A\n  \
         kubectl get sealedsecrets,externalsecrets,secrets,deployments -n my-app-prod\n  \
         kubectl get events -n my-app-prod\n  \
         cd {}    # change something, git commit, git push\n  \
         less {}\n",
        stage.kubeconfig().display(),
        stage.kubectl_path().display(),
        stage.repository().directory().display(),
        stage.controller_log().display(),
    );
}

/// Says on standard error why there is nothing more to see.
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}

fn duration(time: Duration) -> String {
    format!("{:>7.2} s", time.as_secs_f64())
}
