//! What the kernel says about a process.

use std::fs;

use super::Failure;

/// A process, by its number.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    pub fn this() -> Self {
        Self(std::process::id())
    }

    /// Seconds on a processor so far, of all its threads.
    pub fn cpu_seconds(self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The name in parentheses may hold anything; behind it, utime and stime are the 12th and 13th field.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = |at: usize| fields.split_whitespace().nth(at).and_then(|field| field.parse::<u64>().ok());
        let (user, system) = (ticks(11).ok_or("no utime")?, ticks(12).ok_or("no stime")?);
        Ok((user + system) as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Resident kilobytes: in all, and those that are no file's.
    pub fn resident(self) -> Result<(u64, u64), Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        Ok((field(&status, "VmRSS:").unwrap_or(0), field(&status, "RssAnon:").unwrap_or(0)))
    }

    /// How often its threads have gone to sleep, and so been woken.
    pub fn wakeups(self) -> Result<u64, Failure> {
        let mut wakeups = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread may end meanwhile.
            let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
            wakeups += field(&status, "\nvoluntary_ctxt_switches:").unwrap_or(0);
        }
        Ok(wakeups)
    }
}

fn field(status: &str, name: &str) -> Option<u64> {
    status.split_once(name)?.1.split_whitespace().next()?.parse().ok()
}
