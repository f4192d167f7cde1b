//! ExternalSecrets from a moto: many new ones at once, a steady state, a new one among many, a
//! restart, memory. Ours, and the incumbent in the same run where `SIGNET_ESO` names its program.
//!
//! The moto is one Python process behind our counting proxy. It answers some hundred requests a
//! second, which the incumbent's one request for each ExternalSecret meets and ours do not.

mod ours;
mod stage;
mod theirs;

use tests::{Failure, Moto};

use crate::table::{Quantity, Table};

pub(crate) use stage::filled_aws;

/// How many ExternalSecrets are made at once.
const NEW: usize = 1_000;
/// Over how many secrets of AWS those of the steady state go.
const DISTINCT: usize = 100;
/// How many there are when a new one has to be served among them.
const MANY: usize = 5_000;
/// How many Secrets of others are in the cluster for the measurement of memory.
const FOREIGN: usize = 5_000;

/// Many new ones at once, and a restart with them; then both of the incumbent's ways to run.
pub(crate) async fn fresh(table: &mut Table, aws: &Moto) -> Result<(), Failure> {
    let ours = ours::fresh(aws).await?;
    restart(table, &ours);
    for (name, flags, published) in [
        ("at its defaults", &[][..], "104 s, 1000 calls, 117 MB"),
        ("tuned", &theirs::TUNED[..], "28 s"),
    ] {
        let theirs = match theirs::named() {
            Some(program) => Some(theirs::fresh(&program, aws, flags).await?),
            None => None,
        };
        let published = match theirs {
            Some(_) => String::new(),
            None => format!(" (theirs, measured before: {published})"),
        };
        compare(table, name, theirs.as_ref(), &ours.new, &published);
    }
    Ok(())
}

fn compare(
    table: &mut Table,
    name: &str,
    theirs: Option<&ours::New>,
    ours: &ours::New,
    published: &str,
) {
    let calls = |new: &ours::New| count_of(new.calls, "calls");
    let mut add = |what: &str, of: &dyn Fn(&ours::New) -> Quantity, budget: &str| {
        table.add(
            &format!("{what} ({name})"),
            theirs.map(of),
            of(ours),
            budget,
        );
    };
    let budget = format!("<= 10 s{published}");
    add("1000 new ExternalSecrets", &|new| new.took, &budget);
    add("AWS calls for them", &calls, "<= 60");
    add("memory with them", &|new| new.memory, "<= 35 MB");
    add("most memory on the way", &|new| new.peak, "");
}

/// At an interval of a minute: what a steady state costs, and a new one among many.
pub(crate) async fn steady(table: &mut Table, aws: &Moto) -> Result<(), Failure> {
    let ours = ours::steady(aws).await?;
    let theirs = match theirs::named() {
        Some(program) => Some(theirs::steady(&program, aws).await?),
        None => None,
    };
    let what = "1000 over 100 secrets at 1 m: calls a minute";
    table.add(what, theirs, ours.calls_a_minute, "<= 10");
    let mut add = |what: &str, value: Quantity, budget: &str| table.add(what, None, value, budget);
    let calls = ours.many_calls_a_minute;
    add(
        "5000 at 1 m: slowest of the new ones",
        ours.slowest,
        "< 2 s",
    );
    add("5000 at 1 m: median of the new ones", ours.median, "");
    add("5000 at 1 m: calls a minute (4100 secrets)", calls, "");
    add("5000 at 1 m: memory", ours.memory, "");
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
