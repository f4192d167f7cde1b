//! `make demo`: the main job from end to end, on real parts.
//!
//! From `kubeseal` to an applied workload with its Secrets in place; then drift, deletion, a change
//! in Git, a removal in Git and a rotation in AWS. Each step says what was seen and how long it
//! took. A step that does not happen ends the demo with what was seen instead.

mod changes;
mod report;
mod stage;
mod story;

use std::process::ExitCode;

use report::Report;
use stage::Stage;
use tests::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let once = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--once" => true,
        _ => {
            report::complain("usage: demo [--once]");
            return ExitCode::from(2);
        }
    };
    match play(once).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::complain(&format!("the demo failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn play(once: bool) -> Result<(), Failure> {
    let mut report = Report::start();
    let mut stage = Stage::set(&mut report).await?;
    let told = tell(&stage, &mut report).await;
    if let Err(failure) = told {
        return Err(stage.blame(failure));
    }
    report.summary();
    if !once {
        report::look_around(&stage);
        tokio::signal::ctrl_c().await?;
    }
    stage.strike().await
}

async fn tell(stage: &Stage, report: &mut Report) -> Result<(), Failure> {
    story::seal(stage, report).await?;
    story::deliver(stage, report).await?;
    changes::by_hand(stage, report).await?;
    changes::in_git(stage, report).await?;
    changes::in_aws(stage, report).await
}
