//! What a slow drive was about to do when its machine gave up on it, and discs that would keep it busy for days.

use std::time::{Duration, Instant};

use spindle::disc::{Disc, Dpm, Lba, TrackMode};
use spindle::drive::Clock;

use super::behaviour::{Slow, read_10};
use crate::support::disc::{cd, of, patterned};
use crate::support::guest::{Command, REQUESTS, lun};

/// A driver that gives up on commands that take hours, or whose machine is reset, finds a drive that is at rest.
#[test]
fn a_reset_ends_what_the_head_was_about_to_do() {
    let mut slow = Slow::new("real-speed", patterned(1, 300_000));
    slow.set_cd_speed(176);
    let [high, middle, low] = [0x04, 0x93, 0xE0];
    for ring in [REQUESTS, REQUESTS + 1] {
        // VERIFY (12) of the whole disc: more than an hour.
        slow.guest.begin(ring, &Command::new(&[0xAF, 0, 0, 0, 0, 0, 0, high, middle, low, 0, 0], 0));
        slow.clock.wait_for_alarm();
    }
    assert_eq!(slow.guest.task_management(5, lun(0)), 0);
    for ring in [REQUESTS, REQUESTS + 1] {
        assert!(slow.guest.poll(ring).is_some());
    }
    while slow.guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    slow.set_cd_speed(176);
    let pending = slow.guest.begin(REQUESTS, &Command::new(&read_10(0, 75), 75 * 2048));
    // Later alarms are those of commands that nobody waits for any more.
    let (soon, deadline) = (slow.clock.now() + Duration::from_secs(2), Instant::now() + Duration::from_secs(60));
    while slow.clock.next().is_none_or(|at| at > soon) {
        assert!(Instant::now() < deadline, "the read waits for what was to be verified");
        std::thread::yield_now();
    }
    slow.clock.advance(Duration::from_secs(2));
    assert_eq!(slow.guest.finish(pending).data.len(), 75 * 2048);
}

/// Measured angles that nobody measured.
#[test]
fn angles_that_are_made_up_take_no_day() {
    let entries = (0..20_000).map(|entry| if entry % 2 == 0 { u32::MAX } else { 0 }).collect();
    let dpm = Dpm { start: Lba(0), resolution: 1, entries };
    let mut slow = Slow::new("seek-delay", of(Disc { dpm: Some(dpm), ..cd(1, &[&[(TrackMode::Mode1, 20_000)]]) }));
    for lba in [5000, 9000, 9002] {
        let time = slow.read(lba, 1);
        assert!(time < Duration::from_secs(1), "{lba}: {time:?}");
    }
}
