//! Waiting for what comes by itself.

use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
