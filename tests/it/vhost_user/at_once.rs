//! Many commands that a guest makes available at once.

use std::sync::Arc;

use spindle::drive::{Drive, Identity, Tray};
use spindle::image::{OpenOptions, open_path};
use spindle::sys::copy::rescued;

use super::served;
use crate::support::backend::Backend;
use crate::support::disc::{self, block};
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply};

fn read(lba: u32) -> Vec<u8> {
    let [a, b, c, d] = lba.to_be_bytes();
    vec![0x28, 0, a, b, c, d, 0, 0, 1, 0]
}

/// Makes all commands available, and only then tells the device.
fn all_at_once(guest: &mut Guest, cdbs: &[Vec<u8>]) -> Vec<Reply> {
    guest.free_all();
    let pending: Vec<_> = cdbs.iter().map(|cdb| guest.begin_quietly(REQUESTS, &Command::new(cdb, 2048))).collect();
    guest.kick(REQUESTS);
    pending.into_iter().map(|pending| guest.finish(pending)).collect()
}

fn settle(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}

/// Status, sense key and additional sense.
fn sense(reply: &Reply) -> (u8, u8, u8) {
    (reply.status, reply.sense[2] & 0xF, reply.sense[12])
}

/// At each place among reads: what lies behind it is answered as it leaves the drive.
#[test]
fn a_command_between_reads_counts_for_those_behind_it() {
    let (drive, backend) = served();
    let mut guest = backend.guest(Options { ring_size: 256, ..Options::default() });
    settle(&mut guest);
    let stop_and_eject = vec![0x1B, 0, 0, 0, 2, 0];
    for place in 0..12 {
        let mut cdbs: Vec<_> = (0..12).map(read).collect();
        cdbs[place] = stop_and_eject.clone();
        let replies = all_at_once(&mut guest, &cdbs);
        assert_eq!(replies[place].status, 0);
        for (lba, reply) in replies.iter().enumerate().take(place) {
            assert_eq!(reply.data, block(1, lba as u32), "{lba} of {place}");
        }
        // One learns that the medium is gone, all others behind it that there is none.
        let behind: Vec<_> = replies[place + 1..].iter().map(sense).collect();
        for (at, sense) in behind.iter().enumerate() {
            assert_eq!(*sense, (2, if at == 0 { 6 } else { 2 }, 0x3A), "{at} behind {place}");
        }
        drive.close_tray();
        settle(&mut guest);
    }
}

/// READ SUB-CHANNEL says where the last read before it ended, and knows nothing of those behind it.
#[test]
fn the_head_is_where_the_last_read_left_it() {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let cd = disc::cd(1, &[&[(spindle::disc::TrackMode::Mode1, 300)]]);
    drive.change_medium(disc::of(cd), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options { ring_size: 256, ..Options::default() });
    settle(&mut guest);
    let position = vec![0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0];
    let places = [7_u32, 100, 30, 200, 5, 60];
    let cdbs: Vec<_> = places.iter().flat_map(|&lba| [read(lba), position.clone()]).collect();
    for (pair, lba) in all_at_once(&mut guest, &cdbs).chunks(2).zip(places) {
        assert_eq!(pair[0].data, block(1, lba));
        assert_eq!(pair[1].data[8..12], (lba + 1).to_be_bytes(), "behind a read of {lba}");
    }
}

/// A file that was cut off since: who was to be given a block from the mapping learns that it is lost, the others get theirs.
#[test]
fn what_cannot_be_copied_after_all_is_read() {
    const BLOCKS: u32 = 64;
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), (0..BLOCKS).flat_map(|lba| block(3, lba)).collect::<Vec<_>>()).unwrap();
    let opened = open_path(image.path(), &OpenOptions::default()).unwrap();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    drive.change_medium(disc::of(opened.disc), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options { ring_size: 256, ..Options::default() });
    settle(&mut guest);
    let cdbs: Vec<_> = (0..BLOCKS).map(|at| read(at * 37 % BLOCKS)).collect();
    for _ in 0..2 {
        for (at, reply) in (0..).zip(all_at_once(&mut guest, &cdbs)) {
            assert_eq!(reply.data, block(3, at * 37 % BLOCKS));
        }
    }
    let before = rescued();
    image.as_file().set_len(u64::from(BLOCKS / 2) * 2048).unwrap();
    for (at, reply) in (0..).zip(all_at_once(&mut guest, &cdbs)) {
        let lba = at * 37 % BLOCKS;
        if lba < BLOCKS / 2 {
            assert_eq!(reply.data, block(3, lba));
        } else {
            assert_eq!(sense(&reply), (2, 3, 0x11), "block {lba}");
            assert_eq!(reply.sense[3..7], lba.to_be_bytes());
        }
    }
    assert!(rescued() > before, "nothing was copied from the mapping");
}
