//! ExternalSecrets from a moto: many new ones at once, a steady state, a new one among many, a
//! restart, memory. Ours, and the incumbent in the same run where `SIGNET_ESO` names its program.
//!
//! The moto is one Python process behind our counting proxy. It answers some hundred requests a
//! second, which the incumbent's one request for each ExternalSecret meets and ours do not.

mod ours;
mod stage;
mod theirs;

use tests::Failure;

use crate::table::{Quantity, Table};

/// How many ExternalSecrets are made at once.
const NEW: usize = 1_000;
/// Over how many secrets of AWS those of the steady state go.
const DISTINCT: usize = 100;
/// How many there are when a new one has to be served among them.
const MANY: usize = 5_000;
/// How many Secrets of others are in the cluster for the measurement of memory.
const FOREIGN: usize = 5_000;

/// Everything about ExternalSecrets.
pub(crate) async fn all(table: &mut Table) -> Result<(), Failure> {
    let aws = stage::filled_aws().await?;
    let fresh = ours::fresh(&aws).await?;
    let named = theirs::named();
    let mut theirs = Vec::new();
    for (name, flags) in [("at its defaults", &[][..]), ("tuned", &theirs::TUNED[..])] {
        if let Some(program) = &named {
            theirs.push((name, theirs::measured(program, &aws, flags).await?));
        }
    }
    let calls = |count: usize| count_of(count, "calls");
    let of = |name: &str| theirs.iter().find(|(theirs, _)| *theirs == name);
    for (name, published) in [
        ("at its defaults", "104 s, 1000 calls, 117 MB"),
        ("tuned", "28 s"),
    ] {
        let line = |what: &str| format!("{what} ({name})");
        let theirs = of(name).map(|(_, measured)| measured);
        let told = theirs.map_or_else(
            || format!(" (theirs, measured before: {published})"),
            |_| String::new(),
        );
        table.add(
            &line("1000 new ExternalSecrets"),
            theirs.map(|theirs| theirs.new.took),
            fresh.new.took,
            &format!("<= 10 s{told}"),
        );
        table.add(
            &line("AWS calls for them"),
            theirs.map(|theirs| calls(theirs.new.calls)),
            calls(fresh.new.calls),
            "<= 60",
        );
        table.add(
            &line("memory with them"),
            theirs.map(|theirs| theirs.new.memory),
            fresh.new.memory,
            "<= 35 MB",
        );
    }
    table.add("the same: most memory on the way", None, fresh.new.peak, "");
    restart(table, &fresh);
    let steady = ours::steady(&aws).await?;
    let theirs = of("tuned").and_then(|(_, measured)| measured.calls_a_minute);
    table.add(
        "1000 over 100 secrets at 1 m: calls a minute",
        theirs,
        steady.calls_a_minute,
        "<= 10",
    );
    table.add(
        "5000 at 1 m: slowest of the new ones",
        None,
        steady.slowest,
        "< 2 s",
    );
    table.add(
        "5000 at 1 m: median of the new ones",
        None,
        steady.median,
        "",
    );
    table.add(
        "5000 at 1 m: calls a minute (5000 secrets)",
        None,
        steady.many_calls_a_minute,
        "250 if all batches are whole",
    );
    table.add("5000 at 1 m: memory", None, steady.memory, "");
    Ok(())
}

fn restart(table: &mut Table, fresh: &ours::Fresh) {
    let budget = "0";
    table.add("restart with those 1000", None, fresh.restart.took, "");
    table.add(
        "AWS calls of that restart",
        None,
        count_of(fresh.restart.calls, ""),
        budget,
    );
    table.add(
        "writes of that restart",
        None,
        count_of(fresh.restart.writes, ""),
        budget,
    );
    table.add(
        "memory for each ExternalSecret and its Secret",
        None,
        fresh.bytes_of_one,
        "",
    );
    table.add(
        "memory for each Secret of others",
        None,
        fresh.bytes_of_foreign,
        "0",
    );
}

fn count_of(count: usize, unit: &'static str) -> Quantity {
    let value = u32::try_from(count).map_or(f64::NAN, f64::from);
    Quantity { value, unit }
}
