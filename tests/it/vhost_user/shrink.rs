//! An image file that is cut off while a guest reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use spindle::drive::{Drive, Identity, Tray};
use spindle::image::{OpenOptions, open_path};
use spindle::sys::copy::rescued;
use tempfile::NamedTempFile;

use crate::support::backend::Backend;
use crate::support::disc::{self, block};
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply, lun};

const BLOCKS: u32 = 4000;
/// Blocks of a READ: few, and more than go in one stream.
const COUNTS: [u32; 2] = [2, 25];

fn drive(seed: u32) -> (NamedTempFile, Arc<Drive>) {
    let image = NamedTempFile::new().unwrap();
    fill(&image, seed);
    let opened = open_path(image.path(), &OpenOptions::default()).unwrap();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    drive.change_medium(disc::of(opened.disc), false).unwrap();
    (image, drive)
}

fn fill(image: &NamedTempFile, seed: u32) {
    std::fs::write(image.path(), (0..BLOCKS).flat_map(|lba| block(seed, lba)).collect::<Vec<_>>()).unwrap();
}

fn read(guest: &mut Guest, unit: u16, lba: u32, count: u32) -> Reply {
    guest.free_all();
    let [a, b, c, d] = lba.to_be_bytes();
    let cdb = [0x28, 0, a, b, c, d, 0, 0, count as u8, 0];
    let command = Command { lun: lun(unit), ..Command::new(&cdb, count as usize * 2048) };
    guest.command(REQUESTS, &command)
}

/// The blocks before the first that is missing, and MEDIUM ERROR for that one. Returns which it was.
fn check(reply: &Reply, seed: u32, lba: u32) -> Option<u32> {
    let count = (reply.data.len() / 2048) as u32;
    let lost = if reply.status == 0 {
        None
    } else {
        assert_eq!((reply.status, reply.sense[2] & 0xF, &reply.sense[12..14]), (2, 3, &[0x11, 0][..]));
        Some(u32::from_be_bytes(reply.sense[3..7].try_into().unwrap()))
    };
    let given = lost.map_or(count, |lost| lost - lba);
    for at in 0..given {
        assert_eq!(reply.data[at as usize * 2048..][..2048], block(seed, lba + at), "block {}", lba + at);
    }
    lost
}

#[test]
fn a_file_cut_off_under_load_loses_the_missing_blocks_and_nothing_else() {
    let (image, first) = drive(1);
    let (_other_image, second) = drive(2);
    let backend = Backend::serve(&[first, second]);
    let mut guest = backend.guest(Options::default());
    for unit in [0, 1] {
        while guest.command(REQUESTS, &Command { lun: lun(unit), ..Command::new(&[0; 6], 0) }).status != 0 {}
    }
    // In a page's middle, at its end, inside a block.
    let lefts = [3001 * 2048, 2000 * 2048, 1001 * 2048 + 100];
    for (count, left) in COUNTS.into_iter().flat_map(|count| lefts.map(|left| (count, left))) {
        // Where the system took pages back meanwhile, or a fault had to wait, the drive reads the file again and none is
        // rescued: rare, so it is not rare many times.
        assert!(
            (0..20).any(|_| cut_off(&mut guest, &image, left, count)),
            "the mapping was not read by {count} blocks when {left} bytes were left"
        );
    }
}

/// Reads everything, cuts the first drive's file to `left` bytes under load, and checks what is left of it. Whether a fault of the
/// mapping was rescued; the file is whole again.
fn cut_off(guest: &mut Guest, image: &NamedTempFile, left: u64, count: u32) -> bool {
    let blocks = (left / 2048) as u32;
    // From the file, then from the mapping.
    let places = || (0..BLOCKS).step_by(count as usize);
    for lba in places().chain(places()) {
        assert_eq!(check(&read(guest, 0, lba, count), 1, lba), None);
    }
    let before = rescued();
    let cut = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            image.as_file().set_len(left).unwrap();
            cut.store(true, Ordering::SeqCst);
        });
        // Whatever is read meanwhile is right, or named as missing and is.
        let mut lba = 0;
        while !cut.load(Ordering::SeqCst) {
            if let Some(lost) = check(&read(guest, 0, lba, count), 1, lba) {
                assert_eq!(lost, lba.max(blocks));
            }
            assert_eq!(check(&read(guest, 1, lba, count), 2, lba), None);
            lba = (lba + 613) % (BLOCKS - count);
        }
    });
    for lba in places() {
        let missing = (lba + count > blocks).then_some(lba.max(blocks));
        assert_eq!(check(&read(guest, 0, lba, count), 1, lba), missing);
        assert_eq!(check(&read(guest, 1, lba, count), 2, lba), None);
    }
    fill(image, 1);
    rescued() > before
}
