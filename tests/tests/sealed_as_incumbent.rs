//! The same under the rights that the incumbent's own manifest grants: everything that the
//! incumbent does works, and what needs more says so once.

#[macro_use]
#[path = "sealed/cases.rs"]
mod cases;

use tests::{ControlPlane, Failure, rights};

use crate::cases::{Shared, Stage};

async fn stage() -> Result<Stage, Failure> {
    static SHARED: tests::Shared<Shared> = tests::Shared::const_new();
    let start = async || {
        let plane = ControlPlane::shared().await?;
        Shared::start(plane, rights::sealed_secrets(plane).await?).await
    };
    Stage::on(tests::share(&SHARED, start).await?).await
}

all_cases!();

#[tokio::test]
async fn what_needs_more_rights_says_so_once() -> Result<(), Failure> {
    let stage = stage().await?;
    // The incumbent may write neither Leases nor ConfigMaps.
    for lack in ["leases", "configmaps"] {
        stage.shared.controller.logged(lack).await?;
        let log = stage.shared.controller.log()?;
        let warnings: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("WARN") && line.contains(lack))
            .collect();
        assert_eq!(warnings.len(), 1, "{warnings:#?}");
    }
    Ok(())
}
