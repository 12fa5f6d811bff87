//! Threads that look at the clock one after the other and come to the drive in another order.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spindle::disc::TrackMode::Audio;
use spindle::drive::{Alarm, AlarmKey, Clock, Drive, Identity, Tray};

use crate::support::disc::{cd, of};
use crate::support::initiator::Initiator;
use crate::support::sink::Ear;

/// A clock that says what it is told to, and whose alarms ring when they are told to.
#[derive(Default)]
struct Told {
    now: Mutex<Duration>,
    alarms: Mutex<Vec<Alarm>>,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({:?})", self.now())
    }
}

impl Clock for Told {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn at(&self, _: Duration, alarm: Alarm) -> AlarmKey {
        self.alarms.lock().unwrap().push(alarm);
        AlarmKey::default()
    }

    fn cancel(&self, _: AlarmKey) {}
}

#[test]
fn a_thread_that_comes_last_with_an_earlier_time_takes_nothing_of_a_play_back() {
    let (clock, ear) = (Arc::<Told>::default(), Ear::default());
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _);
    let drive = drive.heard_by(ear.sink());
    drive.change_medium(of(cd(1, &[&[(Audio, 3000)]])), false).unwrap();
    let guest = Initiator::of(Arc::new(drive));
    guest.settle();
    // PLAY AUDIO (10) of 1,000 sectors; READ SUB-CHANNEL.
    guest.run(&[0x45, 0, 0, 0, 0, 0, 0, 3, 0xE8, 0], 0).good();
    let position = |milliseconds| {
        *clock.now.lock().unwrap() = Duration::from_millis(milliseconds);
        let data = guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good();
        i32::from_be_bytes(data[8..12].try_into().unwrap())
    };
    assert_eq!([2000, 1900, 2000, 3000].map(position), [150, 150, 150, 225]);
    // Each sector once.
    while clock.alarms.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    clock.alarms.lock().unwrap().drain(..).for_each(|alarm| alarm());
    assert_eq!(ear.hears(225 * 588).len(), 225 * 588);
}
