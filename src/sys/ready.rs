//! Waiting for a descriptor for less than a millisecond.

use std::os::fd::RawFd;
use std::time::Duration;

/// Whether a descriptor becomes readable within so much time. A number that names none is not.
#[must_use]
pub fn is_readable_within(descriptor: RawFd, time: Duration) -> bool {
    let mut entry = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    let time = libc::timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    // SAFETY: one entry and one time, which live until the call returns; the signal mask stays as it is.
    let ready = unsafe { libc::ppoll(&raw mut entry, 1, &raw const time, std::ptr::null()) };
    ready == 1 && entry.revents & libc::POLLIN != 0
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_descriptor_is_readable_when_there_is_something_to_read() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let began = Instant::now();
        assert!(!is_readable_within(reader.as_raw_fd(), Duration::from_micros(1500)));
        assert!(began.elapsed() >= Duration::from_micros(1500));
        writer.write_all(b"!").unwrap();
        assert!(is_readable_within(reader.as_raw_fd(), Duration::ZERO));
        assert!(!is_readable_within(writer.as_raw_fd(), Duration::ZERO));
    }

    #[test]
    fn a_number_that_names_no_descriptor_is_not_readable() {
        assert!(!is_readable_within(RawFd::MAX, Duration::from_secs(60)));
    }
}
