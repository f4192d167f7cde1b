//! How large the programs are, on disk and when they have nothing to do.

use std::path::Path;

use tests::cache::{self, SEALED_SECRETS};
use tests::{ControlPlane, ControllerBuilder, Failure, Moto, rights};

use crate::process::at_rest;
use crate::table::{Quantity, Table};

/// How the allocator is set, as in `deploy/base`.
pub(crate) const ALLOCATOR: (&str, &str) = (
    "_RJEM_MALLOC_CONF",
    "narenas:1,tcache:false,dirty_decay_ms:0,muzzy_decay_ms:0",
);

/// Sizes of the binaries as they are shipped.
pub(crate) fn sizes(table: &mut Table) -> Result<(), Failure> {
    let megabytes = |path: &Path| -> Result<Quantity, Failure> {
        Ok(Quantity::mebibytes(std::fs::metadata(path)?.len() / 1_024))
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
    let memory = at_rest(controller.process()).await?;
    let budget = "<= 20 MB (theirs: 40 + 72 + 163)";
    table.add("controller, idle, all parts: memory", None, memory, budget);
    Ok(())
}
