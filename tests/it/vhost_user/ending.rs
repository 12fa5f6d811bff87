//! Task management functions that end commands which wait: those are returned before the function is answered, and nothing of them is
//! done afterwards, when their memory is somebody else's.

use std::sync::Arc;
use std::time::Duration;

use spindle::disc::Lba;
use spindle::drive::{Drive, Fault, FaultKind, Identity, Tray};
use vhost::vhost_user::VhostUserFrontend;

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{block, patterned};
use crate::support::guest::{CONTROL, Command, END, Guest, Options, Pending, Piece, REQUESTS, Reply, lun};

const ABORT_TASK: u32 = 0;
const ABORT_TASK_SET: u32 = 1;
const CLEAR_TASK_SET: u32 = 3;
const I_T_NEXUS_RESET: u32 = 4;
const LOGICAL_UNIT_RESET: u32 = 5;
const QUERY_TASK: u32 = 6;
const QUERY_TASK_SET: u32 = 7;

/// Response codes (virtio 1.2, 5.6.6.1.1 and 5.6.6.2).
const COMPLETE: u8 = 0;
const ABORTED: u8 = 2;
const RESET: u8 = 4;
const SUCCEEDED: u8 = 10;
const REJECTED: u8 = 11;

const RESPONSE_LEN: usize = 108;
const DELAY: Duration = Duration::from_secs(3600);
/// Rings of requests: two of a worker, where there are two processors.
const RINGS: usize = 4;

/// Two drives of which every block is slow, by a clock that stands still. No unit attention is pending.
struct Slow {
    clock: Arc<ManualClock>,
    guest: Guest,
    _backend: Backend,
}

impl Slow {
    fn new() -> Self {
        let clock = ManualClock::new();
        let drives = ["cd0", "cd1"].map(|name| {
            let drive = Drive::new(Identity::named(name), Tray::Closed).by_clock(Arc::clone(&clock) as _);
            drive.change_medium(patterned(1, 300), false).unwrap();
            drive.add_fault(Fault { kind: FaultKind::Delay(DELAY), blocks: (Lba(0), Lba(299)) }).unwrap();
            Arc::new(drive)
        });
        let backend = Backend::serve(&drives);
        let guest = backend.guest(Options { request_queues: RINGS, ..Options::default() });
        let mut slow = Self { clock, guest, _backend: backend };
        (0..2).for_each(|unit| slow.settle(unit));
        slow
    }

    /// Takes the unit attentions.
    fn settle(&mut self, unit: u16) {
        let ready = |guest: &mut Guest| {
            guest.command(REQUESTS + RINGS - 1, &Command { lun: lun(unit), ..Command::new(&[0; 6], 0) })
        };
        while ready(&mut self.guest).status != 0 {}
    }

    /// READ (10) of one block, which waits.
    fn read(&mut self, ring: usize, unit: u16, lba: u8) -> Pending {
        let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
        let command = Command { lun: lun(unit), tag: lba.into(), ..Command::new(&cdb, 2048) };
        self.guest.begin(REQUESTS + ring, &command)
    }

    /// ABORT TASK, whose request lies `at` an address, with room for its answer behind it: where that is.
    fn begin_to_abort(&mut self, at: u64, tag: u8) -> u64 {
        const LEN: usize = 24;
        let mut function = [0; LEN];
        function[4..8].copy_from_slice(&ABORT_TASK.to_le_bytes());
        function[8..16].copy_from_slice(&lun(0));
        function[16] = tag;
        let answer = at + LEN as u64;
        self.guest.write(at, &function);
        self.guest.write(answer, &[0xA5]);
        let pieces = [Piece { at, len: LEN, write: false }, Piece { at: answer, len: 1, write: true }];
        self.guest.submit_quietly(CONTROL, &pieces);
        self.guest.kick(CONTROL);
        answer
    }

    /// What a command has come back with by now.
    fn now(&mut self, pending: Pending) -> Reply {
        let (head, written) = self.guest.poll(pending.queue).expect("it was returned before the function was answered");
        assert_eq!(head, pending.head);
        self.guest.reply(pending, written)
    }

    /// A command that was ended, with not a byte of its data.
    fn is_ended(&mut self, pending: Pending, response: u8) {
        let reply = self.now(pending);
        assert_eq!((reply.response, reply.residual, reply.data.len()), (response, 2048, 0));
    }

    /// The delays end, and nothing is written anywhere.
    fn nothing_comes_later(&mut self) {
        let before = self.guest.read(0, END as usize);
        self.clock.advance(2 * DELAY);
        let start = self.guest.allocate(0) as usize;
        // The rings are the device's to write to: that of the function too, behind its answer.
        let mut own: Vec<_> = (0..REQUESTS + RINGS).map(|queue| self.guest.ring_bytes(queue)).collect();
        for queue in (0..RINGS).map(|ring| REQUESTS + ring) {
            for unit in 0..2 {
                // What comes after this has been looked at.
                let command = Command { lun: lun(unit), ..Command::new(&[0x12, 0, 0, 0, 36, 0], 36) };
                assert_eq!(self.guest.command(queue, &command).status, 0);
            }
        }
        own.push(start as u64..self.guest.allocate(0));
        let now = self.guest.read(0, END as usize);
        let is_own = |at: usize| own.iter().any(|own| own.contains(&(at as u64)));
        let changed = (0..now.len()).find(|&at| now[at] != before[at] && !is_own(at));
        assert_eq!(changed, None, "the memory of a command that was ended was written to");
    }
}

#[test]
fn functions_that_end_all_commands_of_a_unit_return_those_that_wait_first() {
    for (function, response) in
        [(LOGICAL_UNIT_RESET, RESET), (I_T_NEXUS_RESET, RESET), (ABORT_TASK_SET, ABORTED), (CLEAR_TASK_SET, ABORTED)]
    {
        let mut slow = Slow::new();
        // The first of each ring has a delay, the others wait behind it.
        let all: Vec<_> = (0..12).map(|number| slow.read(number as usize % (RINGS - 1), 0, number)).collect();
        slow.clock.wait_for_alarm();
        assert_eq!(slow.guest.task_management(function, lun(0)), COMPLETE, "function {function}");
        for pending in all {
            slow.is_ended(pending, response);
        }
        slow.nothing_comes_later();
        // And the rings go on.
        slow.settle(0);
        let pending = slow.read(1, 0, 77);
        slow.clock.wait_for_alarm();
        slow.clock.advance(DELAY);
        assert_eq!(slow.guest.finish(pending).data, block(1, 77));
    }
}

/// As QEMU takes a region away before it gives it back changed: what is in the ring is not known meanwhile, and still there afterwards.
#[test]
fn a_function_waits_for_a_ring_whose_memory_is_away() {
    let mut slow = Slow::new();
    let [near, far] = slow.guest.regions()[..] else { panic!("the guest has two parts of memory") };
    slow.guest.move_ring(REQUESTS + 1, far.guest_phys_addr + far.memory_size - 0x10_0000);
    let pending = slow.read(1, 0, 5);
    slow.clock.wait_for_alarm();
    slow.guest.frontend.remove_mem_region(&far).unwrap();
    let answer = slow.begin_to_abort(near.guest_phys_addr + near.memory_size / 2, 5);
    // Far more than it takes to look at rings, without which this shows nothing.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(slow.guest.poll(CONTROL), None, "it is answered");
    slow.guest.frontend.add_mem_region(&far).unwrap();
    slow.guest.wait(CONTROL);
    assert_eq!(slow.guest.read(answer, 1), [COMPLETE]);
    slow.is_ended(pending, ABORTED);
}

/// Its buffers, not its ring: it is returned, without a byte of its data, or the function has not ended it.
#[test]
fn a_command_whose_memory_is_away_is_not_taken_for_one_that_has_ended() {
    for (response_goes, answer) in [(true, REJECTED), (false, COMPLETE)] {
        let mut slow = Slow::new();
        let [near, far] = slow.guest.regions()[..] else { panic!("the guest has two parts of memory") };
        // The request, and all that may be written but for the first bytes, are in the part that stays.
        let (request, _) =
            slow.guest.lay_out(&Command { tag: 5, ..Command::new(&[0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0], 0) });
        let stays = near.guest_phys_addr + near.memory_size / 2;
        let bytes = slow.guest.read(request[0].at, request[0].len);
        slow.guest.write(stays, &bytes);
        let goes = far.guest_phys_addr + far.memory_size - 0x10_0000;
        let (response, data) = if response_goes { (goes, stays + 0x1000) } else { (stays + 0x1000, goes) };
        let pieces = [
            Piece { at: stays, len: bytes.len(), write: false },
            Piece { at: response, len: RESPONSE_LEN, write: true },
            Piece { at: data, len: 2048, write: true },
        ];
        slow.guest.submit_quietly(REQUESTS + 1, &pieces);
        slow.guest.kick(REQUESTS + 1);
        slow.clock.wait_for_alarm();
        slow.guest.write(goes, &[0xA5; 4096]);
        slow.guest.frontend.remove_mem_region(&far).unwrap();
        let answered = slow.begin_to_abort(stays + 0x2000, 5);
        slow.guest.wait(CONTROL);
        assert_eq!(slow.guest.read(answered, 1), [answer]);
        let before = slow.guest.poll(REQUESTS + 1);
        assert_eq!(before.is_some(), answer == COMPLETE, "{before:?}");
        slow.guest.frontend.add_mem_region(&far).unwrap();
        if before.is_some() {
            assert_eq!(slow.guest.read(response + 11, 1), [ABORTED]);
            slow.clock.advance(2 * DELAY);
            assert_eq!(slow.guest.read(goes, 4096), [0xA5; 4096], "it was carried out after it had ended");
        }
    }
}

#[test]
fn a_command_that_waits_is_aborted_alone() {
    let mut slow = Slow::new();
    let [first, second] = [5, 6].map(|lba| slow.read(0, 0, lba));
    let other = slow.read(1, 0, 7);
    slow.clock.wait_for_alarm();
    // A command that is in no ring any more, or of another unit.
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(0), 99), COMPLETE);
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(1), 5), COMPLETE);
    // One behind another: its chain cannot be returned before that, so the driver must not have its memory.
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(0), 6), REJECTED);
    assert_eq!([REQUESTS, REQUESTS + 1].map(|queue| slow.guest.poll(queue)), [None, None]);
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(0), 7), COMPLETE);
    slow.is_ended(other, ABORTED);
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(0), 5), COMPLETE);
    slow.is_ended(first, ABORTED);
    assert_eq!(slow.guest.manage_task(ABORT_TASK, lun(0), 6), COMPLETE);
    slow.is_ended(second, ABORTED);
    slow.nothing_comes_later();
}

#[test]
fn commands_that_wait_are_found_and_go_on() {
    let mut slow = Slow::new();
    assert_eq!(slow.guest.manage_task(QUERY_TASK_SET, lun(0), 0), COMPLETE);
    let pending = [5, 6].map(|lba| slow.read(0, 0, lba));
    slow.clock.wait_for_alarm();
    for (function, unit, tag, found) in [
        (QUERY_TASK, 0, 5, SUCCEEDED),
        // Behind the other.
        (QUERY_TASK, 0, 6, SUCCEEDED),
        (QUERY_TASK, 0, 7, COMPLETE),
        (QUERY_TASK, 1, 5, COMPLETE),
        (QUERY_TASK_SET, 0, 7, SUCCEEDED),
        (QUERY_TASK_SET, 1, 0, COMPLETE),
    ] {
        assert_eq!(slow.guest.manage_task(function, lun(unit), tag), found, "function {function}, unit {unit}, {tag}");
        assert_eq!(slow.guest.poll(REQUESTS), None);
    }
    for (lba, pending) in (5..).zip(pending) {
        slow.clock.wait_for_alarm();
        slow.clock.advance(DELAY);
        assert_eq!(slow.guest.finish(pending).data, block(1, lba));
    }
    assert_eq!(slow.guest.manage_task(QUERY_TASK, lun(0), 5), COMPLETE);
}

#[test]
fn commands_of_another_unit_wait_on() {
    let mut slow = Slow::new();
    let other = slow.read(0, 1, 9);
    let own = slow.read(1, 0, 8);
    slow.clock.wait_for_alarm();
    assert_eq!(slow.guest.task_management(LOGICAL_UNIT_RESET, lun(0)), COMPLETE);
    slow.is_ended(own, RESET);
    // Behind that of the other unit: this reset is refused, and none takes place.
    slow.settle(0);
    let behind = slow.read(0, 0, 10);
    assert_eq!(slow.guest.task_management(LOGICAL_UNIT_RESET, lun(0)), REJECTED);
    assert_eq!(slow.guest.poll(REQUESTS), None);
    slow.clock.advance(DELAY);
    assert_eq!(slow.guest.finish(other).data, block(1, 9));
    slow.clock.wait_for_alarm();
    slow.clock.advance(DELAY);
    assert_eq!(slow.guest.finish(behind).data, block(1, 10));
}
