//! Work on storage that may not answer: by threads, side by side, for as long as there is patience.

use std::io;
use std::mem;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::sys::busy::busy_time;

/// How often is looked whether work gets on.
const STEP: Duration = Duration::from_millis(50);

/// Work that has begun.
pub struct Begun<T> {
    thread: JoinHandle<()>,
    result: Receiver<T>,
    /// How long the processor had worked for it when it was last looked at, and since when that has not become more.
    busy: Option<Duration>,
    silent_since: Instant,
}

/// How work stands.
enum Stands<T> {
    Goes(Begun<T>),
    /// With its result, if it is not left behind.
    Ended(Option<T>),
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
        Ok(Self { busy: busy_time(&thread), thread, result, silent_since: Instant::now() })
    }

    /// Waits for it: see [`end_all`].
    pub fn end(self, patience: Duration, holds: impl Fn() -> bool) -> Option<T> {
        end_all(vec![Some(self)], patience, holds).pop().flatten()
    }

    /// Waits for no longer than a step.
    fn look(mut self, wait: Duration, patience: Duration, holds: bool) -> Stands<T> {
        match self.result.recv_timeout(wait) {
            Ok(result) => {
                // It has nothing more to do.
                let _ = self.thread.join();
                return Stands::Ended(Some(result));
            }
            Err(RecvTimeoutError::Disconnected) => return Stands::Ended(None),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let before = mem::replace(&mut self.busy, busy_time(&self.thread));
        if holds || self.busy != before {
            self.silent_since = Instant::now();
        }
        if self.silent_since.elapsed() > patience { Stands::Ended(None) } else { Stands::Goes(self) }
    }
}

/// Waits for all of it. None for work that has not got on for as long as there is `patience`, which is left behind; time in which
/// `holds` is true does not count.
pub fn end_all<T: Send + 'static>(
    begun: Vec<Option<Begun<T>>>,
    patience: Duration,
    holds: impl Fn() -> bool,
) -> Vec<Option<T>> {
    let mut all: Vec<_> = begun.into_iter().map(|begun| begun.map_or(Stands::Ended(None), Stands::Goes)).collect();
    loop {
        // The first that is not done is waited for, the others are looked at.
        let mut wait = STEP;
        for work in &mut all {
            *work = match mem::replace(work, Stands::Ended(None)) {
                Stands::Goes(begun) => begun.look(mem::take(&mut wait), patience, holds()),
                ended => ended,
            };
        }
        if !wait.is_zero() {
            return all.into_iter().map(|work| if let Stands::Ended(result) = work { result } else { None }).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far more than anything here takes.
    const FOREVER: Duration = Duration::from_secs(60);

    #[test]
    fn work_that_does_not_end_is_waited_for_together_and_keeps_nothing_back() {
        assert_eq!(Begun::begin(|| 5).unwrap().end(FOREVER, || false), Some(5));
        let (go, wait) = mpsc::channel::<()>();
        let (other_go, other_wait) = mpsc::channel::<()>();
        let begun = [
            Begun::begin(move || wait.recv().map_or(1, |()| 2)),
            Begun::begin(move || other_wait.recv().map_or(3, |()| 4)),
            Begun::begin(|| 6),
        ];
        let begun = begun.into_iter().map(Result::ok).chain([None]).collect();
        let (patience, before) = (Duration::from_secs(1), Instant::now());
        assert_eq!(end_all(begun, patience, || false), [None, None, Some(6), None]);
        assert!(before.elapsed() >= patience);
        drop((go, other_go));
    }

    #[test]
    fn work_that_gets_on_has_all_the_time_it_takes() {
        // A busy machine may have no turn for it at times.
        let patience = STEP * 20;
        let slowly = Begun::begin(move || {
            (0..8).for_each(|_| thread::sleep(patience / 4));
            8
        });
        assert_eq!(slowly.unwrap().end(patience, || false), Some(8));
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
        assert_eq!(asked.end(Duration::from_millis(100), asking), Some(7));
    }
}
