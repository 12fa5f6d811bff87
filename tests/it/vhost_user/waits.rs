//! Requests whose data are not in memory: they wait side by side.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use spindle::drive::{Drive, Identity, Tray};
use spindle::image::{OpenOptions, open_source};
use spindle::source::{Block, BlockCache, BlockSource, Blocks, ByteSource};

use crate::support::backend::Backend;
use crate::support::disc::{self, Patterned, block};
use crate::support::guest::{Command, Options, REQUESTS};

/// Sectors of a block: so many that blocks are not decoded in groups.
const SECTORS: u32 = 64;
const BLOCKS: u32 = 100;
/// A test that would wait longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Blocks of which each is decoded only when another is, too, once that is wanted.
#[derive(Debug, Default)]
struct Together {
    wanted: AtomicBool,
    /// Decoding now; at most at once so far.
    count: Mutex<(u32, u32)>,
    changed: Condvar,
}

impl Blocks for Together {
    fn total_len(&self) -> u64 {
        u64::from(BLOCKS * SECTORS) * 2048
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let len = SECTORS * 2048;
        let index = offset / u64::from(len);
        Ok(Block { index, start: index * u64::from(len), len })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        if self.wanted.load(Ordering::SeqCst) {
            let mut count = self.count.lock().unwrap();
            count.0 += 1;
            count.1 = count.1.max(count.0);
            self.changed.notify_all();
            let alone = |count: &mut (u32, u32)| count.1 < 2;
            let (mut count, _) = self.changed.wait_timeout_while(count, PATIENCE, alone).unwrap();
            count.0 -= 1;
        }
        Patterned { seed: 1, blocks: BLOCKS * SECTORS }.read_exact_at(out, block.start)
    }
}

#[test]
fn requests_that_wait_are_decoded_side_by_side_and_return_in_order() {
    let blocks = Arc::new(Together::default());
    let source = BlockSource::new(Arc::clone(&blocks) as _, BlockCache::new(64 << 20));
    let opened = open_source(Arc::new(source), &OpenOptions::default()).unwrap();
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    drive.change_medium(disc::of(opened.disc), false).unwrap();
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}

    let cdb = |lba: u32| {
        let [a, b, c, d] = lba.to_be_bytes();
        [0x28, 0, a, b, c, d, 0, 0, 1, 0]
    };
    // The first wait tells that there may be others.
    let first = 20 * SECTORS;
    assert_eq!(guest.command(REQUESTS, &Command::new(&cdb(first), 2048)).data, block(1, first));
    blocks.wanted.store(true, Ordering::SeqCst);
    let places = [90, 50, 70, 40].map(|block| block * SECTORS + 3);
    let pending = places.map(|lba| guest.begin_quietly(REQUESTS, &Command::new(&cdb(lba), 2048)));
    guest.kick(REQUESTS);
    for (lba, pending) in places.into_iter().zip(pending) {
        assert_eq!(guest.finish(pending).data, block(1, lba));
    }
    assert!(blocks.count.lock().unwrap().1 >= 2, "each was decoded alone");
}
