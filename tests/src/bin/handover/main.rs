//! Taking 200 ExternalSecrets over from the real operator, and giving them back, by hand:
//!
//! ```text
//! SIGNET_ESO=PROGRAM handover [DIRECTORY]
//! ```
//!
//! PROGRAM is a build of the External Secrets Operator. What is printed is how many Secrets changed and
//! what was asked of AWS at each step. DIRECTORY gets the objects as the operator left them; those of
//! `tests/incumbents/external-secrets` were recorded this way. The definitions are ours, or where
//! `SIGNET_ESO_CRDS` names a directory the ones there.

mod operator;
mod recording;
mod shapes;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tests::shop::{self, OBJECTS, Picture, changed};
use tests::{ControlPlane, Failure, Moto, Scratch, adoption, definitions};

use crate::operator::Operator;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    let program = std::env::var_os("SIGNET_ESO").map(PathBuf::from);
    let program = program.ok_or_else(|| Failure::new("SIGNET_ESO names no program".to_owned()))?;
    let plane = ControlPlane::start_with(&kinds()?).await?;
    let cluster = plane.cluster().await?;
    let aws = Moto::start().await?;
    shapes::fill(&cluster, &aws).await?;
    let logs = Scratch::new("operator")?;
    let mut theirs = Operator::start(&program, &plane, &aws, &logs)?;
    theirs.has_seen(OBJECTS).await?;
    recording::all_are_ready(&cluster).await?;
    let before = Picture::of(&cluster).await?;
    let mut told = Told::new(&aws);
    told.step("made by the operator", &before, &before);
    say(&adoption(&plane, "external", "sealed-secrets").await?);
    theirs.end().await?;
    if let Some(directory) = std::env::args_os().nth(1) {
        recording::record(&cluster, Path::new(&directory)).await?;
    }
    // What it asks for after a restart of its own is no consequence of ours.
    let mut theirs = Operator::start(&program, &plane, &aws, &logs)?;
    theirs.has_seen(OBJECTS).await?;
    told.step(
        "restarted by itself",
        &before,
        &Picture::of(&cluster).await?,
    );
    theirs.end().await?;
    let mut ours = shop::take_over(&plane, &aws).await?;
    shop::are_seen(&ours).await?;
    told.step("taken over", &before, &Picture::of(&cluster).await?);
    ours.terminate().await?;
    let mut theirs = Operator::start(&program, &plane, &aws, &logs)?;
    theirs.has_seen(OBJECTS).await?;
    told.step("given back", &before, &Picture::of(&cluster).await?);
    theirs.end().await
}

/// Our definitions, or those of the directory that is named.
fn kinds() -> Result<Vec<String>, Failure> {
    let Some(directory) = std::env::var_os("SIGNET_ESO_CRDS") else {
        return definitions();
    };
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.contains("external-secrets.io_") {
            kinds.push(std::fs::read_to_string(&path)?);
        }
    }
    Ok(kinds)
}

/// What was asked of AWS since the last step.
struct Told<'a> {
    aws: &'a Moto,
    calls: usize,
}

impl<'a> Told<'a> {
    fn new(aws: &'a Moto) -> Self {
        Self { aws, calls: 0 }
    }

    fn step(&mut self, what: &str, before: &Picture, now: &Picture) {
        let calls = self.aws.calls();
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for call in calls.iter().skip(self.calls) {
            *counts.entry(&call.operation).or_default() += 1;
        }
        say(&format!(
            "{what}: {} of {} Secrets changed, {} of {} specs; AWS was asked {counts:?}",
            changed(&before.secrets, &now.secrets).len(),
            before.secrets.len(),
            changed(&before.specs, &now.specs).len(),
            before.specs.len(),
        ));
        self.calls = calls.len();
    }
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn say(text: &str) {
    println!("{text}");
}
