//! Inputs over which a guest, a front-end or a client would wait too long: kept for `qemu-scripts/fuzz`, which tries each again alone.
//! `tests/it/fuzz.rs` tries them again at once.
//!
//! libFuzzer's own `-report_slow_units` counts whole seconds and keeps only what is slower than all before it: one busy moment of the
//! machine would hide everything up to twice that.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(1);
/// Of a machine that is busy for long there would be any number.
const MOST: u32 = 50;

/// Whether an input takes that long, and so twice more: a machine that has other work is slow once.
#[allow(dead_code, reason = "only the tests ask")]
pub fn is_slow(input: &[u8], mut run: impl FnMut(&[u8])) -> bool {
    let mut takes_long = || {
        let start = Instant::now();
        run(input);
        start.elapsed() > LONG
    };
    (0..3).all(|_| takes_long())
}

/// Runs an input, and puts it into the folder that `SPINDLE_SLOW` names if that takes long.
#[allow(dead_code, reason = "only the fuzz targets call it")]
pub fn timed(input: &[u8], run: impl FnOnce(&[u8])) {
    static KEPT: AtomicU32 = AtomicU32::new(0);
    let start = Instant::now();
    run(input);
    if start.elapsed() > LONG
        && let Some(folder) = std::env::var_os("SPINDLE_SLOW")
        && KEPT.fetch_add(1, Ordering::Relaxed) < MOST
    {
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = std::path::Path::new(&folder).join(format!("{:016x}", hasher.finish()));
        std::fs::write(path, input).expect("a folder to write into");
    }
}
