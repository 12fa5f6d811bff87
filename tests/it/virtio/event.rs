//! The event queue (virtio 1.2, 5.6.6.3).

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Tray};

use super::{OK, with_disc};
use crate::support::backend::Backend;
use crate::support::disc::patterned;
use crate::support::guest::{CHANGE, EVENTS, Guest, Options, Piece, lun};

const PARAM_CHANGE: u32 = 3;
const MISSED: u32 = 0x8000_0000;

fn give_buffer(guest: &mut Guest) -> u64 {
    let at = guest.allocate(16);
    guest.submit(EVENTS, &[Piece { at, len: 16, write: true }]);
    at
}

/// Event, LUN field and reason of the next event.
fn next(guest: &mut Guest, at: u64) -> (u32, Vec<u8>, u32) {
    assert_eq!(guest.wait(EVENTS).1, 16);
    let event = guest.read(at, 16);
    let word = |at: usize| u32::from_le_bytes(event[at..at + 4].try_into().unwrap());
    (word(0), event[4..12].to_vec(), word(12))
}

#[test]
fn a_change_of_medium_is_an_event() {
    let (drive, _backend, mut guest) = with_disc(Options::default());
    let at = give_buffer(&mut guest);
    drive.change_medium(patterned(2, 40), false).unwrap();
    assert_eq!(next(&mut guest, at), (PARAM_CHANGE, vec![1, 0, 0, 0, 0, 0, 0, 0], 0x092A));
}

#[test]
fn an_event_waits_for_a_buffer() {
    let (drive, _backend, mut guest) = with_disc(Options::default());
    drive.change_medium(patterned(2, 40), false).unwrap();
    let at = give_buffer(&mut guest);
    assert_eq!(next(&mut guest, at), (PARAM_CHANGE, vec![1, 0, 0, 0, 0, 0, 0, 0], 0x092A));
}

#[test]
fn a_driver_that_did_not_ask_gets_no_event() {
    let (drive, _backend, mut guest) = with_disc(Options { features: 0, ..Options::default() });
    give_buffer(&mut guest);
    drive.change_medium(patterned(2, 40), false).unwrap();
    // The same worker serves the control queue: when it has answered twice it has looked at the events before.
    assert_eq!(guest.task_management(0, lun(0)), OK);
    assert_eq!(guest.task_management(0, lun(0)), OK);
    assert_eq!(guest.poll(EVENTS), None);
}

#[test]
fn a_guest_that_gives_no_buffers_is_not_flooded_later() {
    let (drive, _backend, mut guest) = with_disc(Options::default());
    for seed in 0..1000 {
        drive.change_medium(patterned(seed, 40), false).unwrap();
    }
    for _ in 0..16 {
        give_buffer(&mut guest);
    }
    assert_eq!(guest.task_management(0, lun(0)), OK);
    assert_eq!(guest.task_management(0, lun(0)), OK);
    // The same news while one copy is on its way to the ring makes at most a second one.
    let events = std::iter::from_fn(|| guest.poll(EVENTS)).count();
    assert!((1..=2).contains(&events), "{events} events");
}

#[test]
fn lost_events_are_marked_on_the_next_one() {
    let drives: Vec<_> =
        (0..80).map(|at| Arc::new(Drive::new(Identity::named(&format!("cd{at}")), Tray::Closed))).collect();
    let backend = Backend::serve(&drives);
    let mut guest = backend.guest(Options { features: CHANGE, ..Options::default() });
    // Answered, so the connection has begun: it forgets what was before.
    assert_eq!(guest.task_management(0, lun(0)), OK);
    for drive in &drives {
        drive.open_tray(false).unwrap();
    }
    let first = give_buffer(&mut guest);
    let second = give_buffer(&mut guest);
    assert_eq!(next(&mut guest, first), (PARAM_CHANGE | MISSED, vec![1, 0, 0, 0, 0, 0, 0, 0], 0x092A));
    assert_eq!(next(&mut guest, second), (PARAM_CHANGE, vec![1, 0, 0, 1, 0, 0, 0, 0], 0x092A));
}
