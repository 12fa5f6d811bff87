//! The pages of this system's memory.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes of a page: 4,096, but 16 or 64 KiB on some systems with ARM processors. A signal handler may ask.
#[must_use]
pub fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: a number for a number; safe in a signal handler, too.
            let size = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_a_power_of_two() {
        let size = super::page_size();
        assert!(size.is_power_of_two() && size >= 4096 && size == super::page_size());
    }
}
