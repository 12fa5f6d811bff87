//! The memory of the cache of decoded blocks.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use spindle::source::{Block, BlockCache, BlockSource, Blocks, ByteSource};
use spindle::sys::counting::peak_of;

const BLOCK: u32 = 64 << 10;
const BLOCKS: u64 = 2000;

/// Blocks that cost nothing but their bytes, each [`BLOCK`] or a part of it. Short ones are kept in groups where they are read so.
#[derive(Debug)]
struct Numbered {
    len: u32,
}

impl Blocks for Numbered {
    fn total_len(&self) -> u64 {
        BLOCKS * u64::from(BLOCK)
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(self.len);
        Ok(Block { index, start: index * u64::from(self.len), len: self.len })
    }

    fn even(&self) -> Option<u32> {
        Some(self.len)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        out.fill((block.start / u64::from(BLOCK)) as u8);
        Ok(())
    }
}

/// Whatever is read by however many, with any number of threads that decode ahead.
pub fn stays_within_its_size() {
    for len in [BLOCK, 2048] {
        for capacity in [0, 1 << 20, 8 << 20] {
            for workers in [0, 1, 4, 8] {
                stays_within(len, capacity, workers);
            }
        }
    }
    println!("test the_cache_stays_within_its_size ... ok");
}

/// Threads that decode ahead end after their cache, and may have a piece in their hands until then.
fn wait_for_threads() {
    let began = Instant::now();
    while std::fs::read_dir("/proc/self/task").unwrap().count() > 1 {
        assert!(began.elapsed() < Duration::from_secs(60), "threads of a cache stay behind");
        thread::yield_now();
    }
}

fn stays_within(len: u32, capacity: usize, workers: usize) {
    const READERS: u64 = 4;
    wait_for_threads();
    let peak = peak_of(|| {
        let cache = BlockCache::with_workers(capacity, workers);
        let source = || BlockSource::new(Arc::new(Numbered { len }), Arc::clone(&cache));
        let sources: [_; 2] = std::array::from_fn(|_| source());
        thread::scope(|scope| {
            for reader in 0..READERS {
                let source = &sources[reader as usize % 2];
                scope.spawn(move || read(source, reader));
            }
        });
    });
    // A piece in the hands of each reader; threads and their names; what stands beside the bytes of each block.
    let beside = capacity / len as usize * 256;
    let most = capacity + READERS as usize * BLOCK as usize + (256 << 10) + beside;
    assert!(peak < most, "{peak} bytes with a cache of {capacity} for blocks of {len}, {workers} threads");
    // It is used, too.
    assert!(peak > capacity, "{peak} bytes with a cache of {capacity} for blocks of {len}, {workers} threads");
}

/// Half of the readers in order, the others here and there.
fn read(source: &BlockSource, reader: u64) {
    let mut buf = [0; 4096];
    for step in 0..BLOCKS {
        let block = if reader < 2 { step } else { step * 7919 % BLOCKS };
        source.read_exact_at(&mut buf, block * u64::from(BLOCK) + 100 * reader).unwrap();
        assert_eq!(buf, [block as u8; 4096]);
    }
}
