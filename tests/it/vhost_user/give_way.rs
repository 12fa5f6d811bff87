//! Commands that go over a whole disc, alone or one after the other, while somebody wants their ring: a front-end, which the machine's monitor waits for, a function
//! that is to end them, or the next front-end.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use spindle::drive::{Drive, Identity, Tray};

use crate::support::backend::Backend;
use crate::support::disc::{Gated, gated};
use crate::support::guest::{Command, Guest, Options, Pending, REQUESTS, lun};

/// Many of the parts between which a command gives way.
const BLOCKS: u32 = 600_000;
/// In the second part.
const GATE: u32 = 20_000;
const TAG: u64 = 5;

const ABORT_TASK: u32 = 0;
const ABORT_TASK_SET: u32 = 1;
const COMPLETE: u8 = 0;
const ABORTED: u8 = 2;

/// A guest with such a disc, which has a gate, on local storage: a worker holds the ring while it reads.
fn ready() -> (Arc<Gated>, Backend, Guest) {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let (gate, medium) = gated(1, BLOCKS, GATE);
    let mut medium = Arc::into_inner(medium).unwrap();
    medium.remote = false;
    drive.change_medium(Arc::new(medium), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    (gate, backend, guest)
}

/// VERIFY (12) of the whole disc, which has come to the gate.
fn verifying() -> (Arc<Gated>, Backend, Guest, Pending) {
    let (gate, backend, mut guest) = ready();
    let [a, b, c, d] = BLOCKS.to_be_bytes();
    let verify = [0xAF, 0, 0, 0, 0, 0, a, b, c, d, 0, 0];
    let pending = guest.begin(REQUESTS, &Command { tag: TAG, ..Command::new(&verify, 0) });
    while gate.waiting() == 0 {
        thread::yield_now();
    }
    (gate, backend, guest, pending)
}

/// Fewer than are served at a time.
const MANY: u32 = 40;
/// What is read again by the next of them, and what is not: none is at its end before the gate is opened further.
const OVERLAP: u32 = 2_000;
const STEP: u32 = 14_000;

/// VERIFY (10) of 16,000 blocks, which is too short to give way, many times over. The first has come to the gate.
fn queued() -> (Arc<Gated>, Backend, Guest, Vec<Pending>) {
    let (gate, backend, mut guest) = ready();
    let mut begin = |number: u32| {
        let [a, b, c, d] = (GATE - 1000 + number * STEP).to_be_bytes();
        let [high, low] = ((STEP + OVERLAP) as u16).to_be_bytes();
        let verify = [0x2F, 0, a, b, c, d, 0, high, low, 0];
        guest.begin_quietly(REQUESTS, &Command { tag: TAG + u64::from(number), ..Command::new(&verify, 0) })
    };
    let pending = (0..MANY).map(&mut begin).collect();
    guest.kick(REQUESTS);
    while gate.waiting() == 0 {
        thread::yield_now();
    }
    // For when the worker comes back.
    guest.kick(REQUESTS);
    (gate, backend, guest, pending)
}

/// Has `carried_out` tell how many of those commands were carried out, which is one, unless the machine held up for long whoever wanted the ring.
fn is_one(carried_out: impl Fn() -> usize) {
    let tries: Vec<_> = std::iter::repeat_with(carried_out).take(5).take_while(|&count| count != 1).collect();
    assert!(tries.len() < 5, "{tries:?}");
}

/// Opens the gate step by step, one of the commands above or less at a time, so that whoever wants the ring comes long before their end
/// on a busy machine, too. When what this returns goes, all of it is open.
fn opening(gate: Arc<Gated>) -> mpsc::Sender<()> {
    const PAUSE: Duration = Duration::from_millis(200);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut blocks = GATE - 1000 + STEP + OVERLAP;
        while blocks < BLOCKS && receiver.recv_timeout(PAUSE) == Err(mpsc::RecvTimeoutError::Timeout) {
            gate.open_up_to(blocks);
            blocks += STEP;
        }
        gate.open();
    });
    sender
}

#[test]
fn a_ring_that_is_stopped_waits_for_no_whole_disc() {
    let (gate, _backend, mut guest, pending) = verifying();
    let position = guest.next_position(REQUESTS).wrapping_sub(1);
    let opening = opening(gate);
    assert_eq!(guest.stop_ring(REQUESTS), position, "it was carried out to its end");
    drop(opening);
    assert_eq!(guest.poll(REQUESTS), None);
    guest.start_ring(REQUESTS, position);
    assert_eq!(guest.finish(pending).status, 0);
}

#[test]
fn a_ring_that_is_stopped_waits_for_one_of_many_commands() {
    is_one(|| {
        let (gate, _backend, mut guest, pending) = queued();
        let first = guest.next_position(REQUESTS).wrapping_sub(MANY as u16);
        let opening = opening(gate);
        let position = guest.stop_ring(REQUESTS);
        drop(opening);
        guest.start_ring(REQUESTS, position);
        for pending in pending {
            assert_eq!(guest.finish(pending).status, 0);
        }
        position.wrapping_sub(first).into()
    });
}

#[test]
fn a_function_that_ends_commands_waits_for_one_of_them() {
    is_one(|| {
        let (gate, _backend, mut guest, pending) = queued();
        let opening = opening(gate);
        assert_eq!(guest.manage_task(ABORT_TASK_SET, lun(0), 0), COMPLETE);
        drop(opening);
        let mut responses = Vec::new();
        for pending in pending {
            let (head, written) = guest.poll(REQUESTS).expect("it was returned before the function was answered");
            assert_eq!(head, pending.head);
            responses.push(guest.reply(pending, written).response);
        }
        let ended = responses.iter().skip_while(|&&response| response == 0);
        assert!(ended.clone().all(|&response| response == ABORTED), "{responses:?}");
        assert_eq!(guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status, 0);
        MANY as usize - ended.count()
    });
}

#[test]
fn a_connection_that_ends_waits_for_no_whole_disc() {
    let (gate, backend, guest, _) = verifying();
    gate.forget_how_far();
    let opening = opening(Arc::clone(&gate));
    drop(guest);
    // Served when the one before has come to its end, and told of its power-on.
    assert_eq!(backend.guest(Options::default()).command(REQUESTS, &Command::new(&[0; 6], 0)).status, 2);
    assert!(gate.furthest() < u64::from(BLOCKS) * 1024, "{}", gate.furthest());
    drop(opening);
}

#[test]
fn a_function_that_ends_a_command_waits_for_no_whole_disc() {
    let (gate, _backend, mut guest, pending) = verifying();
    let opening = opening(gate);
    assert_eq!(guest.manage_task(ABORT_TASK, lun(0), TAG), COMPLETE);
    drop(opening);
    let (head, written) = guest.poll(REQUESTS).expect("it was returned before the function was answered");
    assert_eq!((head, guest.reply(pending, written).response), (pending.head, ABORTED));
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status, 0);
}
