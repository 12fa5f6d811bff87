//! Waiting for threads that may never end.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Waits until a thread has ended, but not longer than `time`: one that hangs in a system call holds up nobody. None for that.
pub fn join_within<T>(thread: JoinHandle<T>, time: Duration) -> Option<thread::Result<T>> {
    /// The system has no call for this.
    const NOW_AND_THEN: Duration = Duration::from_millis(5);
    let deadline = Instant::now() + time;
    while !thread.is_finished() {
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(NOW_AND_THEN);
    }
    Some(thread.join())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_gives_its_result_and_one_that_does_not_is_left() {
        assert_eq!(join_within(thread::spawn(|| 5), Duration::from_secs(60)).unwrap().unwrap(), 5);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        assert!(join_within(thread::spawn(move || wait.recv()), Duration::from_millis(20)).is_none());
        drop(go);
    }
}
