//! A clock that stands still until a test moves it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use spindle::drive::{Alarm, AlarmKey, Clock};

/// Far more than anything takes: reached only when it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub struct ManualClock(Mutex<State>);

#[derive(Default)]
struct State {
    now: Duration,
    alarms: BTreeMap<AlarmKey, Alarm>,
    count: u64,
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({:?})", self.now())
    }
}

impl ManualClock {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Moves on; calls what is due by then, each at its own time.
    pub fn advance(&self, by: Duration) {
        let end = self.now() + by;
        loop {
            let mut state = self.0.lock().unwrap();
            match state.alarms.first_key_value().map(|(&key, _)| key) {
                Some(key) if key.at <= end => {
                    state.now = state.now.max(key.at);
                    let alarm = state.alarms.remove(&key).unwrap();
                    drop(state);
                    alarm();
                }
                _ => {
                    state.now = end;
                    return;
                }
            }
        }
    }

    /// When the next alarm is due.
    pub fn next(&self) -> Option<Duration> {
        self.0.lock().unwrap().alarms.first_key_value().map(|(key, _)| key.at)
    }

    /// Waits until an alarm is set, as threads of the drive do it; returns how long it is until then.
    pub fn wait_for_alarm(&self) -> Duration {
        let began = Instant::now();
        loop {
            if let Some(at) = self.next() {
                return at.saturating_sub(self.now());
            }
            assert!(began.elapsed() < PATIENCE, "no alarm is set");
            std::thread::yield_now();
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.0.lock().unwrap().now
    }

    fn at(&self, at: Duration, alarm: Alarm) -> AlarmKey {
        let mut state = self.0.lock().unwrap();
        state.count += 1;
        let key = AlarmKey { at, number: state.count };
        if at <= state.now {
            std::thread::spawn(alarm);
        } else {
            state.alarms.insert(key, alarm);
        }
        key
    }

    fn cancel(&self, key: AlarmKey) {
        let alarm = self.0.lock().unwrap().alarms.remove(&key);
        drop(alarm);
    }
}

#[test]
fn alarms_ring_at_their_times() {
    let clock = ManualClock::new();
    let rung = Arc::new(Mutex::new(Vec::new()));
    for at in [30, 10, 20] {
        let (rung, clock_) = (Arc::clone(&rung), Arc::clone(&clock));
        clock.at(Duration::from_secs(at), Box::new(move || rung.lock().unwrap().push(clock_.now().as_secs())));
    }
    assert_eq!((clock.next(), clock.wait_for_alarm()), (Some(Duration::from_secs(10)), Duration::from_secs(10)));
    clock.advance(Duration::from_secs(25));
    assert_eq!((rung.lock().unwrap().clone(), clock.now()), (vec![10, 20], Duration::from_secs(25)));
}
