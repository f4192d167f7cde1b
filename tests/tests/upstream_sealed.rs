//! The incumbent's own integration suite, unmodified, against our two programs: the package
//! `integration` of github.com/bitnami-labs/sealed-secrets v0.36.6, built with its own build tag.

use std::time::Duration;

use tests::{ControlPlane, ControllerBuilder, Failure, ProcessBuilder, cache, own_network, rights};

/// How many specs the suite of v0.36.6 has. The original programs pass all of them here.
const SPECS: usize = 41;

/// The suite looks for what must not happen for a fixed time, and is given the time it takes with
/// the original programs, several times over.
const LIMIT: Duration = Duration::from_secs(600);

#[test]
fn the_incumbents_own_suite_passes_with_our_two_programs() -> Result<(), Failure> {
    let name = "the_incumbents_own_suite_passes_with_our_two_programs";
    // The suite fetches the certificate through the API server's service proxy.
    own_network::inside(name, suite())
}

async fn suite() -> Result<(), Failure> {
    let plane = ControlPlane::shared().await?;
    let identity = rights::sealed_secrets(plane).await?;
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?;
    let controller = builder.parts("sealed").start().await?;
    let cluster = plane.cluster().await?;
    cluster
        .stand_in(
            identity.namespace,
            "sealed-secrets-controller",
            controller.port(),
        )
        .await?;
    let program = cache::SEALED_SECRETS_SUITE.program("integration.test")?;
    let mut suite = ProcessBuilder::new("suite", &program)
        .flag("kubeconfig", plane.admin().path())
        .flag("namespace", identity.namespace)
        .flag("kubeseal-bin", cache::own_program("kubeseal")?)
        .flag("controller-bin", cache::own_program("controller")?)
        .flag("ginkgo.no-color", "true")
        .directory(plane.directory())
        .start(plane.directory())?;
    let status = suite.wait(LIMIT).await?;
    let output = suite.output()?;
    let failed: Vec<&str> = output
        .lines()
        .filter(|line| line.contains("[FAIL]"))
        .collect();
    assert!(status.success(), "{failed:#?}\n{}", suite.tail());
    let all = format!("Ran {SPECS} of {SPECS} Specs");
    let passed = format!("{SPECS} Passed | 0 Failed | 0 Pending | 0 Skipped");
    assert!(
        output.contains(&all) && output.contains(&passed),
        "{}",
        suite.tail()
    );
    Ok(())
}
