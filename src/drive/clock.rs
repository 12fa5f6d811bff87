//! Time as a drive sees it: that of the host, or one that tests move.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is done at a time. Must not block: others wait behind it.
pub type Alarm = Box<dyn FnOnce() + Send>;

/// Which alarm: by time, then in the order in which they were set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlarmKey {
    /// When it rings.
    pub at: Duration,
    /// Its number, of all that were set.
    pub number: u64,
}

/// A clock.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Time since some fixed moment; it never runs backwards.
    fn now(&self) -> Duration;

    /// Calls `alarm` once when `at` has come, also when that is in the past, on some other thread. The caller must hold no lock
    /// that the alarm takes.
    fn at(&self, at: Duration, alarm: Alarm) -> AlarmKey;

    /// The alarm need not ring any more; it may be ringing, or have rung.
    fn cancel(&self, key: AlarmKey);
}

/// The host's time since the first drive asked.
#[derive(Debug)]
pub struct HostClock {
    start: Instant,
    alarms: Mutex<Alarms>,
    added: Condvar,
    /// Starts the thread that calls the alarms.
    starter: fn() -> io::Result<()>,
}

#[derive(Default)]
struct Alarms {
    set: BTreeMap<AlarmKey, Alarm>,
    count: u64,
    /// The thread that calls them runs.
    running: bool,
}

impl fmt::Debug for Alarms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alarms({})", self.set.len())
    }
}

impl HostClock {
    /// The one clock of this process. Its thread starts with the first alarm, or before.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        static CLOCK: LazyLock<Arc<HostClock>> = LazyLock::new(|| {
            Arc::new(HostClock::started_by(|| {
                thread::Builder::new().name("clock".to_owned()).spawn(|| HostClock::shared().run()).map(drop)
            }))
        });
        Arc::clone(&CLOCK)
    }

    fn started_by(starter: fn() -> io::Result<()>) -> Self {
        Self { start: Instant::now(), alarms: Mutex::default(), added: Condvar::new(), starter }
    }

    /// Starts the thread, so that no alarm has to find out that there is none to be had.
    ///
    /// # Errors
    /// When there is none.
    pub fn start(&self) -> io::Result<()> {
        self.start_with(&mut self.alarms())
    }

    fn start_with(&self, alarms: &mut Alarms) -> io::Result<()> {
        if !alarms.running {
            (self.starter)()?;
            alarms.running = true;
        }
        Ok(())
    }

    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls every alarm at its time.
    fn run(&self) {
        let mut alarms = self.alarms();
        loop {
            let next = alarms.set.first_key_value().map(|(key, _)| key.at.saturating_sub(self.now()));
            alarms = match next {
                Some(Duration::ZERO) => {
                    let alarm = alarms.set.pop_first();
                    drop(alarms);
                    if let Some((_, alarm)) = alarm {
                        alarm();
                    }
                    self.alarms()
                }
                Some(left) => self.added.wait_timeout(alarms, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.added.wait(alarms).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Clock for HostClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn at(&self, at: Duration, alarm: Alarm) -> AlarmKey {
        let mut alarms = self.alarms();
        alarms.count += 1;
        let key = AlarmKey { at, number: alarms.count };
        alarms.set.insert(key, alarm);
        // Without a thread it waits for the next alarm to start one. It must not be called here: what it does may be to set another.
        let _ = self.start_with(&mut alarms);
        drop(alarms);
        self.added.notify_one();
        key
    }

    fn cancel(&self, key: AlarmKey) {
        // What it holds is let go of without the lock.
        let alarm = self.alarms().set.remove(&key);
        drop(alarm);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn alarms_ring_in_order_of_their_times() {
        let clock = HostClock::shared();
        let (ring, rung) = mpsc::channel();
        let soon = clock.now() + Duration::from_millis(1);
        // The thread is kept busy until all are set.
        let (go, wait) = mpsc::channel::<()>();
        clock.at(Duration::ZERO, Box::new(move || wait.recv().unwrap()));
        for (after, name) in [(10, "last"), (0, "first"), (5, "second"), (5, "third")] {
            let ring = ring.clone();
            clock.at(soon + Duration::from_millis(after), Box::new(move || ring.send(name).unwrap()));
        }
        go.send(()).unwrap();
        let order: Vec<_> = rung.iter().take(4).collect();
        assert_eq!(order, ["first", "second", "third", "last"]);
        assert!(clock.now() >= soon + Duration::from_millis(10));
        // One that is taken back does not ring, nor does it matter where it has rung.
        let late = ring.clone();
        let key = clock.at(clock.now() + Duration::from_secs(3600), Box::new(move || late.send("late").unwrap()));
        (0..2).for_each(|_| clock.cancel(key));
        assert!(!clock.alarms().set.contains_key(&key));
        // What is past rings too.
        clock.at(Duration::ZERO, Box::new(move || ring.send("past").unwrap()));
        assert_eq!(rung.recv(), Ok("past"));
    }

    #[test]
    fn an_alarm_that_sets_another_ends_where_no_thread_can_be_had() {
        static CALLED: AtomicUsize = AtomicUsize::new(0);
        fn again(clock: &Arc<HostClock>) {
            let next = Arc::clone(clock);
            let alarm = move || {
                // Far more than there should be, and fewer than the stack has room for.
                if CALLED.fetch_add(1, Ordering::Relaxed) < 100 {
                    again(&next);
                }
            };
            clock.at(Duration::ZERO, Box::new(alarm));
        }
        let clock = Arc::new(HostClock::started_by(|| Err(io::ErrorKind::WouldBlock.into())));
        assert!(clock.start().is_err());
        again(&clock);
        assert_eq!(CALLED.load(Ordering::Relaxed), 0);
    }
}
