//! The control queue (virtio 1.2, 5.6.6.2): every request is answered, or a driver waits for ever.

use super::{BAD_TARGET, FAILURE, FUNCTION_REJECTED, INCORRECT_LUN, OK, READ, TEST_UNIT_READY, with_disc};
use crate::support::disc::block;
use crate::support::guest::{CONTROL, Command, INDIRECT, Options, Piece, REQUESTS, Reply, lun};

const ABORTED: u8 = 2;
const RESET: u8 = 4;
const I_T_NEXUS_RESET: u32 = 4;
const LOGICAL_UNIT_RESET: u32 = 5;
const ELSEWHERE: [u8; 8] = [1, 9, 0x40, 0, 0, 0, 0, 0];
const MALFORMED: [u8; 8] = [0xFF; 8];

#[test]
fn every_task_management_function_is_answered() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    for function in 0..8 {
        assert_eq!(guest.task_management(function, lun(0)), OK, "function {function}");
        assert_eq!(guest.task_management(function, [1, 0, 0, 0, 0, 0, 0, 0]), OK, "function {function}");
        assert_eq!(guest.task_management(function, lun(1)), INCORRECT_LUN, "function {function}");
        assert_eq!(guest.task_management(function, ELSEWHERE), BAD_TARGET, "function {function}");
        assert_eq!(guest.task_management(function, MALFORMED), INCORRECT_LUN, "function {function}");
    }
    for function in [8, 0x8000_0000, u32::MAX] {
        assert_eq!(guest.task_management(function, lun(0)), FUNCTION_REJECTED);
    }
}

#[test]
fn resets_reach_the_drive_and_the_other_functions_do_not() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    for function in 0..8 {
        guest.task_management(function, lun(0));
        let reply = guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0));
        if matches!(function, I_T_NEXUS_RESET | LOGICAL_UNIT_RESET) {
            assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 6, 0x29), "function {function}");
            while guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0)).status != 0 {}
        } else {
            assert_eq!(reply.status, 0, "function {function}");
        }
    }
}

/// A read that a reset meets comes back with its blocks, with the unit attention or as one that was reset, and every reset is told exactly once.
#[test]
fn ten_thousand_resets_under_load_are_told_and_lose_nothing() {
    const RESETS: u32 = 10_000;
    let (_drive, _backend, mut guest) = with_disc(Options { request_queues: 2, ..Options::default() });
    let told = |reply: &Reply| match reply.status {
        0 => false,
        _ => {
            assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 6, 0x29));
            true
        }
    };
    // Reads that were done before a reset, and resets that came before a read was done.
    let (mut done, mut met) = (0, 0);
    for number in 0..RESETS {
        guest.free_all();
        // Of every three times a worker knows of one ring's reads, of the other's, of both's.
        let kicked = |ring: u32| number % 3 != ring;
        let begin = |at: u32| {
            let (ring, lba) = (at % 2, (5 * number + 11 * at) % 299);
            let cdb = [0x28, 0, 0, 0, (lba >> 8) as u8, lba as u8, 0, 0, 2, 0];
            let (queue, read) = (REQUESTS + ring as usize, Command::new(&cdb, 4096));
            (lba, if kicked(ring) { guest.begin(queue, &read) } else { guest.begin_quietly(queue, &read) })
        };
        let reads: Vec<_> = (0..8).map(begin).collect();
        assert_eq!(guest.task_management(LOGICAL_UNIT_RESET, lun(0)), OK);
        let (mut times_told, mut meets) = (0, false);
        for (lba, pending) in reads {
            let reply = guest.finish(pending);
            if told(&reply) {
                times_told += 1;
            } else if is_done_or(RESET, &reply, lba) {
                done += 1;
                continue;
            }
            meets = true;
        }
        met += u32::from(meets);
        times_told += u32::from(told(&guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0))));
        assert_eq!(times_told, 1, "reset {number}");
        assert!(!told(&guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0))), "reset {number} is told twice");
    }
    println!("resets {RESETS}, of which {met} met reads; reads {}, of which {done} were done before", 8 * RESETS);
    assert!(met >= RESETS / 3 && done > 0, "{met} resets met a read, {done} reads were done before");
}

/// Whether a command that a function met was carried out before it; else it was not at all.
fn is_done_or(response: u8, reply: &Reply, lba: u32) -> bool {
    match reply.response {
        OK => assert!(reply.data == [block(1, lba), block(1, lba + 1)].concat(), "blocks {lba} and {}", lba + 1),
        ended => assert_eq!((ended, reply.data.len()), (response, 0)),
    }
    reply.response == OK
}

#[test]
fn a_command_that_is_aborted_while_it_runs_ends_normally() {
    let (_drive, _backend, mut guest) = with_disc(Options { request_queues: 2, ..Options::default() });
    for _ in 0..50 {
        guest.free_all();
        let pending = guest.begin(REQUESTS + 1, &Command::new(&READ, 4096));
        assert_eq!(guest.task_management(0, lun(0)), OK);
        is_done_or(ABORTED, &guest.finish(pending), 7);
    }
}

#[test]
fn asynchronous_notification_reports_no_event_of_its_own() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    for kind in [1_u32, 2] {
        for (field, response) in [(lun(0), OK), (lun(1), INCORRECT_LUN), (ELSEWHERE, BAD_TARGET)] {
            let request = [&kind.to_le_bytes()[..], &field, &0x3E_u32.to_le_bytes()].concat();
            assert_eq!(guest.control(&request, 5), (vec![0, 0, 0, 0, response], 5), "type {kind}");
        }
    }
}

#[test]
fn what_is_no_control_request_fails() {
    let (_drive, _backend, mut guest) = with_disc(Options::default());
    let unknown = [7, 0, 0, 0].repeat(6);
    assert_eq!(guest.control(&unknown, 1), (vec![FAILURE], 1));
    // Half a type, half a function, half a notification.
    assert_eq!(guest.control(&[0; 3], 1), (vec![FAILURE], 1));
    assert_eq!(guest.control(&[0; 23], 1), (vec![FAILURE], 1));
    assert_eq!(guest.control(&[1, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0], 5), (vec![0, 0, 0, 0, FAILURE], 5));
    // Nowhere to answer.
    let at = guest.allocate(24);
    guest.write(at, &[0; 24]);
    guest.submit(CONTROL, &[Piece { at, len: 24, write: false }]);
    assert_eq!(guest.wait(CONTROL).1, 0);
    assert_eq!(guest.task_management(0, lun(0)), OK);
}

#[test]
fn a_malformed_control_chain_fails() {
    let (_drive, _backend, mut guest) = with_disc(Options { features: INDIRECT, ..Options::default() });
    let at = guest.allocate(32);
    let pieces = [Piece { at, len: 1, write: true }, Piece { at: at + 8, len: 24, write: false }];
    guest.submit(CONTROL, &pieces);
    assert_eq!(guest.wait(CONTROL).1, 1);
    assert_eq!(guest.read(at, 1), [FAILURE]);
    assert_eq!(guest.task_management(0, lun(0)), OK);
}
