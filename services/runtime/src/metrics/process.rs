//! Start, memory and processor time of the process, under the names of the Prometheus client conventions.
//! The latter two are read when the metrics are asked for; on systems other than Linux they stay 0.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Counter, Gauge, IntGauge, Registry};

#[derive(Debug)]
pub(super) struct ProcessMetrics {
    memory: IntGauge,
    cpu: Counter,
    /// Processor seconds that `cpu` has counted: it can only be added to.
    counted: Mutex<f64>,
}

impl ProcessMetrics {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let memory = IntGauge::new(
            "process_resident_memory_bytes",
            "Resident memory of the process in bytes.",
        )?;
        let cpu = Counter::new(
            "process_cpu_seconds_total",
            "User and system processor time in seconds.",
        )?;
        let started = Gauge::new(
            "process_start_time_seconds",
            "When the role started, in seconds since 1970.",
        )?;
        // A clock before 1970 tells no time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        started.set(now.as_secs_f64());
        registry.register(Box::new(started))?;
        registry.register(Box::new(memory.clone()))?;
        registry.register(Box::new(cpu.clone()))?;
        Ok(Self {
            memory,
            cpu,
            counted: Mutex::new(0.0),
        })
    }

    pub(super) fn refresh(&self) {
        if let Some(bytes) = resident_bytes() {
            self.memory.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        if let Some(seconds) = cpu_seconds() {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            self.cpu.inc_by((seconds - *counted).max(0.0));
            *counted = seconds.max(*counted);
        }
    }
}

/// Resident memory of this process in bytes, where the system tells.
pub(super) fn resident_bytes() -> Option<u64> {
    resident_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn cpu_seconds() -> Option<f64> {
    cpu_in(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// `VmRSS` of `/proc/self/status` (proc_pid_status(5)), which is in kB whatever the page size.
fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// Fields 14 and 15 (utime, stime) of `/proc/self/stat` (proc_pid_stat(5)), in ticks of 1/100 s: what the
/// kernel shows to programs as USER_HZ is 100 on every architecture that we build for. The command name in
/// field 2 may hold blanks and parentheses, so counting starts behind its last one.
fn cpu_in(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system) = (
        fields.next()?.parse::<f64>().ok()?,
        fields.next()?.parse::<f64>().ok()?,
    );
    Some((user + system) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        assert_eq!(
            resident_in("Name:\todd\nVmRSS:\t   12345 kB\nThreads:\t1\n"),
            Some(12_641_280)
        );
        let stat = "42 (odd (x) y) S 1 42 42 0 -1 4194304 100 0 0 0 250 150 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_in(stat), Some(4.0));
        assert_eq!((resident_in(""), cpu_in("")), (None, None));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_and_time() {
        assert!(resident_bytes().unwrap() > 1 << 20);
        let metrics = ProcessMetrics::register(&Registry::new()).unwrap();
        metrics.refresh();
        let before = metrics.cpu.get();
        let started = std::time::Instant::now();
        while metrics.cpu.get() < before + 0.02 && started.elapsed().as_secs() < 20 {
            metrics.refresh();
        }
        assert!(metrics.cpu.get() >= before + 0.02);
    }
}
