//! What a process costs, seen from outside.

use std::time::Duration;

use tests::{Failure, Process};

use crate::table::Quantity;

/// How often a process at rest is looked at, every half second.
const LOOKS: usize = 20;

/// What the start needed is given back after a while; the least of many looks is what stays.
pub(crate) async fn at_rest(process: &Process) -> Result<Quantity, Failure> {
    let mut least = u64::MAX;
    for _look in 0..LOOKS {
        tokio::time::sleep(Duration::from_millis(500)).await;
        least = least.min(process.resident_kib()?);
    }
    Ok(Quantity::mebibytes(least))
}

/// The most memory that a process ever had.
pub(crate) fn peak(process: u32) -> Result<Quantity, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let number = number.ok_or_else(|| Failure::new("the process has ended"))?;
    Ok(Quantity::mebibytes(number.trim().parse()?))
}

/// User and system time of a process until now; `proc(5)`.
pub(crate) fn cpu_time(process: u32) -> Result<Quantity, Failure> {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    let fields = after_name.split(' ').skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Quantity::seconds(ticks / TICKS))
}
