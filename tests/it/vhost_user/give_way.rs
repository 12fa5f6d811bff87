//! Commands that go over a whole disc while somebody wants their ring: a front-end, which the machine's monitor waits for, a function
//! that is to end them, or the next front-end.

use std::sync::Arc;
use std::time::Duration;

use spindle::drive::{Drive, Identity, Medium, Tray};

use crate::support::backend::Backend;
use crate::support::disc::{Gated, gated};
use crate::support::guest::{Command, Guest, Options, Pending, REQUESTS, lun};

/// Many of the parts between which a command gives way.
const BLOCKS: u32 = 600_000;
/// In the second part.
const GATE: u32 = 20_000;
const TAG: u64 = 5;

const ABORT_TASK: u32 = 0;
const COMPLETE: u8 = 0;
const ABORTED: u8 = 2;

/// VERIFY (12) of a whole disc, which has come to a gate. On local storage: its worker holds the ring meanwhile.
fn verifying() -> (Arc<Gated>, Backend, Guest, Pending) {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let (gate, medium) = gated(1, BLOCKS, GATE);
    let medium = Arc::into_inner(medium).unwrap();
    drive.change_medium(Arc::new(Medium { remote: false, ..medium }), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    let [a, b, c, d] = BLOCKS.to_be_bytes();
    let verify = [0xAF, 0, 0, 0, 0, 0, a, b, c, d, 0, 0];
    let pending = guest.begin(REQUESTS, &Command { tag: TAG, ..Command::new(&verify, 0) });
    while gate.waiting() == 0 {
        std::thread::yield_now();
    }
    (gate, backend, guest, pending)
}

/// Opens the gate when whoever comes next has had the time to wait: if not, the command goes on for longer than that.
fn open_soon(gate: Arc<Gated>) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        gate.open();
    });
}

#[test]
fn a_ring_that_is_stopped_waits_for_no_whole_disc() {
    let (gate, _backend, mut guest, pending) = verifying();
    let position = guest.next_position(REQUESTS).wrapping_sub(1);
    open_soon(gate);
    assert_eq!(guest.stop_ring(REQUESTS), position, "it was carried out to its end");
    assert_eq!(guest.poll(REQUESTS), None);
    guest.start_ring(REQUESTS, position);
    assert_eq!(guest.finish(pending).status, 0);
}

#[test]
fn a_connection_that_ends_waits_for_no_whole_disc() {
    let (gate, backend, guest, _) = verifying();
    gate.forget_how_far();
    open_soon(Arc::clone(&gate));
    drop(guest);
    // Served when the one before has come to its end, and told of its power-on.
    assert_eq!(backend.guest(Options::default()).command(REQUESTS, &Command::new(&[0; 6], 0)).status, 2);
    assert!(gate.furthest() < u64::from(BLOCKS) * 1024, "{}", gate.furthest());
}

#[test]
fn a_function_that_ends_a_command_waits_for_no_whole_disc() {
    let (gate, _backend, mut guest, pending) = verifying();
    open_soon(gate);
    assert_eq!(guest.manage_task(ABORT_TASK, lun(0), TAG), COMPLETE);
    let (head, written) = guest.poll(REQUESTS).expect("it was returned before the function was answered");
    assert_eq!((head, guest.reply(pending, written).response), (pending.head, ABORTED));
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status, 0);
}
