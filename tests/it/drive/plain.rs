//! Reads that look as if they took nothing but a copy, and must not be treated so.

use std::sync::Arc;

use spindle::disc::TrackMode::{Audio, Mode1};
use spindle::drive::{Behaviours, Drive, Identity, Tray};
use spindle::image::{OpenOptions, open_path};

use crate::support::disc::{block, cd, of, patterned};
use crate::support::initiator::Initiator;

#[test]
fn an_aca_condition_is_refused_with_room_for_everything() {
    let (_drive, guest) = Initiator::with(patterned(1, 300));
    for cdb in [&[0x28, 0, 0, 0, 0, 5, 0, 0, 1, 4][..], &[0xA8, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 4]] {
        let answer = guest.run(cdb, 2048);
        assert_eq!((answer.kaq(), answer.data.len()), ((5, 0x24, 0), 0), "{cdb:02x?}");
    }
}

#[test]
fn a_play_ends_when_data_are_read() {
    let (_drive, guest) = Initiator::with(of(cd(1, &[&[(Mode1, 300), (Audio, 3000)]])));
    let status = || guest.run(&[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16).good()[1];
    assert_eq!(guest.run(&[0x45, 0, 0, 0, 1, 0x2C, 0, 0x0B, 0xB8, 0], 0).status, 0);
    assert_eq!(status(), 0x11, "plays");
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0], 2048).good(), block(1, 7));
    assert_eq!(status(), 0x15, "no play");
}

/// Sectors of 2,352 bytes: what lies between their user data is none.
#[test]
fn blocks_with_gaps_come_without_them() {
    let mut disc = cd(1, &[&[(Mode1, 300)]]);
    let extent = &mut disc.sessions[0].tracks[0].extents[0];
    (extent.stride, extent.stored) = (2352, 0..2352);
    let medium = of(disc);
    let mut stored = vec![0; 4 * 2048];
    medium.disc.read_blocks(spindle::disc::Lba(9), &mut stored).unwrap();
    let (_drive, guest) = Initiator::with(medium);
    assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 9, 0, 0, 4, 0], 4 * 2048).good(), stored);
}

/// Of a file that was read before, so that it could be copied.
#[test]
fn a_block_that_is_marked_as_lost_is_looked_for_each_time() {
    let image = tempfile::NamedTempFile::new().unwrap();
    let mut content: Vec<u8> = (0..64).flat_map(|lba| block(1, lba)).collect();
    content[9 * 2048..][..30].copy_from_slice(b"dvdisaster dead sector marker\n");
    content[10 * 2048 - 36..][..36].copy_from_slice(b"dvdisaster dead sector end marker\n\0\0");
    std::fs::write(image.path(), content).unwrap();
    let disc = open_path(image.path(), &OpenOptions::default()).unwrap().disc;
    let behaviours: Behaviours = "edc-errors".parse().unwrap();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed).behaving(behaviours));
    drive.change_medium(of(disc), false).unwrap();
    let guest = Initiator::of(drive);
    guest.settle();
    for _ in 0..3 {
        assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 8, 0, 0, 1, 0], 2048).good(), block(1, 8));
        assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], 2048).kaq(), (3, 0x11, 0));
    }
}
