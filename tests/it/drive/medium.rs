//! START STOP UNIT, LOAD/UNLOAD MEDIUM, PREVENT ALLOW MEDIUM REMOVAL.

use std::sync::{Arc, Mutex};

use spindle::drive::{Drive, DriveEvent, EjectRefused, Listener, Tray};
use spindle::scsi::{LogicalUnit, Reset};

use crate::support::disc::{block, patterned};
use crate::support::initiator::Initiator;

fn start_stop(byte: u8) -> [u8; 6] {
    [0x1B, 0, 0, 0, byte, 0]
}

fn load_unload(byte: u8, slot: u8) -> [u8; 12] {
    [0xA6, 0, 0, 0, byte, 0, 0, 0, slot, 0, 0, 0]
}

fn prevent(bits: u8) -> [u8; 6] {
    [0x1E, 0, 0, 0, bits, 0]
}

const EJECT: u8 = 0x02;
const LOAD: u8 = 0x03;

#[test]
fn loej_moves_the_tray_with_or_without_immed() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    for immed in [0, 1] {
        let (mut eject, mut load) = (start_stop(EJECT), start_stop(LOAD));
        (eject[1], load[1]) = (immed, immed);
        for _ in 0..2 {
            guest.run(&eject, 0).good();
            assert_eq!(drive.snapshot().tray, Tray::Open);
            guest.settle();
        }
        assert!(drive.snapshot().medium.is_some(), "the medium lies in the tray");
        guest.run(&load, 0).good();
        assert_eq!(drive.snapshot().tray, Tray::Closed);
        assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x28, 0));
    }
    guest.run(&load_unload(EJECT, 0), 0).good();
    assert_eq!(drive.snapshot().tray, Tray::Open);
    guest.settle();
    guest.run(&load_unload(LOAD, 0), 0).good();
    assert_eq!(drive.snapshot().tray, Tray::Closed);
}

#[test]
fn power_conditions_are_accepted_and_move_nothing() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    for condition in 0..=15_u8 {
        let answer = guest.run(&start_stop(condition << 4 | if condition == 0 { 0 } else { EJECT }), 0);
        if matches!(condition, 0 | 1 | 2 | 3 | 5) {
            assert_eq!(answer.status, 0, "{condition}");
        } else {
            assert_eq!((answer.kaq(), &answer.sense[15..18]), ((5, 0x24, 0), &[0xCF, 0, 4][..]), "{condition}");
        }
        assert_eq!(drive.snapshot().tray, Tray::Closed);
        guest.run(&[0; 6], 0).good();
    }
}

#[test]
fn start_needs_a_medium_and_there_is_one_slot() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    guest.run(&start_stop(1), 0).good();
    guest.run(&load_unload(1, 0), 0).good();
    assert_eq!(guest.run(&load_unload(EJECT, 1), 0).sense[15..18], [0xC0, 0, 8]);
    drive.open_tray(false).unwrap();
    guest.settle();
    assert_eq!(guest.run(&start_stop(1), 0).kaq(), (2, 0x3A, 2));
    assert_eq!(guest.run(&load_unload(1, 0), 0).kaq(), (2, 0x3A, 2));
}

#[test]
fn a_lock_of_any_nexus_refuses_an_eject_by_every_nexus() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    let other = guest.other(7);
    other.settle();
    other.run(&prevent(1), 0).good();
    for cdb in [&start_stop(EJECT)[..], &load_unload(EJECT, 0)] {
        assert_eq!(guest.run(cdb, 0).kaq(), (5, 0x53, 2));
        assert_eq!(other.run(cdb, 0).kaq(), (5, 0x53, 2));
    }
    assert_eq!(drive.open_tray(false), Err(EjectRefused::Locked(vec![other.nexus])));
    guest.run(&prevent(0), 0).good();
    assert_eq!(guest.run(&start_stop(EJECT), 0).kaq(), (5, 0x53, 2), "only its holder takes a lock back");
    other.run(&prevent(0), 0).good();
    guest.run(&start_stop(EJECT), 0).good();
}

#[test]
fn an_eject_from_a_locked_empty_tray_is_not_ready() {
    let (_drive, guest) = Initiator::fresh();
    guest.settle();
    guest.run(&prevent(1), 0).good();
    assert_eq!(guest.run(&start_stop(EJECT), 0).kaq(), (2, 0x53, 2));
}

#[test]
fn a_lock_on_an_empty_tray_lets_a_medium_in_and_then_holds_it() {
    let (drive, guest) = Initiator::fresh();
    guest.settle();
    guest.run(&prevent(1), 0).good();
    drive.change_medium(patterned(1, 300), false).unwrap();
    assert!(drive.change_medium(patterned(2, 300), false).is_err());
    assert_eq!(drive.snapshot().locked_by, [guest.nexus]);
}

#[test]
fn a_persistent_prevent_keeps_persons_out_and_obeys_the_initiator() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    guest.run(&prevent(3), 0).good();
    guest.run(&prevent(0), 0).good();
    assert!(drive.open_tray(false).is_err(), "00b leaves the persistent state alone");
    guest.run(&start_stop(EJECT), 0).good();
    guest.settle();
    guest.run(&start_stop(LOAD), 0).good();
    assert!(drive.open_tray(false).is_err(), "and it holds the next medium too");
    drive.reset(Reset::NexusLoss(guest.nexus));
    assert!(drive.open_tray(false).is_err(), "nor does a lost nexus end it");
    guest.settle();
    guest.run(&prevent(2), 0).good();
    drive.open_tray(false).unwrap();
}

#[test]
fn a_reset_unlocks_and_so_does_the_loss_of_the_nexus_for_a_plain_lock() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    for (bits, kind) in
        [(3, Reset::PowerOn), (3, Reset::LogicalUnit), (1, Reset::PowerOn), (1, Reset::NexusLoss(guest.nexus))]
    {
        guest.run(&prevent(bits), 0).good();
        assert!(drive.open_tray(false).is_err());
        drive.reset(kind);
        drive.open_tray(false).unwrap();
        drive.close_tray();
        guest.settle();
    }
}

#[test]
fn a_host_eject_by_force_takes_every_lock_away() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    let other = guest.other(7);
    other.settle();
    guest.run(&prevent(1), 0).good();
    other.run(&prevent(3), 0).good();
    drive.open_tray(true).unwrap();
    drive.close_tray();
    drive.open_tray(false).unwrap();
}

#[test]
fn an_eject_request_reaches_who_holds_the_lock() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    let other = guest.other(7);
    other.settle();
    guest.run(&prevent(1), 0).good();
    drive.request_eject();
    let event = |guest: &Initiator| guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4..6].to_vec();
    assert_eq!((event(&guest), event(&guest), event(&other)), (vec![1, 2], vec![0, 2], vec![0, 2]));
}

#[test]
fn a_medium_that_went_out_and_in_reads_again_and_loading_twice_is_no_change() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    guest.run(&start_stop(EJECT), 0).good();
    guest.settle();
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (2, 0x3A, 2));
    guest.run(&start_stop(LOAD), 0).good();
    assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x28, 0));
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0], 2048).good(), block(1, 7));
    guest.run(&start_stop(LOAD), 0).good();
    guest.run(&load_unload(LOAD, 0), 0).good();
    assert_eq!(guest.run(&[0; 6], 0).status, 0);
}

#[test]
fn stopping_needs_no_medium_and_a_stopped_drive_reads() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    guest.run(&start_stop(0), 0).good();
    guest.run(&load_unload(0, 0), 0).good();
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0], 2048).good(), block(1, 7));
    drive.open_tray(false).unwrap();
    guest.settle();
    guest.run(&start_stop(0), 0).good();
    guest.run(&load_unload(0, 0), 0).good();
}

/// Closes the tray as soon as it hears that it opened.
struct Closer;

impl Listener for Closer {
    fn drive_event(&self, drive: &Drive, event: &DriveEvent) {
        if matches!(event, DriveEvent::TrayMoved { open: true }) {
            drive.close_tray();
        }
    }
}

#[derive(Default)]
struct Trays(Mutex<Vec<bool>>);

impl Listener for Trays {
    fn drive_event(&self, _: &Drive, event: &DriveEvent) {
        if let DriveEvent::TrayMoved { open } = event {
            self.0.lock().unwrap().push(*open);
        }
    }
}

#[test]
fn listeners_hear_of_changes_in_their_order_even_when_one_makes_the_next_change() {
    let (drive, _guest) = Initiator::with(patterned(1, 300));
    let trays = Arc::new(Trays::default());
    drive.listen(Arc::new(Closer));
    drive.listen(Arc::clone(&trays) as Arc<dyn Listener>);
    drive.open_tray(false).unwrap();
    assert_eq!(*trays.0.lock().unwrap(), [true, false]);
}

#[test]
fn listeners_hear_of_changes_of_several_threads_in_their_order() {
    let (drive, _guest) = Initiator::with(patterned(1, 300));
    let trays = Arc::new(Trays::default());
    drive.listen(Arc::clone(&trays) as Arc<dyn Listener>);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..2000).for_each(|_| drive.open_tray(false).unwrap()));
        scope.spawn(|| (0..2000).for_each(|_| drive.close_tray()));
    });
    let heard = trays.0.lock().unwrap();
    // The tray cannot move twice in the same direction, and it began closed.
    assert!(heard.iter().zip([true, false].into_iter().cycle()).all(|(heard, expected)| *heard == expected));
    assert_eq!(heard.len() % 2 == 1, drive.snapshot().tray == Tray::Open);
}
