//! Faults that somebody asked for: errors of blocks, delays, a medium that disappears, a stuck tray.

use std::sync::Arc;
use std::time::Duration;

use spindle::disc::{Lba, TrackMode};
use spindle::drive::{ALL_BLOCKS, Drive, EjectRefused, Fault, FaultKind, Identity, Tray};

use crate::support::backend::Backend;
use crate::support::clock::ManualClock;
use crate::support::disc::{block, cd, of, patterned};
use crate::support::guest::{Command, Options, REQUESTS};
use crate::support::initiator::{Answer, Initiator};

fn fault(kind: FaultKind, first: i32, last: i32) -> Fault {
    Fault { kind, blocks: (Lba(first), Lba(last)) }
}

fn read(guest: &Initiator, lba: u32, blocks: u16) -> Answer {
    let ([a, b, c, d], [high, low]) = (lba.to_be_bytes(), blocks.to_be_bytes());
    guest.run(&[0x28, 0, a, b, c, d, 0, high, low, 0], usize::from(blocks) * 2048)
}

/// 03/11/00, VALID, and the address.
fn is_unreadable(answer: &Answer, lba: u32) {
    assert_eq!((answer.status, answer.kaq(), answer.sense[0]), (2, (3, 0x11, 0), 0xF0));
    assert_eq!(answer.sense[3..7], lba.to_be_bytes());
}

#[test]
fn blocks_with_a_read_error_are_named_and_those_before_them_given() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    let number = drive.add_fault(fault(FaultKind::ReadError, 100, 102)).unwrap();
    drive.add_fault(fault(FaultKind::ReadError, 101, 200)).unwrap();
    let answer = read(&guest, 97, 8);
    is_unreadable(&answer, 100);
    assert_eq!(answer.data, [block(1, 97), block(1, 98), block(1, 99)].concat());
    is_unreadable(&read(&guest, 100, 1), 100);
    assert_eq!(read(&guest, 99, 1).good(), block(1, 99));
    assert_eq!(read(&guest, 201, 1).good(), block(1, 201));
    // VERIFY (10).
    is_unreadable(&guest.run(&[0x2F, 0, 0, 0, 0, 90, 0, 0, 20, 0], 0), 100);
    assert_eq!(drive.clear_faults(Some(number)), 1);
    is_unreadable(&read(&guest, 97, 8), 101);
    assert_eq!((drive.clear_faults(Some(number)), drive.clear_faults(None)), (0, 1));
    assert_eq!(read(&guest, 97, 8).good().len(), 8 * 2048);
}

#[test]
fn sound_can_have_read_errors_too() {
    let (drive, guest) = Initiator::with(of(cd(1, &[&[(TrackMode::Audio, 400)]])));
    drive.add_fault(fault(FaultKind::ReadError, 12, 12)).unwrap();
    let read_cd = |lba: u8| guest.run(&[0xBE, 0, 0, 0, 0, lba, 0, 0, 4, 0x10, 0, 0], 4 * 2352);
    let answer = read_cd(10);
    is_unreadable(&answer, 12);
    assert_eq!(answer.data.len(), 2 * 2352);
    assert_eq!(read_cd(13).good().len(), 4 * 2352);
}

#[test]
fn a_delay_is_added_while_a_guest_is_connected_and_holds_its_blocks_alone() {
    let clock = ManualClock::new();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed).by_clock(Arc::clone(&clock) as _));
    drive.change_medium(patterned(1, 300), false).unwrap();
    let backend = Backend::serve(&[Arc::clone(&drive)]);
    let mut guest = backend.guest(Options { request_queues: 2, ..Options::default() });
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    let read = |lba: u8| [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
    drive.add_fault(fault(FaultKind::Delay(Duration::from_secs(3)), 50, 60)).unwrap();
    drive.add_fault(fault(FaultKind::Delay(Duration::from_secs(2)), 60, 70)).unwrap();
    for (lba, seconds) in [(50, 3), (60, 5), (70, 2)] {
        let pending = guest.begin(REQUESTS, &Command::new(&read(lba), 2048));
        assert_eq!(clock.wait_for_alarm(), Duration::from_secs(seconds));
        // Other rings go on, other blocks too.
        assert_eq!(guest.command(REQUESTS + 1, &Command::new(&read(71), 2048)).data, block(1, 71));
        assert_eq!(guest.poll(REQUESTS), None);
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(guest.finish(pending).data, block(1, lba.into()));
    }
    drive.clear_faults(None);
    assert_eq!(guest.command(REQUESTS, &Command::new(&read(60), 2048)).data, block(1, 60));
    assert_eq!(clock.next(), None);
}

#[test]
fn a_medium_disappears_when_a_block_is_read_or_at_once_and_the_guest_learns_of_it() {
    for by_block in [true, false] {
        let (drive, guest) = Initiator::with(patterned(1, 300));
        guest.run(&[0x1E, 0, 0, 0, 1, 0], 0).good();
        if by_block {
            drive.add_fault(fault(FaultKind::MediumGone, 200, 200)).unwrap();
            read(&guest, 190, 10).good();
            let answer = read(&guest, 190, 11);
            assert_eq!((answer.kaq(), answer.data.len()), ((2, 0x3A, 1), 0));
            assert_eq!(drive.faults(), []);
        } else {
            drive.lose_medium();
        }
        assert_eq!((drive.snapshot().tray, drive.snapshot().medium.is_none()), (Tray::Closed, true));
        // MEDIUM REMOVED, then not present; and the event.
        assert_eq!(guest.run(&[0; 6], 0).kaq(), (6, 0x3A, 0));
        assert_eq!(guest.run(&[0; 6], 0).kaq(), (2, 0x3A, 1));
        assert_eq!(guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF, 3);
        // The next disc is like any other.
        drive.change_medium(patterned(2, 300), false).unwrap();
        guest.settle();
        assert_eq!(read(&guest, 200, 1).good(), block(2, 200));
    }
}

#[test]
fn a_stuck_tray_opens_for_nobody_until_it_is_free() {
    let (drive, guest) = Initiator::with(patterned(1, 300));
    drive.add_fault(Fault { kind: FaultKind::TrayStuck, blocks: ALL_BLOCKS }).unwrap();
    // START STOP UNIT and LOAD/UNLOAD MEDIUM.
    assert_eq!(guest.run(&[0x1B, 0, 0, 0, 2, 0], 0).kaq(), (4, 0x53, 0));
    assert_eq!(guest.run(&[0xA6, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], 0).kaq(), (4, 0x53, 0));
    for force in [false, true] {
        assert_eq!(drive.open_tray(force), Err(EjectRefused::Stuck));
        assert_eq!(drive.change_medium(patterned(2, 10), force), Err(EjectRefused::Stuck));
    }
    assert_eq!(drive.snapshot().tray, Tray::Closed);
    assert_eq!(read(&guest, 5, 1).good(), block(1, 5));
    // Empty, it is stuck all the same.
    drive.lose_medium();
    assert_eq!(drive.change_medium(patterned(2, 10), true), Err(EjectRefused::Stuck));
    drive.clear_faults(None);
    drive.change_medium(patterned(2, 10), false).unwrap();
    guest.settle();
    guest.run(&[0x1B, 0, 0, 0, 2, 0], 0).good();
    assert_eq!(drive.snapshot().tray, Tray::Open);
}

#[test]
fn a_drive_has_64_faults_and_no_more() {
    let (drive, _guest) = Initiator::fresh();
    let numbers: Vec<_> = (0..64).map(|at| drive.add_fault(fault(FaultKind::ReadError, at, at)).unwrap()).collect();
    assert!(drive.add_fault(fault(FaultKind::ReadError, 0, 0)).is_err());
    assert_eq!(drive.faults().iter().map(|(number, _)| *number).collect::<Vec<_>>(), numbers);
    drive.clear_faults(Some(numbers[5]));
    assert_eq!(drive.add_fault(fault(FaultKind::ReadError, 0, 0)), Ok(numbers[63] + 1));
}
