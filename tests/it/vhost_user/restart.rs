//! A back-end that ends after it has kept a change and before it has returned the chain: the next one gives the same answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spindle::drive::{Drive, Identity, Keeper, Kept, Medium, Tray};
use spindle::scsi::Nexus;
use vhost::vhost_user::VhostUserFrontend;

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::patterned;
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply};

type Everything = (Kept, Option<Arc<Medium>>, BTreeMap<u16, Vec<u8>>);

/// Keeps in memory, unless that is full, and how often it was asked to.
#[derive(Default)]
struct Memory(Mutex<(Option<Everything>, u32)>, AtomicBool);

impl Keeper for Memory {
    fn keep(&self, kept: &Kept, medium: Option<&Arc<Medium>>, notes: &BTreeMap<u16, Vec<u8>>) -> bool {
        let (mut memory, has_room) = (self.0.lock().unwrap(), !self.1.load(Ordering::SeqCst));
        memory.1 += 1;
        if has_room {
            memory.0 = Some((kept.clone(), medium.cloned(), notes.clone()));
        }
        has_room
    }
}

/// A drive and its back-end, as they are after a restart if something was kept.
fn started(memory: &Arc<Memory>) -> (Arc<Drive>, Backend) {
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed);
    let drive = match memory.0.lock().unwrap().0.clone() {
        Some((kept, medium, notes)) => drive.restored(&kept, Ok(medium), notes),
        None => {
            drive.change_medium(patterned(1, 300), false).unwrap();
            drive
        }
    };
    let drive = Arc::new(drive.kept_by(Arc::clone(memory) as _));
    (Arc::clone(&drive), Backend::serve(&[drive]))
}

fn run(guest: &mut Guest, cdb: &[u8]) -> Reply {
    guest.command(REQUESTS, &Command::new(cdb, 64))
}

fn settle(guest: &mut Guest) {
    while run(guest, &[0; 6]).status != 0 {}
    while run(guest, &EVENTS).data[4] != 0 {}
}

/// GET EVENT STATUS NOTIFICATION of the media class, and of operational changes.
const EVENTS: [u8; 10] = [0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0];
const CHANGES: [u8; 10] = [0x4A, 1, 0, 0, 0x02, 0, 0, 0, 8, 0];

/// Ends the back-end, if it has not ended, and has the guest go on with the next.
fn again(memory: &Arc<Memory>, guest: &mut Guest, here: &mut Option<(Arc<Drive>, Backend)>) {
    *here = None;
    let next = here.insert(started(memory));
    guest.reconnect(&next.1.path());
}

/// Carries out `cdb`, and once more in a back-end that goes on where the first ended just before it returned the chain.
fn twice(memory: &Arc<Memory>, guest: &mut Guest, here: &mut Option<(Arc<Drive>, Backend)>, cdb: &[u8]) -> Reply {
    let pending = guest.begin(REQUESTS, &Command::new(cdb, 64));
    let first = guest.finish(pending);
    *here = None;
    guest.unreturn(REQUESTS);
    self::again(memory, guest, here);
    let again = guest.finish(pending);
    assert_eq!(again, first, "{cdb:x?}");
    first
}

/// What a guest is told that sends `cdb` three times, with or without a restart before and amid each.
fn story(cdb: &[u8], prepare: &str, restarts: bool) -> Vec<Reply> {
    let memory = Arc::<Memory>::default();
    let here = started(&memory);
    let mut guest = here.1.guest(Options::default());
    settle(&mut guest);
    match prepare {
        "change" => here.0.change_medium(patterned(2, 300), false).unwrap(),
        "ask" => {
            assert_eq!(run(&mut guest, &[0x1E, 0, 0, 0, 1, 0]).status, 0);
            here.0.request_eject();
        }
        _ => {}
    }
    let mut here = Some(here);
    if restarts {
        again(&memory, &mut guest, &mut here);
    }
    let send = |_| {
        if restarts { twice(&memory, &mut guest, &mut here, cdb) } else { run(&mut guest, cdb) }
    };
    (0..3).map(send).collect()
}

#[test]
fn a_command_whose_answer_was_not_returned_is_answered_as_before() {
    for (cdb, prepare) in [
        (&[0; 6][..], "change"),
        (&[0x03, 0, 0, 0, 18, 0], "change"),
        (&[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0], "change"),
        (&EVENTS, "change"),
        (&CHANGES, "change"),
        (&EVENTS, "ask"),
        (&[0x1E, 0, 0, 0, 1, 0], ""),
        (&[0x1B, 0, 0, 0, 2, 0], ""),
        (&[0xBB, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], ""),
    ] {
        assert_eq!(story(cdb, prepare, true), story(cdb, prepare, false), "{cdb:x?}");
    }
}

/// QEMU takes memory away for a moment, and the first look at the ring comes just then.
#[test]
fn what_was_not_returned_is_answered_as_before_once_its_memory_is_there() {
    let memory = Arc::<Memory>::default();
    let here = started(&memory);
    let mut guest = here.1.guest(Options { request_queues: 3, ..Options::default() });
    settle(&mut guest);
    let far = guest.regions()[1];
    guest.move_ring(REQUESTS, far.guest_phys_addr + far.memory_size - 0x10_0000);
    here.0.change_medium(patterned(2, 300), false).unwrap();
    let pending = guest.begin(REQUESTS, &Command::new(&[0; 6], 0));
    let first = guest.finish(pending);
    assert_eq!(first.status, 2, "a unit attention");
    drop(here);
    guest.unreturn(REQUESTS);
    let next = started(&memory);
    guest.reconnect_disabled(&next.1.path());
    guest.frontend.remove_mem_region(&far).unwrap();
    (0..REQUESTS + 3).for_each(|ring| guest.enable_ring(ring, true));
    // Of the same worker, where there are two processors: it has looked at the first ring by then.
    assert_eq!(guest.command(REQUESTS + 2, &Command::new(&[0x12, 0, 0, 0, 36, 0], 36)).status, 0);
    guest.frontend.add_mem_region(&far).unwrap();
    assert_eq!(guest.finish(pending), first);
}

/// The late answer to a request to eject: carried out twice it would throw the new disc out.
#[test]
fn a_late_eject_does_not_take_the_new_disc() {
    for before in [false, true] {
        let memory = Arc::<Memory>::default();
        let here = started(&memory);
        let mut guest = here.1.guest(Options::default());
        settle(&mut guest);
        assert_eq!(run(&mut guest, &[0x1E, 0, 0, 0, 1, 0]).status, 0);
        here.0.request_eject();
        assert_eq!(run(&mut guest, &EVENTS).data[4], 1);
        here.0.change_medium(patterned(2, 300), true).unwrap();
        let mut here = Some(here);
        if before {
            again(&memory, &mut guest, &mut here);
        }
        while run(&mut guest, &[0; 6]).status != 0 {}
        let reply = twice(&memory, &mut guest, &mut here, &[0x1B, 0, 0, 0, 2, 0]);
        assert_eq!((reply.status, reply.sense[2], reply.sense[12]), (2, 6, 0x28));
        assert_eq!(here.unwrap().0.snapshot().tray, Tray::Closed);
    }
}

/// A driver that has begun anew may have another request at the place of one that was answered.
#[test]
fn another_request_at_the_same_place_is_carried_out() {
    let memory = Arc::<Memory>::default();
    let here = started(&memory);
    let mut guest = here.1.guest(Options::default());
    settle(&mut guest);
    here.0.change_medium(patterned(2, 300), false).unwrap();
    // Where the request will be.
    let at = guest.allocate(0);
    let pending = guest.begin(REQUESTS, &Command::new(&[0; 6], 64));
    assert_eq!(guest.finish(pending).status, 2);
    let mut here = Some(here);
    guest.unreturn(REQUESTS);
    // Its CDB.
    guest.write(at + 19, &[0x12, 0, 0, 0, 36, 0]);
    again(&memory, &mut guest, &mut here);
    let reply = guest.finish(pending);
    assert_eq!((reply.status, reply.data.len()), (0, 36));
}

/// Reads change nothing that must be kept, and cost nothing of it.
#[test]
fn reads_are_not_kept() {
    let memory = Arc::<Memory>::default();
    let here = started(&memory);
    let mut guest = here.1.guest(Options::default());
    settle(&mut guest);
    let before = memory.0.lock().unwrap().1;
    for lba in 0..100 {
        assert_eq!(run(&mut guest, &[0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0]).status, 0);
        run(&mut guest, &EVENTS);
        guest.free_all();
    }
    assert_eq!(memory.0.lock().unwrap().1, before);
    // Every change is, before the guest learns of it.
    assert_eq!(run(&mut guest, &[0x1E, 0, 0, 0, 1, 0]).status, 0);
    assert!(memory.0.lock().unwrap().1 > before);
}

/// With the first command of each second, whichever it is, and with no further one when it has been kept.
#[test]
fn what_could_not_be_kept_is_tried_again_and_not_with_every_command() {
    let (memory, clock) = (Arc::<Memory>::default(), ManualClock::new());
    let drive = Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _);
    let drive = drive.kept_by(Arc::clone(&memory) as _);
    drive.change_medium(patterned(1, 300), false).unwrap();
    let backend = Backend::serve(&[Arc::new(drive)]);
    let mut guest = backend.guest(Options::default());
    settle(&mut guest);
    let tries_of = |guest: &mut Guest, cdb: &[u8], times: u32| {
        let before = memory.0.lock().unwrap().1;
        for _ in 0..times {
            assert_eq!(run(guest, cdb).status, 0);
            guest.free_all();
        }
        memory.0.lock().unwrap().1 - before
    };
    const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0];
    memory.1.store(true, Ordering::SeqCst);
    assert_eq!(tries_of(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 1), 1);
    for _ in 0..3 {
        assert_eq!(tries_of(&mut guest, &READ, 20), 0, "a full disk costs every command");
        clock.advance(Duration::from_secs(1));
        assert_eq!(tries_of(&mut guest, &READ, 20), 1, "nobody tries again");
    }
    memory.1.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(1));
    assert_eq!(tries_of(&mut guest, &READ, 20), 1, "nobody tries again");
    clock.advance(Duration::from_secs(10));
    assert_eq!(tries_of(&mut guest, &READ, 20), 0, "what is kept is kept again");
    drop(backend);
    assert_eq!(started(&memory).0.snapshot().locked_by, [Nexus(0)]);
}

/// A driver that finds chains returned of which nobody told it any more waits for a call.
#[test]
fn a_ring_that_starts_is_called_for_what_was_returned_before() {
    let memory = Arc::<Memory>::default();
    let here = started(&memory);
    let mut guest = here.1.guest(Options::default());
    settle(&mut guest);
    drop(here);
    let next = started(&memory);
    guest.renew_calls();
    guest.reconnect(&next.1.path());
    guest.wait_for_call(REQUESTS);
}
