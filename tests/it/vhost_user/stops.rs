//! Rings that stop, devices that are reset and front-ends that go, all with requests under way: the old life writes nothing any
//! more, the new one owes it nothing, and what goes on is answered exactly once.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use spindle::disc::Lba;
use spindle::drive::{Drive, Fault, FaultKind, Identity, Tray};
use vhost::vhost_user::VhostUserFrontend;

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{block, patterned};
use crate::support::guest::{Command, END, EVENT_IDX, EVENTS, Guest, INDIRECT, Options, Pending, Piece, REQUESTS, lun};
use crate::support::wait::wait_until;

/// The rings that stop. Behind them are others, one of each worker and more, which go on.
const STOPPED: Range<usize> = REQUESTS..REQUESTS + 3;
const GOING: Range<usize> = STOPPED.end..STOPPED.end + 4;
/// Blocks that take [`DELAY`].
const SLOW: Range<u8> = 200..250;
const DELAY: Duration = Duration::from_secs(3600);

const TEST_UNIT_READY: [u8; 6] = [0; 6];

fn read(lba: u8) -> [u8; 10] {
    [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0]
}

/// A drive with a disc of which some blocks are slow, by a clock that stands still, and a guest that has heard of the power-on.
fn slow() -> (Arc<ManualClock>, Arc<Drive>, Backend, Guest) {
    let clock = ManualClock::new();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _));
    drive.change_medium(patterned(1, 300), false).unwrap();
    let blocks = (Lba(SLOW.start.into()), Lba(i32::from(SLOW.end) - 1));
    drive.add_fault(Fault { kind: FaultKind::Delay(DELAY), blocks }).unwrap();
    let backend = Backend::serve(&[Arc::clone(&drive)]);
    let guest = ready(&backend);
    (clock, drive, backend, guest)
}

fn ready(backend: &Backend) -> Guest {
    let request_queues = GOING.end - REQUESTS;
    let mut guest = backend.guest(Options { request_queues, ..Options::default() });
    while guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0)).status != 0 {}
    guest
}

/// All that the guest has in its memory.
fn memory(guest: &Guest) -> Vec<u8> {
    guest.read(0, END as usize)
}

/// Has every worker look at what it was woken for, which is before what it is asked afterwards.
fn workers_look(guest: &mut Guest) {
    for queue in GOING.chain(GOING) {
        assert_eq!(guest.command(queue, &Command::new(&TEST_UNIT_READY, 0)).status, 0);
    }
}

/// The same; nothing else of the memory changes meanwhile.
fn workers_leave_the_memory_alone(guest: &mut Guest, before: &[u8]) {
    let start = guest.allocate(0);
    workers_look(guest);
    let own = start..guest.allocate(0);
    let mut now = memory(guest);
    for place in GOING.map(|queue| guest.ring_bytes(queue)).chain([own]) {
        let place = place.start as usize..place.end as usize;
        now[place.clone()].copy_from_slice(&before[place]);
    }
    let changed = now.iter().zip(before).position(|(now, before)| now != before);
    assert_eq!(changed, None, "the guest's memory was written to at this address");
}

/// Where the slow read of a ring is: a worker has left the ring for others by then, and come back.
fn slow_one(queue: usize) -> usize {
    70 + 5 * queue
}

/// Reads in each of the rings that will stop, fast ones before and after a slow one; by ring.
fn reads(guest: &mut Guest) -> Vec<Vec<(u8, Pending)>> {
    let mut of_ring = |queue: usize| {
        let slow = slow_one(queue) as u8;
        let lba = |number| if number == slow { SLOW.start } else { number };
        (0..120).map(lba).map(|lba| (lba, guest.begin(queue, &Command::new(&read(lba), 2048)))).collect()
    };
    STOPPED.map(&mut of_ring).collect()
}

/// The rings of `reads` are answered in order, each chain once, with the right bytes; `answered` have been by now.
fn are_answered(guest: &mut Guest, clock: &ManualClock, reads: &[Vec<(u8, Pending)>], mut answered: Vec<Vec<u32>>) {
    wait_until("all are answered", || {
        take(guest, reads, &mut answered);
        if clock.next().is_some() {
            clock.advance(DELAY);
        }
        answered.iter().zip(reads).all(|(answered, reads)| answered.len() == reads.len())
    });
    for (queue, (reads, answered)) in STOPPED.zip(reads.iter().zip(answered)) {
        assert_eq!(guest.poll(queue), None);
        for (&(lba, pending), written) in reads.iter().zip(answered) {
            assert_eq!(guest.reply(pending, written).data, block(1, lba.into()), "ring {queue}");
        }
    }
}

/// Takes what has been returned.
fn take(guest: &mut Guest, reads: &[Vec<(u8, Pending)>], answered: &mut [Vec<u32>]) {
    for (queue, (reads, answered)) in STOPPED.zip(reads.iter().zip(answered)) {
        while let Some((head, written)) = guest.poll(queue) {
            let (_, pending) = reads.get(answered.len()).expect("no more chains than were asked for");
            assert_eq!(head, pending.head, "chains come back in the order of the ring");
            answered.push(written);
        }
    }
}

#[test]
fn rings_that_stop_write_nothing_and_answer_each_request_once_when_they_go_on() {
    let (clock, _drive, _backend, mut guest) = slow();
    for round in 0..20_u32 {
        guest.free_all();
        let reads = reads(&mut guest);
        // Some rounds stop amid the fast reads, others where all rings wait.
        if round % 2 == 0 {
            (0..round).for_each(|_| std::thread::yield_now());
        } else {
            let waits = |(queue, reads): (usize, &Vec<(u8, Pending)>)| {
                guest.used_index(queue) == reads[slow_one(queue)].1.position
            };
            wait_until("all rings wait", || STOPPED.zip(&reads).all(waits));
        }
        let bases: Vec<_> = STOPPED.map(|queue| guest.stop_ring(queue)).collect();
        let before = memory(&guest);
        clock.advance(DELAY);
        workers_leave_the_memory_alone(&mut guest, &before);
        let mut answered = vec![Vec::new(); reads.len()];
        take(&mut guest, &reads, &mut answered);
        for (queue, base) in STOPPED.zip(bases) {
            assert_eq!(base, guest.used_index(queue), "nothing is under way in a ring that has stopped");
            guest.start_ring(queue, base);
            guest.kick(queue);
        }
        are_answered(&mut guest, &clock, &reads, answered);
    }
}

/// An event for the guest waits until its ring goes on. Whatever is where the ring was, it stays.
#[test]
fn an_event_ring_that_stops_gets_its_event_when_it_goes_on_and_its_memory_is_left_alone() {
    for renewed in [false, true] {
        let (_clock, drive, _backend, mut guest) = slow();
        let buffer = |guest: &mut Guest| {
            let at = guest.allocate(16);
            guest.submit(EVENTS, &[Piece { at, len: 16, write: true }]);
        };
        buffer(&mut guest);
        let mut base = guest.stop_ring(EVENTS);
        let ring = guest.ring_bytes(EVENTS);
        if renewed {
            // The driver has let go of the ring, and its memory is somebody else's.
            guest.write(ring.start, &[0x5A; 0x8000]);
        }
        let before = memory(&guest);
        drive.change_medium(patterned(1, 300), false).unwrap();
        // The same worker serves the control queue: it has looked at the event when it has answered twice.
        for _ in 0..2 {
            guest.task_management(0, lun(0));
        }
        let place = ring.start as usize..ring.end as usize;
        assert!(memory(&guest)[place.clone()] == before[place], "the ring was written to");
        if renewed {
            guest.renew_ring(EVENTS, 0);
            base = 0;
            buffer(&mut guest);
        }
        guest.start_ring(EVENTS, base);
        assert_eq!(guest.wait(EVENTS).1, 16);
    }
}

fn stop_all(guest: &mut Guest) {
    for queue in 0..GOING.end {
        guest.stop_ring(queue);
    }
}

/// As QEMU resets a device: the rings are stopped, then the device is reset. Then as others may: it is reset with its rings as they are.
#[test]
fn a_device_that_is_reset_owes_the_next_driver_nothing_of_what_was_under_way() {
    for stopped_before in [true, false] {
        let (clock, drive, _backend, mut guest) = slow();
        // PREVENT ALLOW MEDIUM REMOVAL.
        assert_eq!(guest.command(REQUESTS, &Command::new(&[0x1E, 0, 0, 0, 1, 0], 0)).status, 0);
        let waiting = guest.begin(REQUESTS, &Command::new(&read(SLOW.start), 2048));
        clock.wait_for_alarm();
        if stopped_before {
            stop_all(&mut guest);
        }
        guest.frontend.reset_device().unwrap();
        if !stopped_before {
            stop_all(&mut guest);
        }
        assert_eq!(drive.snapshot().locked_by.len(), 0);
        // The next driver's rings are elsewhere by now, in what it has put into its memory.
        guest.write(0, &vec![0x5A; END as usize]);
        guest.take_features(EVENT_IDX | INDIRECT);
        for queue in STOPPED.chain(GOING) {
            // At the same place: what waited there is not what the next driver asks for.
            guest.renew_ring(queue, if queue == REQUESTS { waiting.position } else { 0 });
            guest.start_ring(queue, if queue == REQUESTS { waiting.position } else { 0 });
            guest.enable_ring(queue, true);
        }
        let reply = guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0));
        assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12], reply.sense[13]), (2, 6, 0x29, 0));
        assert_eq!(guest.command(REQUESTS, &Command::new(&read(7), 2048)).data, block(1, 7));
        // Behind an answer the worker asks for the next kick.
        workers_look(&mut guest);
        let before = memory(&guest);
        clock.advance(DELAY);
        workers_leave_the_memory_alone(&mut guest, &before);
    }
}

#[test]
fn a_front_end_that_goes_has_its_memory_left_alone_once_the_next_one_is_served() {
    let (clock, drive, backend, mut guest) = slow();
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x1E, 0, 0, 0, 1, 0], 0)).status, 0);
    reads(&mut guest);
    clock.wait_for_alarm();
    guest.hang_up();
    let mut next = ready(&backend);
    workers_look(&mut next);
    let before = memory(&guest);
    clock.advance(DELAY);
    let other = memory(&next);
    workers_leave_the_memory_alone(&mut next, &other);
    assert!(memory(&guest) == before, "the memory of the front-end that is gone was written to");
    assert_eq!(drive.snapshot().locked_by.len(), 0);
}

/// A guest may do that as often as it likes.
#[test]
fn requests_that_a_reset_ends_leave_no_alarm_behind() {
    const LOGICAL_UNIT_RESET: u32 = 5;
    let (clock, _drive, _backend, mut guest) = slow();
    for _ in 0..10 {
        let waiting = guest.begin(REQUESTS, &Command::new(&read(SLOW.start), 2048));
        clock.wait_for_alarm();
        assert_eq!(guest.task_management(LOGICAL_UNIT_RESET, lun(0)), 0);
        assert_eq!(guest.finish(waiting).data.len(), 0);
        while guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0)).status != 0 {}
        wait_until("the alarm is taken back", || clock.next().is_none());
    }
}
