//! What came out, for people and for scripts.

use std::io::{self, Write};

use serde_json::json;

use super::histogram::Histogram;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    pub histogram: Histogram,
    pub bytes: u64,
    pub seconds: f64,
    /// Processor seconds of this process; polling takes one for each second.
    pub driver_cpu: f64,
    /// The same of the back-end.
    pub backend_cpu: Option<f64>,
    /// Kilobytes of the back-end that are resident after the work: in all, and those that are no file's.
    pub resident: Option<(u64, u64)>,
    pub errors: u64,
    pub mismatches: u64,
    pub first_error: Option<String>,
    /// How often requests came back only after a second kick.
    pub stalls: u32,
    pub idle: Option<Idle>,
}

/// What the back-end did when it had nothing to do.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    pub seconds: f64,
    pub wakeups: u64,
}

impl Report {
    /// Whether something failed.
    pub fn wrong(&self) -> bool {
        self.errors + self.mismatches > 0
    }

    /// Writes it to standard output.
    ///
    /// # Errors
    /// What writing reports.
    pub fn print(&self, as_json: bool) -> io::Result<()> {
        let mut out = io::stdout().lock();
        let requests = self.histogram.count();
        let iops = requests as f64 / self.seconds;
        let rate = self.bytes as f64 / self.seconds / 1e6;
        let per_gb = |cpu: f64| cpu / (self.bytes as f64 / 1e9);
        let us = |ns: u64| ns as f64 / 1e3;
        let quantile = |part: f64| us(self.histogram.quantile(part));
        if as_json {
            let object = json!({
                "requests": requests,
                "bytes": self.bytes,
                "seconds": self.seconds,
                "iops": iops,
                "mb_per_s": rate,
                "p50_us": quantile(0.5),
                "p99_us": quantile(0.99),
                "p999_us": quantile(0.999),
                "max_us": us(self.histogram.largest()),
                "driver_cpu_s_per_gb": per_gb(self.driver_cpu),
                "backend_cpu_s": self.backend_cpu,
                "backend_cpu_s_per_gb": self.backend_cpu.map(per_gb),
                "resident_kb": self.resident.map(|(all, _)| all),
                "resident_anonymous_kb": self.resident.map(|(_, anonymous)| anonymous),
                "errors": self.errors,
                "mismatches": self.mismatches,
                "first_error": self.first_error,
                "stalls": self.stalls,
                "idle_s": self.idle.map(|idle| idle.seconds),
                "idle_wakeups": self.idle.map(|idle| idle.wakeups),
            });
            return writeln!(out, "{object}");
        }
        writeln!(out, "{requests} requests, {:.1} MB in {:.2} s", self.bytes as f64 / 1e6, self.seconds)?;
        writeln!(out, "{iops:.0} IOPS, {rate:.0} MB/s")?;
        let (p50, p99, p999) = (quantile(0.5), quantile(0.99), quantile(0.999));
        let largest = us(self.histogram.largest());
        writeln!(out, "latency p50 {p50:.1} us, p99 {p99:.1}, p99.9 {p999:.1}, largest {largest:.1}")?;
        if let Some(cpu) = self.backend_cpu {
            writeln!(out, "back-end: {:.3} CPU s/GB, {:.2} CPU s", per_gb(cpu), cpu)?;
        }
        writeln!(out, "driver: {:.3} CPU s/GB", per_gb(self.driver_cpu))?;
        if let Some((all, anonymous)) = self.resident {
            writeln!(out, "back-end: {all} kB resident, {anonymous} kB of them anonymous")?;
        }
        if let Some(idle) = self.idle {
            writeln!(out, "{} wakeups in {} s of doing nothing", idle.wakeups, idle.seconds)?;
        }
        writeln!(out, "{} errors, {} mismatches, {} stalls", self.errors, self.mismatches, self.stalls)?;
        if let Some(first) = &self.first_error {
            writeln!(out, "the first: {first}")?;
        }
        Ok(())
    }
}
