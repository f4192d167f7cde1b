//! How large the programs are, on disk and when they have nothing to do.

use std::path::Path;
use std::time::Duration;

use tests::cache::{self, SEALED_SECRETS};
use tests::{ControlPlane, ControllerBuilder, Failure, Moto, rights};

use crate::table::{Quantity, Table};

/// How the allocator is set, as in `deploy/base`.
pub(crate) const ALLOCATOR: (&str, &str) = (
    "_RJEM_MALLOC_CONF",
    "narenas:1,tcache:false,dirty_decay_ms:0,muzzy_decay_ms:0",
);

/// Sizes of the binaries as they are shipped.
pub(crate) fn sizes(table: &mut Table) -> Result<(), Failure> {
    let megabytes = |path: &Path| -> Result<Quantity, Failure> {
        let bytes = std::fs::metadata(path)?.len();
        let value = f64::from(u32::try_from(bytes / 1_024)?) / 1_024.0;
        Ok(Quantity { value, unit: "MiB" })
    };
    for (program, what) in [
        ("controller", "controller, binary (theirs: sealing only)"),
        ("kubeseal", "kubeseal, binary"),
    ] {
        let theirs = megabytes(&SEALED_SECRETS.program(program)?)?;
        table.add(
            what,
            Some(theirs),
            megabytes(&cache::own_program(program)?)?,
            "",
        );
    }
    Ok(())
}

/// Resident memory of the controller with all parts and nothing to do.
pub(crate) async fn memory(table: &mut Table) -> Result<(), Failure> {
    let plane = ControlPlane::start().await?;
    let identity = rights::ours(&plane).await?;
    let aws = Moto::start().await?;
    let builder = ControllerBuilder::new(&identity.kubeconfig, identity.namespace)?.aws(&aws);
    let mut controller = builder.env(ALLOCATOR.0, ALLOCATOR.1).start().await?;
    // What the start needed is given back after a while; the least of many looks is what stays.
    let mut least = u64::MAX;
    for _look in 0..30 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        least = least.min(controller.process().resident_kib()?);
    }
    let value = f64::from(u32::try_from(least)?) / 1_024.0;
    let budget = "<= 20 MB (theirs: 40 + 72 + 163)";
    table.add(
        "controller, idle, all parts: memory",
        None,
        Quantity { value, unit: "MiB" },
        budget,
    );
    Ok(())
}
