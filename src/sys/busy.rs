//! Whether a thread gets on.

use std::os::unix::thread::JoinHandleExt;
use std::thread::JoinHandle;
use std::time::Duration;

/// For how long the processor has worked for a thread by now; none when it has ended. One that waits for storage uses none.
#[must_use]
pub fn busy_time<T>(thread: &JoinHandle<T>) -> Option<Duration> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a thread whose handle is there was neither joined nor detached, so that its identifier is valid, also when it has ended. Both
    // calls write one value to the place they are given.
    let found = unsafe {
        libc::pthread_getcpuclockid(thread.as_pthread_t(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    found.then(|| Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_that_works_is_busy_and_one_that_waits_is_not() {
        let (go, wait) = mpsc::channel::<()>();
        let (done, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            for () in wait {
                // An answer is work.
                done.send(()).unwrap();
            }
        });
        let mut before = busy_time(&thread).unwrap();
        for _ in 0..3 {
            go.send(()).unwrap();
            told.recv().unwrap();
            // Until it waits again.
            let mut now = busy_time(&thread).unwrap();
            loop {
                thread::sleep(Duration::from_millis(20));
                let later = busy_time(&thread).unwrap();
                if later == now {
                    break;
                }
                now = later;
            }
            assert!(now > before);
            before = now;
        }
        drop(go);
        thread.join().unwrap();
    }
}
