//! Work on storage that may not answer: by a thread, for as long as there is patience.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often is looked whether somebody is asked for a password meanwhile.
const STEP: Duration = Duration::from_millis(50);

/// Work that has begun.
pub struct Begun<T> {
    thread: JoinHandle<()>,
    result: Receiver<T>,
}

impl<T: Send + 'static> Begun<T> {
    /// Begins it.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn begin(work: impl FnOnce() -> T + Send + 'static) -> io::Result<Self> {
        let (done, result) = mpsc::channel();
        let thread = thread::Builder::new().name("opening".to_owned());
        // Nobody waits any more where it came too late.
        let thread = thread.spawn(move || drop(done.send(work())))?;
        Ok(Self { thread, result })
    }

    /// Waits for it as long as `left` lasts, which is used up; time in which `holds` is true does not count. None for work that has not
    /// ended, which is left behind.
    pub fn end(self, left: &mut Duration, holds: impl Fn() -> bool) -> Option<T> {
        loop {
            match self.result.recv_timeout(STEP.min(*left)) {
                Ok(result) => {
                    // It has nothing more to do.
                    let _ = self.thread.join();
                    return Some(result);
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return None,
                Err(RecvTimeoutError::Timeout) if holds() => {}
                Err(RecvTimeoutError::Timeout) => *left = left.saturating_sub(STEP),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_does_not_end_uses_up_the_patience_and_no_more() {
        let mut left = Duration::from_secs(60);
        assert_eq!(Begun::begin(|| 5).unwrap().end(&mut left, || false), Some(5));
        let (go, wait) = mpsc::channel::<()>();
        let mut left = Duration::from_millis(60);
        let hangs = Begun::begin(move || wait.recv().is_ok()).unwrap();
        assert_eq!((hangs.end(&mut left, || false), left), (None, Duration::ZERO));
        // What has ended by then is not lost.
        let ended = Begun::begin(|| 6).unwrap();
        thread::sleep(Duration::from_millis(20));
        while !ended.thread.is_finished() {}
        assert_eq!(ended.end(&mut left, || false), Some(6));
        drop(go);
    }

    #[test]
    fn patience_lasts_while_somebody_is_asked() {
        let (go, wait) = mpsc::channel();
        let asked = Begun::begin(move || wait.recv().unwrap()).unwrap();
        let looks = std::cell::Cell::new(0);
        let asking = || {
            looks.set(looks.get() + 1);
            if looks.get() == 4 {
                go.send(7).unwrap();
            }
            true
        };
        assert_eq!(asked.end(&mut Duration::from_millis(100), asking), Some(7));
    }
}
