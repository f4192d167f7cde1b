//! What the process itself costs, under the names of Prometheus' own collector
//! (`client_golang`, `process_collector.go`), which the incumbents serve and dashboards ask for.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::DescriptorEncoder,
    metrics::MetricType,
    registry::{Registry, Unit},
};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// Registers them. The process counts as started now.
pub fn register(registry: &mut Registry) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    registry.register_collector(Box::new(Process {
        started: since.unwrap_or_default().as_secs_f64(),
    }));
}

#[derive(Debug)]
struct Process {
    /// Seconds since 1970.
    started: f64,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Time of all cores that the process has used";
        let unit = Some(&Unit::Seconds);
        encoder
            .encode_descriptor("process_cpu", help, unit, MetricType::Counter)?
            .encode_counter::<NoLabels, _, u64>(&cpu_seconds(), None)?;
        let mut gauge = |name, help, unit, value: Option<f64>| match value {
            Some(value) => encoder
                .encode_descriptor(name, help, unit, MetricType::Gauge)?
                .encode_gauge(&value),
            None => Ok(()),
        };
        let help = "When the process started, since 1970";
        gauge("process_start_time", help, unit, Some(self.started))?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let bytes = Some(&Unit::Bytes);
        let help = "Memory that is in use now";
        gauge(
            "process_resident_memory",
            help,
            bytes,
            size(&status, "VmRSS:"),
        )?;
        let help = "Memory that is addressed, in use or not";
        gauge(
            "process_virtual_memory",
            help,
            bytes,
            size(&status, "VmSize:"),
        )?;
        gauge(
            "process_open_fds",
            "Open files and connections",
            None,
            open(),
        )?;
        let most = getrlimit(Resource::Nofile).current;
        gauge(
            "process_max_fds",
            "How many may be open",
            None,
            most.map(number),
        )
    }
}

type NoLabels = [(&'static str, &'static str); 0];

fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    std::time::Duration::try_from(used)
        .unwrap_or_default()
        .as_secs_f64()
}

/// A size of `/proc/self/status`, in bytes; `proc(5)`.
fn size(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024.0)
}

fn open() -> Option<f64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // The directory that is being read is one of them.
    Some(number(count.saturating_sub(1) as u64))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn number(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Metrics;

    #[test]
    fn the_process_is_told_under_the_names_that_are_asked_for() {
        let metrics = Metrics::new();
        metrics.register(register);
        let text = metrics.render();
        for name in [
            "process_cpu_seconds_total",
            "process_start_time_seconds",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_open_fds",
            "process_max_fds",
        ] {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let value: f64 = line.unwrap_or_default().parse().unwrap_or_default();
            assert!(value > 0.0, "{name}:\n{text}");
        }
    }
}
