//! Discs on storage that does not answer: everything that reads from them, at whatever moment, has the deadline.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use spindle::disc::subchannel::{StoredSubchannel, SubchannelForm};
use spindle::disc::{Disc, Lba, TrackMode};
use spindle::drive::{
    ALL_BLOCKS, Alarm, AlarmKey, Clock, Drive, Fault, FaultKind, Identity, Keeper, Kept, LoadRefused, Medium, Tray,
};
use spindle::scsi::{DataIn, DataOut, LogicalUnit, Task, Wake};
use spindle::sound::{Sample, Sink};
use spindle::source::Scatter;

use super::fetch::{DEADLINE, PATIENCE, Room, hurried};
use crate::support::clock::ManualClock;
use crate::support::disc::{cd, gated, gated_cd, of, patterned};
use crate::support::guest::{Command, REQUESTS};
use crate::support::initiator::Initiator;

/// READ (10) of a block that does not come.
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 210, 0, 0, 1, 0];

#[derive(Default)]
struct Last(Mutex<Option<Kept>>);

impl Keeper for Last {
    fn keep(&self, kept: &Kept, _: Option<&Arc<Medium>>, _: &BTreeMap<u16, Vec<u8>>) -> bool {
        *self.0.lock().unwrap() = Some(kept.clone());
        true
    }
}

/// A drive as it is after a restart, with notes of these rings that fit no command.
fn restarted(rings: &[usize]) -> Room {
    let last = Arc::<Last>::default();
    let before = Drive::new(Identity::named("cd0"), Tray::Closed).kept_by(Arc::clone(&last) as _);
    before.change_medium(patterned(1, 300), false).unwrap();
    let kept = last.0.lock().unwrap().clone().unwrap();
    let ((gate, medium), clock) = (gated(1, 300, 200), ManualClock::new());
    let notes = rings.iter().map(|&ring| (ring as u16, vec![0; 8])).collect();
    let drive = hurried(Arc::clone(&clock) as _).restored(&kept, Ok(Some(medium)), notes);
    Room::of(gate, clock, drive)
}

/// What a ring of the process before has left is forgotten with a state that is loaded, and with no other.
#[test]
fn a_state_whose_disc_goes_while_it_is_compared_is_refused_and_changes_nothing() {
    let other = Drive::new(Identity::named("cd0"), Tray::Closed);
    other.change_medium(patterned(1, 300), false).unwrap();
    let text = other.save(0);
    let room = restarted(&[REQUESTS]);
    let loaded = thread::scope(|scope| {
        let loading = scope.spawn(|| room.drive.load(0, &text));
        room.wait_until("somebody reads", |room| room.gate.waiting() > 0);
        room.drive.change_medium(patterned(1, 300), true).unwrap();
        room.gate.open();
        loading.join().unwrap()
    });
    assert_eq!((loaded, room.drive.notes().len()), (Err(LoadRefused::Moved), 1));
    assert_eq!((room.drive.load(0, &text), room.drive.notes().len()), (Ok(()), 0));
}

#[test]
fn a_disc_that_was_there_before_a_restart_has_the_deadline() {
    restarted(&[]).hangs(REQUESTS, &READ);
}

#[test]
fn the_first_command_of_a_ring_after_a_restart_holds_up_nobody() {
    restarted(&[REQUESTS + 1]).hangs(REQUESTS + 1, &READ);
}

/// A CD with a pre-gap and sub-channel that are stored, and codes that are nowhere else.
fn stored() -> Disc {
    let mut disc = cd(1, &[&[(TrackMode::Mode1, 300)]]);
    disc.mcn = None;
    let extent = &mut disc.sessions[0].tracks[0].extents[0];
    (extent.first, extent.blocks) = (Lba(-150), extent.blocks + 150);
    disc
}

fn sectors_hang() -> Room {
    Room::with(gated_cd(stored(), |extent, gate| extent.source = gate))
}

fn sub_channel_hangs() -> Room {
    Room::with(gated_cd(stored(), |extent, gate| {
        let form = SubchannelForm::Linear;
        extent.subchannel = Some(StoredSubchannel { source: gate, offset: 0, stride: 96, form });
    }))
}

#[test]
fn read_cd_of_a_stored_pre_gap_has_the_deadline() {
    sectors_hang().hangs(REQUESTS, &[0xBE, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0x10, 0, 0]);
}

#[test]
fn read_cd_msf_of_a_stored_pre_gap_has_the_deadline() {
    sectors_hang().hangs(REQUESTS, &[0xB9, 0, 0, 0, 1, 74, 0, 2, 0, 0x10, 0, 0]);
}

#[test]
fn read_header_has_the_deadline() {
    sectors_hang().hangs(REQUESTS, &[0x44, 0, 0, 0, 0, 5, 0, 0, 8, 0]);
}

#[test]
fn the_catalogue_number_in_the_sub_channel_has_the_deadline() {
    sub_channel_hangs().hangs(REQUESTS, &[0x42, 0, 0x40, 2, 0, 0, 0, 0, 24, 0]);
}

#[test]
fn the_isrc_in_the_sub_channel_has_the_deadline() {
    sub_channel_hangs().hangs(REQUESTS, &[0x42, 0, 0x40, 3, 0, 0, 1, 0, 24, 0]);
}

#[test]
fn the_sub_channel_that_read_cd_returns_has_the_deadline() {
    sub_channel_hangs().hangs(REQUESTS, &[0xBE, 0, 0, 0, 0, 5, 0, 0, 1, 0x10, 1, 0]);
}

#[test]
fn the_packs_that_read_cd_returns_have_the_deadline() {
    sub_channel_hangs().hangs(REQUESTS, &[0xBE, 0, 0, 0, 0, 5, 0, 0, 1, 0x10, 4, 0]);
}

/// VERIFY (12): its last blocks do not come.
#[test]
fn the_blocks_at_the_end_of_a_long_command_have_the_deadline() {
    let mut room = Room::with(gated(1, 20_000, 17_000));
    let pending = room.guest.begin(REQUESTS, &Command::new(&[0xAF, 0, 0, 0, 0, 0, 0, 0, 0x4E, 0x20, 0, 0], 0));
    room.wait_until("somebody reads", |room| room.gate.waiting() > 0);
    room.is_late(pending);
    room.gate.open();
    let pending = room.guest.begin(REQUESTS, &Command::new(&[0xAF, 0, 0, 0, 0, 0, 0, 0, 0x4E, 0x20, 0, 0], 0));
    assert_eq!(room.guest.finish(pending).status, 0);
}

#[test]
fn a_command_that_is_delayed_besides_has_the_deadline() {
    let mut room = Room::with(gated(1, 300, 200));
    let kind = FaultKind::Delay(Duration::from_secs(1));
    room.drive.add_fault(Fault { kind, blocks: ALL_BLOCKS }).unwrap();
    let pending = room.guest.begin(REQUESTS, &Command::new(&READ, 2048));
    assert_eq!(room.clock.wait_for_alarm(), Duration::from_secs(1));
    room.clock.advance(Duration::from_secs(1));
    room.wait_until("somebody reads", |room| room.gate.waiting() > 0);
    room.is_late(pending);
}

/// As when its unit attention was taken by another ring after it was looked at.
#[test]
fn a_command_that_nobody_fetched_for_has_the_deadline() {
    let room = Room::with(gated(1, 300, 200));
    let (told, tell) = mpsc::channel();
    let direct = Initiator::direct(Arc::clone(&room.drive));
    while direct.run(&[0; 6], 0).status != 0 {}
    thread::spawn(move || told.send(direct.run(&READ, 2048)));
    room.wait_until("somebody reads", |room| room.gate.waiting() > 0);
    room.clock.advance(DEADLINE);
    assert_eq!(tell.recv_timeout(PATIENCE).expect("it waits for ever").kaq(), (2, 4, 1));
}

/// As a driver does whose buffer has no room for a block: what was fetched for it is told to nobody.
fn fetch_for_nobody(room: &mut Room) {
    room.gate.open();
    assert_eq!(room.guest.command(REQUESTS, &Command::new(&READ, 2000)).data.len(), 0);
    room.gate.open_up_to(200);
}

#[test]
fn what_was_fetched_for_nobody_is_not_taken_for_what_is_late() {
    let mut room = Room::with(gated(1, 300, 200));
    fetch_for_nobody(&mut room);
    for _ in 0..2 {
        room.hangs(REQUESTS, &READ);
    }
}

#[test]
fn what_is_late_is_not_taken_for_what_was_fetched_for_nobody() {
    let mut room = Room::with(gated(1, 300, 200));
    let direct = Initiator::direct(Arc::clone(&room.drive));
    while direct.run(&[0; 6], 0).status != 0 {}
    fetch_for_nobody(&mut room);
    room.hangs(REQUESTS, &READ);
    let (told, tell) = mpsc::channel();
    let hanging = room.gate.waiting();
    thread::spawn(move || told.send(direct.run(&READ, 2048)));
    room.wait_until("somebody reads", |room| room.gate.waiting() > hanging);
    room.clock.advance(DEADLINE);
    assert_eq!(tell.recv_timeout(PATIENCE).expect("it waits for ever").kaq(), (2, 4, 1));
}

type Deed = Box<dyn FnOnce() + Send>;

/// A clock that does something when it is looked at next.
struct Busy(Arc<ManualClock>, Mutex<Option<Deed>>);

impl fmt::Debug for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Clock for Busy {
    fn now(&self) -> Duration {
        let deed = self.1.lock().unwrap().take();
        if let Some(deed) = deed {
            deed();
        }
        self.0.now()
    }

    fn at(&self, at: Duration, alarm: Alarm) -> AlarmKey {
        self.0.at(at, alarm)
    }

    fn cancel(&self, key: AlarmKey) {
        self.0.cancel(key);
    }
}

#[test]
fn a_disc_that_comes_while_another_is_asked_for_has_the_deadline() {
    let ((_, old), (gate, new)) = (gated(2, 300, 300), gated(1, 300, 200));
    let clock = ManualClock::new();
    let busy = Arc::new(Busy(Arc::clone(&clock), Mutex::default()));
    let drive = hurried(Arc::clone(&busy) as _);
    drive.change_medium(old, false).unwrap();
    let mut room = Room::of(gate, clock, drive);
    let other = Arc::clone(&room.drive);
    *busy.1.lock().unwrap() = Some(Box::new(move || other.change_medium(new, false).unwrap()));
    // The disc is changed between the look at it and the question.
    let reply = room.read(REQUESTS, 0, 5);
    assert_eq!((reply.status, reply.sense[12]), (2, 0x3A));
    room.settle(0);
    room.hangs(REQUESTS, &READ);
}

#[test]
fn whoever_changes_the_disc_last_says_whether_it_has_the_deadline() {
    let (gate, medium) = gated(1, 300, 200);
    let drive = hurried(ManualClock::new());
    drive.open_tray(true).unwrap();
    let both = Barrier::new(2);
    for round in 0..20_000 {
        drop(drive.insert_medium(Arc::clone(&medium)));
        thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                drive.remove_medium();
            });
            both.wait();
            while drive.insert_medium(Arc::clone(&medium)).is_err() {}
        });
        assert!(drive.is_slow(), "round {round}");
    }
    gate.open();
}

/// A guest that resets itself over and over while the storage hangs.
#[test]
fn reads_that_nobody_waits_for_any_more_are_forgotten() {
    let room = Room::with(gated(1, 300, 200));
    let direct = Initiator::direct(Arc::clone(&room.drive));
    while direct.run(&[0; 6], 0).status != 0 {}
    let (data_in, data_out) = (DataIn::new(Scatter::new(&[])), DataOut::new(Scatter::new(&[])));
    let mut task = Task::new(direct.nexus, &[], [0; 32], data_in, data_out);
    task.cdb[..READ.len()].copy_from_slice(&READ);
    let wake: Wake = Arc::new(|| ());
    for _ in 0..1000 {
        assert!(room.drive.delay(&task, &wake).is_some());
    }
    assert!(room.drive.waiting_reads() < 200, "{}", room.drive.waiting_reads());
}

/// A sink that takes nothing and does not return.
struct Stuck(mpsc::Sender<()>, mpsc::Receiver<()>);

impl Sink for Stuck {
    fn put(&mut self, _: &[Sample]) -> io::Result<()> {
        // Whoever is gone does not hear.
        let _ = self.0.send(());
        let _ = self.1.recv();
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_takes_nothing_holds_up_no_end() {
    let ((putting, put), (_go, wait)) = (mpsc::channel(), mpsc::channel());
    let clock = ManualClock::new();
    let drive = hurried(Arc::clone(&clock) as _).heard_by(Box::new(Stuck(putting, wait)));
    drive.change_medium(of(cd(1, &[&[(TrackMode::Audio, 3000)]])), false).unwrap();
    let direct = Initiator::direct(Arc::new(drive));
    while direct.run(&[0; 6], 0).status != 0 {}
    assert_eq!(direct.run(&[0x45, 0, 0, 0, 0, 0, 0, 4, 0, 0], 0).status, 0);
    clock.wait_for_alarm();
    clock.advance(Duration::from_secs(1));
    put.recv_timeout(PATIENCE).unwrap();
    let (told, tell) = mpsc::channel();
    thread::spawn(move || {
        drop(direct);
        told.send(())
    });
    tell.recv_timeout(PATIENCE).expect("it waits for ever");
}
