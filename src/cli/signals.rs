//! The signals that end a program of this crate.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};

use super::CliError;

/// The signals that ask a program to end. SIGHUP, the end of a terminal, is none where whoever started this has it ignored (`nohup`).
pub fn ending_signals() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let hangs_up = ignored.unwrap_or(0) & 1 << (SIGHUP - 1) == 0;
    [SIGINT, SIGTERM].into_iter().chain(hangs_up.then_some(SIGHUP)).collect()
}

/// A flag that the ending signals set, so that nothing half-written stays behind.
///
/// # Errors
/// When the signals cannot be caught.
pub fn cancelled_by_signals() -> Result<Arc<AtomicBool>, CliError> {
    let cancelled = Arc::new(AtomicBool::new(false));
    for signal in ending_signals() {
        signal_hook::flag::register(signal, Arc::clone(&cancelled))?;
    }
    // A file longer than `ulimit -f` allows is an error of the write then.
    signal_hook::flag::register(SIGXFSZ, Arc::default())?;
    Ok(cancelled)
}
