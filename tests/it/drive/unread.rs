//! Discs on storage that may not answer, where it fails in time: the thread that fetched finds that out, and no ring waits for it again.

use std::sync::Arc;

use spindle::drive::Behaviours;

use super::fetch::hurried;
use crate::support::clock::ManualClock;
use crate::support::disc::{block, remote};
use crate::support::failing::{failing_blocks, failing_sectors, failing_sub_channel};
use crate::support::initiator::Initiator;

const BAD: u32 = 21;
const ROOM: usize = 16 * 2352;

/// The same as on a local disc; how often the fetching thread asks for the bad block, a run and then a block at a time, or sector by sector.
#[test]
fn a_failure_is_told_by_who_found_it_and_asked_for_again_by_the_next_command() {
    let read_10: &[u8] = &[0x28, 0, 0, 0, 0, 16, 0, 0, 16, 0];
    let read_12: &[u8] = &[0xA8, 0, 0, 0, 0, 21, 0, 0, 0, 3, 0, 0];
    let verify: &[u8] = &[0x2F, 0, 0, 0, 0, 16, 0, 0, 16, 0];
    let header: &[u8] = &[0x44, 0, 0, 0, 0, 21, 0, 0, 8, 0];
    let read_cd: &[u8] = &[0xBE, 0, 0, 0, 0, 16, 0, 0, 16, 0xF8, 0, 0];
    let edc = Behaviours { edc_errors: true, ..Behaviours::default() };
    let none = Behaviours::default();
    let blocks = || failing_blocks(64, BAD);
    let sectors = || failing_sectors(64, BAD);
    let all: [(&[u8], Behaviours, bool, usize); 9] = [
        (read_10, none, true, 2),
        (read_10, edc, true, 1),
        (read_12, none, true, 2),
        (verify, none, true, 2),
        (verify, edc, true, 1),
        (header, none, true, 1),
        (read_cd, none, true, 1),
        (read_cd, none, false, 1),
        (read_cd, edc, false, 1),
    ];
    for (cdb, behaviours, as_blocks, asked) in all {
        let disc = || if as_blocks { blocks() } else { sectors() };
        let in_drive = |medium| {
            let drive = hurried(ManualClock::new()).behaving(behaviours);
            drive.change_medium(medium, false).unwrap();
            let guest = Initiator::of(Arc::new(drive));
            guest.settle();
            guest
        };
        let local = in_drive(disc().1).run(cdb, ROOM);
        assert_eq!((local.kaq(), &local.sense[3..7]), ((3, 0x11, 0), &BAD.to_be_bytes()[..]), "{cdb:02x?}");
        let (storage, medium) = disc();
        let guest = in_drive(remote(medium));
        storage.take_reads();
        for round in 0..2 {
            assert_eq!(guest.run(cdb, ROOM), local, "{cdb:02x?}, {round}");
            assert_eq!(storage.take_reads().1, asked, "{cdb:02x?}, {round}");
        }
        storage.heal();
        assert_eq!(guest.run(cdb, ROOM).status, 0, "{cdb:02x?}");
    }
}

/// A command whose buffer has no room for a block reads nothing, so nobody is told what was fetched for it.
#[test]
fn a_failure_that_was_told_to_nobody_is_not_told_once_the_storage_is_sound() {
    let (storage, medium) = failing_blocks(64, BAD);
    let drive = hurried(ManualClock::new());
    drive.change_medium(remote(medium), false).unwrap();
    let guest = Initiator::of(Arc::new(drive));
    guest.settle();
    let read = [0x28, 0, 0, 0, 0, BAD as u8, 0, 0, 1, 0];
    assert_eq!(guest.run(&read, 2000).data.len(), 0);
    assert!(storage.take_reads().1 > 0, "nothing was fetched");
    storage.heal();
    assert_eq!(guest.run(&read, 2048).good(), block(1, BAD));
}

/// Its buffer ends before the bad block.
#[test]
fn a_failure_behind_what_a_command_has_room_for_is_none_of_its() {
    let (_, medium) = failing_blocks(64, BAD);
    let drive = hurried(ManualClock::new());
    drive.change_medium(remote(medium), false).unwrap();
    let guest = Initiator::of(Arc::new(drive));
    guest.settle();
    let answer = guest.run(&[0x28, 0, 0, 0, 0, 16, 0, 0, 16, 0], 5 * 2048);
    assert_eq!((answer.status, answer.overrun), (0, true));
    assert_eq!(answer.data, (16..21).flat_map(|lba| block(1, lba)).collect::<Vec<_>>());
}

/// It is looked for past a sector that cannot be read, by who fetches alone.
#[test]
fn a_code_in_the_sub_channel_is_told_by_who_found_it() {
    const MCN: &[u8; 13] = b"4012345678901";
    const ISRC: &[u8; 12] = b"DEABC2612345";
    let (storage, medium) = failing_sub_channel(MCN, ISRC, BAD);
    let drive = hurried(ManualClock::new());
    drive.change_medium(remote(medium), false).unwrap();
    let guest = Initiator::of(Arc::new(drive));
    guest.settle();
    storage.take_reads();
    for (format, code) in [(2, &MCN[..]), (3, &ISRC[..])] {
        let answer = guest.run(&[0x42, 0, 0x40, format, 0, 0, 1, 0, 24, 0], 24).good();
        assert_eq!((answer[8], &answer[9..][..code.len()]), (0x80, code), "{format}");
        assert_eq!(storage.take_reads().1, 1, "{format}");
    }
}
