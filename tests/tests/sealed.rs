//! SealedSecrets of the real kubeseal, opened by our controller under our own rights.

#[macro_use]
#[path = "sealed/cases.rs"]
mod cases;

use tests::{ControlPlane, Failure, rights};

use crate::cases::{Shared, Stage};

async fn stage() -> Result<Stage, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    let start = async || {
        let plane = ControlPlane::shared().await?;
        Shared::start(plane, rights::ours(plane).await?).await
    };
    Stage::on(tests::share(&SHARED, start).await?).await
}

all_cases!();
