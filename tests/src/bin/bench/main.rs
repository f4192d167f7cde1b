//! `make bench`: our programs against the incumbents', in the same run on the same machine.
//!
//! It prints ratios, as a machine's own speed says nothing. The budgets are those of the design.

mod idle;
mod seal;
mod table;

use std::process::ExitCode;

use table::Table;
use tests::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    let mut table = Table::default();
    let measured = measure(&mut table).await;
    table.print();
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            table::complain(&format!("the benchmark failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

async fn measure(table: &mut Table) -> Result<(), Failure> {
    idle::sizes(table)?;
    idle::memory(table).await?;
    seal::one(table).await?;
    seal::many(table).await
}
