//! `make bench`: our programs against the incumbents', in the same run on the same machine.
//!
//! It prints ratios, as a machine's own speed says nothing. The budgets are those of the design.
//! Arguments name what is measured, all of it if there are none: `idle`, `seal`, `sealed` (the
//! incumbent needs more than six minutes of it; `sealed-quick` leaves out its defaults and `sealed-ours`
//! leaves it out), `timing`, `external` (some fifteen minutes; its halves are `external-new` and
//! `external-steady`).

mod external;
mod idle;
mod process;
mod seal;
mod sealed;
mod table;
mod timing;

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
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    if is_wanted("idle") {
        idle::sizes(table)?;
        idle::memory(table).await?;
    }
    if is_wanted("seal") {
        seal::one(table).await?;
        seal::many(table).await?;
        seal::check(table).await?;
    }
    if is_wanted("timing") {
        timing::report()?;
    }
    let named = |name: &str| wanted.iter().any(|wanted| wanted == name);
    if is_wanted("sealed") {
        sealed::controllers(table, sealed::BOTH).await?;
    } else if named("sealed-quick") {
        sealed::controllers(table, sealed::TUNED_ONLY).await?;
    } else if named("sealed-ours") {
        sealed::controllers(table, &[]).await?;
    }
    let external = is_wanted("external");
    let (fresh, steady) = (named("external-new"), named("external-steady"));
    if external || fresh || steady {
        let aws = external::filled_aws().await?;
        if external || fresh {
            Box::pin(external::fresh(table, &aws)).await?;
        }
        if external || steady {
            Box::pin(external::steady(table, &aws)).await?;
        }
    }
    Ok(())
}
