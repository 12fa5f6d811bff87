//! Discs on storage that does not answer: a deadline for reads, and nobody else waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spindle::drive::{Clock, Drive, Identity, Medium, Tray};

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{Gated, block, gated, patterned};
use crate::support::guest::{Command, Guest, Options, Pending, REQUESTS, Reply, lun};

pub const DEADLINE: Duration = Duration::from_secs(20);

/// Rings: more than workers, so that some have one in common.
pub const RINGS: usize = 8;
/// Far more than anything takes: reached only when it never comes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A drive with a deadline and its clock, whose disc has blocks that do not come until the gate is opened, beside one with a local disc,
/// and a guest of both.
pub struct Room {
    pub gate: Arc<Gated>,
    pub clock: Arc<ManualClock>,
    pub drive: Arc<Drive>,
    pub guest: Guest,
    _backend: Backend,
}

/// A drive with the deadline by `clock`, and nothing in it.
pub fn hurried(clock: Arc<dyn Clock>) -> Drive {
    Drive::new(Identity::named("cd0"), Tray::Closed).with_read_deadline(DEADLINE).by_clock(clock)
}

impl Room {
    /// The disc has no blocks from 200 on.
    fn new() -> Self {
        Self::with(gated(1, 300, 200))
    }

    pub fn with((gate, medium): (Arc<Gated>, Arc<Medium>)) -> Self {
        let clock = ManualClock::new();
        let drive = hurried(Arc::clone(&clock) as _);
        drive.change_medium(medium, false).unwrap();
        Self::of(gate, clock, drive)
    }

    pub fn of(gate: Arc<Gated>, clock: Arc<ManualClock>, drive: Drive) -> Self {
        let drive = Arc::new(drive);
        let local = Arc::new(Drive::new(Identity::named("cd1"), Tray::Closed));
        local.change_medium(patterned(2, 300), false).unwrap();
        let backend = Backend::serve(&[Arc::clone(&drive), local]);
        let guest = backend.guest(Options { request_queues: RINGS, ..Options::default() });
        let mut room = Self { gate, clock, drive, guest, _backend: backend };
        [0, 1].into_iter().for_each(|unit| room.settle(unit));
        room
    }

    /// Consumes the unit attentions.
    pub fn settle(&mut self, unit: u16) {
        while self.guest.command(REQUESTS, &Command { lun: lun(unit), ..Command::new(&[0; 6], 0) }).status != 0 {}
    }

    /// Sends a command that reads what does not come: nobody else waits for it, and after the deadline it is to be tried again.
    pub fn hangs(&mut self, queue: usize, cdb: &[u8]) {
        let pending = self.guest.begin(queue, &Command::new(cdb, 4 * 2352));
        self.wait_until("somebody reads", |room| room.gate.waiting() > 0);
        for other in (REQUESTS..REQUESTS + RINGS).filter(|&other| other != queue) {
            assert_eq!(self.read(other, 1, 210).data, block(2, 210));
        }
        self.is_late(pending);
    }

    /// The command ends after the deadline.
    pub fn is_late(&mut self, pending: Pending) {
        self.ends_late(pending, DEADLINE);
    }

    fn ends_late(&mut self, pending: Pending, after: Duration) {
        self.clock.advance(after);
        let reply = self.guest.finish(pending);
        // LOGICAL UNIT IS IN PROCESS OF BECOMING READY.
        assert_eq!(
            (reply.status, reply.sense[2] & 0xF, &reply.sense[12..14], reply.data.len()),
            (2, 2, &[4, 1][..], 0)
        );
    }

    /// READ (10) of one block.
    pub fn read(&mut self, queue: usize, unit: u16, lba: u8) -> Reply {
        let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
        self.guest.command(queue, &Command { lun: lun(unit), ..Command::new(&cdb, 2048) })
    }

    pub fn wait_until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            assert!(began.elapsed() < PATIENCE, "never: {what}");
            std::thread::yield_now();
        }
    }
}

/// A test that fails ends all the same.
impl Drop for Room {
    fn drop(&mut self) {
        self.gate.open();
    }
}

#[test]
fn a_read_that_does_not_come_is_to_be_tried_again_after_the_deadline_and_nobody_else_waits() {
    let mut room = Room::new();
    for round in 0..3 {
        let pending = room.guest.begin(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 210, 0, 0, 4, 0], 4 * 2048));
        let due = room.clock.wait_for_alarm();
        assert!(due <= DEADLINE, "{due:?}");
        // The other rings: other blocks of this drive, and another drive.
        for queue in REQUESTS + 1..REQUESTS + RINGS {
            assert_eq!(room.read(queue, 0, 5).data, block(1, 5));
            assert_eq!(room.read(queue, 1, 210).data, block(2, 210));
        }
        room.clock.advance(DEADLINE - Duration::from_millis(1));
        assert_eq!(room.read(REQUESTS + 1, 0, 6).data, block(1, 6));
        assert_eq!(room.guest.poll(REQUESTS), None, "round {round}");
        room.clock.advance(Duration::from_millis(1));
        let reply = room.guest.finish(pending);
        // LOGICAL UNIT IS IN PROCESS OF BECOMING READY.
        assert_eq!(
            (reply.status, reply.sense[2] & 0xF, &reply.sense[12..14], reply.data.len()),
            (2, 2, &[4, 1][..], 0)
        );
        assert_eq!(room.read(REQUESTS, 0, 7).data, block(1, 7));
    }
    room.gate.open();
    assert_eq!(room.read(REQUESTS, 0, 210).data, block(1, 210));
}

#[test]
fn a_read_that_comes_in_time_is_carried_out() {
    let mut room = Room::new();
    let pending = room.guest.begin(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 198, 0, 0, 4, 0], 4 * 2048));
    room.clock.wait_for_alarm();
    room.clock.advance(DEADLINE / 2);
    room.gate.open();
    assert_eq!(room.guest.finish(pending).data, (198..202).flat_map(|lba| block(1, lba)).collect::<Vec<_>>());
    // The alarm of what came in time harms nobody.
    room.clock.advance(DEADLINE);
    assert_eq!(room.read(REQUESTS, 0, 198).data, block(1, 198));
}

#[test]
fn as_many_reads_as_there_are_rings_may_hang_and_each_is_answered() {
    let mut room = Room::new();
    let read = |lba: u8| [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
    let pending: Vec<_> =
        (0..RINGS).map(|at| room.guest.begin(REQUESTS + at, &Command::new(&read(200 + at as u8), 2048))).collect();
    room.wait_until("all have been asked for", |room| room.drive.waiting_reads() == RINGS);
    room.wait_until("four threads hang", |room| room.gate.waiting() == 4);
    room.clock.advance(DEADLINE);
    for pending in pending {
        let reply = room.guest.finish(pending);
        assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 2, 4));
    }
    assert_eq!(room.gate.waiting(), 4, "no further thread hangs");
    room.gate.open();
    for lba in 200..208 {
        assert_eq!(room.read(REQUESTS, 0, lba).data, block(1, lba.into()));
    }
}

/// A ring is served in order: whoever waits in it waits for one deadline, not for that of each command that is tried again.
#[test]
fn drives_of_the_same_ring_wait_for_one_deadline_of_a_disc_that_hangs() {
    let (gate, medium) = gated(1, 300, 200);
    let clock = ManualClock::new();
    let drive = hurried(Arc::clone(&clock) as _).beside_others();
    drive.change_medium(medium, false).unwrap();
    let mut room = Room::of(gate, clock, drive);
    let hanging = Command::new(&[0x28, 0, 0, 0, 0, 210, 0, 0, 1, 0], 2048);
    let pending = room.guest.begin(REQUESTS, &hanging);
    room.wait_until("somebody reads", |room| room.gate.waiting() > 0);
    room.is_late(pending);
    for _ in 0..6 {
        let pending = room.guest.begin(REQUESTS, &hanging);
        room.wait_until("it is read", |room| room.drive.waiting_reads() == 1 && room.gate.waiting() == 2);
        room.ends_late(pending, Duration::from_millis(20));
        // Its own disc is read where it can be: one more thread is tried for each deadline.
        assert_eq!(room.read(REQUESTS, 0, 7).data, block(1, 7));
        assert_eq!(room.read(REQUESTS, 1, 210).data, block(2, 210));
        assert_eq!(room.gate.waiting(), 2);
    }
    // One that is late by no more than that says nothing of the storage.
    let pending = room.guest.begin(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 250, 0, 0, 1, 0], 2048));
    room.wait_until("it is read", |room| room.gate.waiting() == 3);
    room.ends_late(pending, Duration::from_millis(20));
    room.gate.open_up_to(240);
    // Once what hung has come back, the deadline is as it was.
    let began = Instant::now();
    loop {
        room.clock.advance(DEADLINE);
        assert_eq!(room.read(REQUESTS, 0, 210).data, block(1, 210));
        if room.clock.wait_for_alarm() == DEADLINE {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "it has no patience any more");
    }
}

#[test]
fn a_disc_that_is_changed_meanwhile_ends_the_wait() {
    let mut room = Room::new();
    let pending = room.guest.begin(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 210, 0, 0, 1, 0], 2048));
    room.clock.wait_for_alarm();
    room.drive.change_medium(patterned(3, 300), false).unwrap();
    let reply = room.guest.finish(pending);
    // MEDIUM REMOVED: it is carried out with what is there by now.
    assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 6, 0x3A));
    while room.guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    assert_eq!(room.read(REQUESTS, 0, 210).data, block(3, 210));
    room.gate.open();
}
