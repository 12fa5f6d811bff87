//! The cache of decoded blocks: who decodes, how often, and what is read whatever the cache does.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spindle::source::{
    Block, BlockCache, BlockSource, Blocks, ByteSource, MemorySource, Scatter, SharedSource, Spaced,
};
use spindle::sys::memory::anonymous;
use vm_memory::{GuestAddress, GuestMemoryBackend};

/// Blocks of any length, some of them stored as they are. Counts who asks and who decodes.
#[derive(Debug)]
struct Counted {
    bytes: Vec<u8>,
    /// Where each block ends, and whether it is stored.
    ends: Vec<(u64, bool)>,
    even: Option<u32>,
    storage: SharedSource,
    asked: AtomicUsize,
    decoding: Vec<AtomicBool>,
    decoded: Vec<AtomicUsize>,
    /// Two threads have decoded one block at the same time.
    twice: AtomicBool,
    /// How many must have asked before a block is decoded; those that fail before one succeeds.
    gate: Gate,
    failures: AtomicUsize,
    panics: AtomicUsize,
    /// Told when a block has been decoded.
    news: (Mutex<()>, Condvar),
}

#[derive(Debug, Default)]
struct Gate {
    wanted: AtomicUsize,
    changed: (Mutex<()>, Condvar),
}

/// What the cache counts for a piece beside its bytes.
const KEEPING: usize = 256;
/// A test that would wait longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(60);

impl Counted {
    fn new(blocks: &[(u32, bool)]) -> Self {
        let mut end = 0;
        let ends = blocks.iter().map(|&(len, stored)| {
            end += u64::from(len);
            (end, stored)
        });
        let ends: Vec<_> = ends.collect();
        let bytes: Vec<_> = (0..end).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
        Self {
            storage: Arc::new(MemorySource::new(bytes.clone())),
            bytes,
            even: None,
            asked: AtomicUsize::new(0),
            decoding: ends.iter().map(|_| AtomicBool::new(false)).collect(),
            decoded: ends.iter().map(|_| AtomicUsize::new(0)).collect(),
            ends,
            twice: AtomicBool::new(false),
            gate: Gate::default(),
            failures: AtomicUsize::new(0),
            panics: AtomicUsize::new(0),
            news: Default::default(),
        }
    }

    /// Says that all blocks are as long as the first one.
    fn even(self) -> Self {
        Self { even: self.ends.first().map(|(end, _)| *end as u32), ..self }
    }

    fn decoded(&self, index: usize) -> usize {
        self.decoded[index].load(Ordering::SeqCst)
    }

    /// Waits until `done`, which a decoded block can make true.
    fn wait(&self, done: impl Fn() -> bool) {
        let guard = self.news.0.lock().unwrap();
        let (_guard, timeout) = self.news.1.wait_timeout_while(guard, PATIENCE, |()| !done()).unwrap();
        assert!(!timeout.timed_out());
    }
}

impl Blocks for Counted {
    fn total_len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let _guard = self.gate.changed.0.lock().unwrap();
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.gate.changed.1.notify_all();
        let index = self.ends.partition_point(|(end, _)| *end <= offset);
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 };
        Ok(Block { index: index as u64, start, len: (self.ends[index].0 - start) as u32 })
    }

    fn even(&self) -> Option<u32> {
        self.even
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let index = block.index as usize;
        if self.decoding[index].swap(true, Ordering::SeqCst) {
            self.twice.store(true, Ordering::SeqCst);
        }
        let guard = self.gate.changed.0.lock().unwrap();
        let closed = |(): &mut ()| self.asked.load(Ordering::SeqCst) < self.gate.wanted.load(Ordering::SeqCst);
        drop(self.gate.changed.1.wait_timeout_while(guard, PATIENCE, closed).unwrap());
        out.copy_from_slice(&self.bytes[block.start as usize..][..out.len()]);
        self.decoding[index].store(false, Ordering::SeqCst);
        {
            let _guard = self.news.0.lock().unwrap();
            self.decoded[index].fetch_add(1, Ordering::SeqCst);
            self.news.1.notify_all();
        }
        let some = |left: &AtomicUsize| {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        assert!(!some(&self.panics), "as a decoder of another crate may");
        if some(&self.failures) { Err(io::ErrorKind::InvalidData.into()) } else { Ok(()) }
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        self.ends[block.index as usize].1.then(|| (Arc::clone(&self.storage), block.start))
    }
}

fn source(blocks: &Arc<Counted>, cache: &Arc<BlockCache>) -> BlockSource {
    BlockSource::new(Arc::clone(blocks) as _, Arc::clone(cache))
}

#[test]
fn a_block_that_many_ask_for_at_the_same_time_is_decoded_once() {
    for workers in [0, 4] {
        let blocks = Arc::new(Counted::new(&[(1000, false); 3]));
        blocks.gate.wanted.store(8, Ordering::SeqCst);
        let source = source(&blocks, &BlockCache::with_workers(1 << 20, workers));
        thread::scope(|scope| {
            for reader in 0..8 {
                let (source, blocks) = (&source, &blocks);
                scope.spawn(move || {
                    let mut buf = [0; 100];
                    source.read_exact_at(&mut buf, 1000 + reader * 100).unwrap();
                    assert_eq!(buf, blocks.bytes[1000 + reader as usize * 100..][..100]);
                });
            }
        });
        assert_eq!((blocks.decoded(0), blocks.decoded(1)), (0, 1));
    }
}

#[test]
fn who_waits_for_a_block_that_fails_tries_again() {
    let kinds = thread::scope(|scope| {
        let blocks = Arc::new(Counted::new(&[(1000, false)]));
        blocks.gate.wanted.store(3, Ordering::SeqCst);
        blocks.failures.store(1, Ordering::SeqCst);
        blocks.panics.store(1, Ordering::SeqCst);
        let source = Arc::new(source(&blocks, &BlockCache::with_workers(1 << 20, 0)));
        let reader = || {
            let source = Arc::clone(&source);
            scope.spawn(move || source.read_exact_at(&mut [0; 1000], 0).map_err(|error| error.kind()))
        };
        let readers = [reader(), reader(), reader()];
        readers.map(|reader| reader.join().unwrap())
    });
    let failed = kinds.iter().filter(|kind| **kind == Err(io::ErrorKind::InvalidData)).count();
    assert_eq!((failed, kinds.iter().filter(|kind| kind.is_ok()).count()), (2, 1));
}

#[test]
fn blocks_are_decoded_ahead_when_they_are_read_in_order() {
    let blocks = Arc::new(Counted::new(&[(1000, false); 100]));
    let read = |source: &BlockSource, index: u64| source.read_exact_at(&mut [0; 1000], index * 1000).unwrap();
    let in_order = source(&blocks, &BlockCache::with_workers(100 * (1000 + KEEPING), 2));
    (0..3).for_each(|index| read(&in_order, index));
    blocks.wait(|| (2..27).all(|index| blocks.decoded(index) == 1));
    // Half of the cache at most, and not what has been decoded already.
    (0..100).for_each(|index| read(&in_order, index));
    assert!((0..100).all(|index| blocks.decoded(index) == 1));

    let blocks = Arc::new(Counted::new(&[(1000, false); 100]));
    let backwards = source(&blocks, &BlockCache::with_workers(200_000, 2));
    (50..90).rev().for_each(|index| read(&backwards, index));
    let alone = source(&blocks, &BlockCache::with_workers(200_000, 0));
    (90..95).for_each(|index| read(&alone, index));
    let decoded: Vec<_> = (0..100).map(|index| blocks.decoded(index)).collect();
    assert_eq!(decoded, [vec![0; 50], vec![1; 45], vec![0; 5]].concat());
}

#[test]
fn reading_ahead_looks_each_block_up_once() {
    let blocks = Arc::new(Counted::new(&[(100, false); 5000]));
    let source = source(&blocks, &BlockCache::with_workers(1 << 20, 2));
    (0..5000).for_each(|index| source.read_exact_at(&mut [0; 100], index * 100).unwrap());
    // Once to be read, once to be decoded ahead.
    assert!(blocks.asked.load(Ordering::SeqCst) <= 2 * 5000);
}

#[test]
fn what_was_read_last_stays_and_what_was_read_first_goes() {
    let blocks = Arc::new(Counted::new(&[(1000, false); 10]));
    let source = source(&blocks, &BlockCache::with_workers(3 * (1000 + KEEPING), 0));
    for index in [0, 1, 2, 0, 3, 0, 1] {
        source.read_exact_at(&mut [0; 10], index * 1000).unwrap();
    }
    assert_eq!([0, 1, 2, 3].map(|index| blocks.decoded(index)), [1, 2, 1, 1]);
}

/// Of 1,000 bytes each, the last of 100: with this cache 65 make a group.
fn short_blocks() -> (Arc<Counted>, BlockSource) {
    let lengths: Vec<_> = (0..200).map(|index| (if index < 199 { 1000 } else { 100 }, false)).collect();
    let blocks = Arc::new(Counted::new(&lengths).even());
    let source = source(&blocks, &BlockCache::with_workers(2 << 20, 0));
    (blocks, source)
}

#[test]
fn short_blocks_are_decoded_by_themselves_or_in_groups_but_never_again() {
    let (blocks, source) = short_blocks();
    let read = |at: usize, len: usize| {
        let mut buf = vec![0; len];
        source.read_exact_at(&mut buf, at as u64).unwrap();
        assert!(buf == blocks.bytes[at..at + len], "{len} bytes at {at}");
    };
    let decoded = || (0..200).map(|index| blocks.decoded(index)).collect::<Vec<_>>();
    let those = |which: &[std::ops::Range<usize>]| {
        (0..200).map(|index| usize::from(which.iter().any(|range| range.contains(&index)))).collect::<Vec<_>>()
    };
    for at in [70_500, 10_000, 150_999] {
        read(at, 2);
    }
    assert_eq!(decoded(), those(&[10..11, 70..71, 150..152]));
    // The second group, and one block of the third.
    read(65_000, 65_001);
    assert_eq!(decoded(), those(&[10..11, 65..131, 150..152]));
    // The last group is shorter, and ends with a shorter block.
    read(195_000, 4_100);
    read(0, 199_100);
    assert_eq!(decoded(), vec![1; 200]);
    for at in (0..199_000).step_by(777) {
        read(at, 100);
    }
    assert_eq!(decoded(), vec![1; 200]);
}

#[test]
fn a_damaged_block_does_not_keep_its_group_back() {
    let (blocks, source) = short_blocks();
    blocks.failures.store(1, Ordering::SeqCst);
    let mut buf = vec![0; 65_000];
    source.read_exact_at(&mut buf, 0).unwrap();
    assert!(buf == blocks.bytes[..65_000]);
    assert_eq!(blocks.decoded(0), 2);
    assert!((1..65).all(|index| blocks.decoded(index) == 1));
}

#[test]
fn stored_blocks_are_read_in_one_run_and_not_kept() {
    let blocks = Arc::new(Counted::new(&[(1000, true); 200]).even());
    let source = source(&blocks, &BlockCache::with_workers(2 << 20, 2));
    for _ in 0..3 {
        let mut buf = vec![0; 200_000];
        source.read_exact_at(&mut buf, 0).unwrap();
        assert!(buf == blocks.bytes);
    }
    assert!((0..200).all(|index| blocks.decoded(index) == 0));
}

/// An image says where its blocks are stored.
#[test]
fn blocks_that_are_stored_past_the_end_of_all_offsets_are_an_error() {
    #[derive(Debug)]
    struct FarAway;
    impl Blocks for FarAway {
        fn total_len(&self) -> u64 {
            4 * 2352
        }
        fn locate(&self, offset: u64) -> io::Result<Block> {
            Ok(match offset {
                0..2060 => Block { index: 0, start: 0, len: 2060 },
                _ => Block { index: 1, start: 2060, len: 4 * 2352 - 2060 },
            })
        }
        fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
            let start = if block.index == 0 { 0 } else { u64::MAX - 100 };
            Some((Arc::new(MemorySource::new(vec![0; 3000])), start))
        }
        fn decode(&self, _: &Block, _: &mut [u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }
    let source = BlockSource::new(Arc::new(FarAway), BlockCache::with_workers(1 << 20, 0));
    let memory = anonymous(1 << 20).unwrap();
    let pieces = [memory.get_slice(GuestAddress(0), 2 * 2048).unwrap()];
    // The second block begins in the gap behind the first sector.
    let read = source.read_blocks_at(Scatter::new(&pieces), Spaced { block: 2048, gap: 304 }, 0);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert!(source.read_exact_at(&mut [0; 3000], 1000).is_err());
}

/// 400 blocks of 64 KiB, 25 MiB in all, of which not quite 16 stay.
#[test]
fn who_reads_once_takes_a_part_of_a_large_cache_and_who_reads_again_takes_it_all() {
    const BLOCK: usize = 64 << 10;
    let blocks = Arc::new(Counted::new(&[(BLOCK as u32, false); 400]));
    let cache = BlockCache::with_workers(64 << 20, 0);
    for _ in 0..2 {
        let source = source(&blocks, &cache);
        let decoded = |range: std::ops::Range<usize>| {
            let before: usize = range.clone().map(|index| blocks.decoded(index)).sum();
            for index in range.clone() {
                source.read_exact_at(&mut [0; 100], (index * BLOCK) as u64).unwrap();
            }
            range.map(|index| blocks.decoded(index)).sum::<usize>() - before
        };
        assert_eq!(decoded(0..400), 400);
        assert_eq!(decoded(150..400), 0, "the last are kept");
        assert_eq!(decoded(0..400), 145, "those that had to go");
        assert_eq!(decoded(0..400), 0, "all are kept");
        // When nothing is kept any more it begins anew.
    }
}

/// Of 100 that all have been used: 64 are spared in a row, then the first of those goes, not what follows them.
#[test]
fn where_all_have_been_used_the_oldest_goes() {
    const BLOCK: usize = 64 << 10;
    let blocks = Arc::new(Counted::new(&[(BLOCK as u32, false); 101]));
    let source = source(&blocks, &BlockCache::with_workers(100 * (BLOCK + KEEPING), 0));
    for index in (0..100).chain(0..100).chain([100]).chain(1..100) {
        source.read_exact_at(&mut [0; 100], index * BLOCK as u64).unwrap();
    }
    assert!((1..101).all(|index| blocks.decoded(index) == 1));
    source.read_exact_at(&mut [0; 100], 0).unwrap();
    assert_eq!(blocks.decoded(0), 2);
}

/// Memory that pieces take beside their bytes counts as well.
#[test]
fn a_cache_is_not_filled_with_ever_more_of_the_shortest_blocks() {
    const BLOCKS: u64 = 4000;
    let blocks = Arc::new(Counted::new(&[(16, false); BLOCKS as usize]));
    let source = source(&blocks, &BlockCache::with_workers(1 << 20, 0));
    let read = |index: u64| source.read_exact_at(&mut [0; 16], index * 16).unwrap();
    (0..BLOCKS).for_each(read);
    assert!(blocks.bytes.len() < 1 << 17, "without what is beside them all would stay");
    read(0);
    assert_eq!(blocks.decoded(0), 2);
    read(BLOCKS - 1);
    assert_eq!(blocks.decoded(BLOCKS as usize - 1), 1);
}

/// A block that fills a part of the cache itself is kept beside others.
#[test]
fn long_blocks_have_all_of_a_large_cache() {
    let blocks = Arc::new(Counted::new(&[(12 << 20, false); 4]));
    let source = source(&blocks, &BlockCache::with_workers(64 << 20, 0));
    for index in [0, 1, 2, 3, 0, 1, 2, 3] {
        source.read_exact_at(&mut [0; 100], index * (12 << 20)).unwrap();
    }
    assert_eq!([0, 1, 2, 3].map(|index| blocks.decoded(index)), [1; 4]);
}

/// How an image is read.
#[derive(Debug, Clone)]
struct Reading {
    blocks: Vec<(u32, bool)>,
    /// Bytes of the cache beyond the longest block.
    room: usize,
    workers: usize,
    /// For each thread, where it reads and how much, both of 65,536 parts of all.
    threads: Vec<Vec<(u16, u16)>>,
    in_order: bool,
    even: bool,
}

fn reading() -> impl Strategy<Value = Reading> {
    let block = (1..3000_u32, prop::bool::weighted(0.2));
    let read = (any::<u16>(), prop_oneof![3 => 0..2000_u16, 1 => any::<u16>()]);
    let threads = prop::collection::vec(prop::collection::vec(read, 1..12), 1..=8);
    let room = prop_oneof![Just(0_usize), 0..10_000_usize, Just(1 << 20)];
    (prop::collection::vec(block, 1..40), room, 0..=8_usize, threads, any::<bool>(), any::<bool>()).prop_map(
        |(mut blocks, room, workers, threads, in_order, even)| {
            // All as long as the first, and short: groups of several.
            let len = blocks[0].0.min(700);
            // Mostly whole frames, see `spaced`.
            let len = if len % 4 == 0 { len } else { len.next_multiple_of(7) };
            blocks.iter_mut().filter(|_| even).for_each(|block| block.0 = len);
            Reading { blocks, room, workers, threads, in_order, even }
        },
    )
}

fn read_all(reading: &Reading) {
    let blocks = Counted::new(&reading.blocks);
    let blocks = Arc::new(if reading.even { blocks.even() } else { blocks });
    let longest = reading.blocks.iter().map(|block| block.0).max().unwrap() as usize;
    let source = source(&blocks, &BlockCache::with_workers(longest + reading.room, reading.workers));
    let len = blocks.bytes.len();
    thread::scope(|scope| {
        for reads in &reading.threads {
            let (source, bytes) = (&source, &blocks.bytes);
            scope.spawn(move || {
                let mut end = 0;
                for (number, &(at, count)) in reads.iter().enumerate() {
                    let part = |part: u16| len * usize::from(part) / usize::from(u16::MAX);
                    let at = if reading.in_order { end } else { part(at) };
                    let count = part(count).min(len - at);
                    end = (at + count) % len;
                    let mut buf = vec![0; count];
                    if number % 3 == 0 || count == 0 {
                        source.read_exact_at(&mut buf, at as u64).unwrap();
                    } else if number % 3 == 1 && count > 7 {
                        spaced(source, &bytes[at..at + count], at as u64);
                        continue;
                    } else {
                        let memory = anonymous(1 << 20).unwrap();
                        let piece = [memory.get_slice(GuestAddress(0), count).unwrap()];
                        source.read_scatter_at(Scatter::new(&piece), at as u64).unwrap();
                        assert_eq!(Scatter::new(&piece).copy_to(&mut buf), count);
                    }
                    assert!(buf == bytes[at..at + count], "{count} bytes at {at}");
                }
                assert!(source.read_exact_at(&mut [0; 2], len as u64 - 1).is_err());
            });
        }
    });
    assert!(!blocks.twice.load(Ordering::SeqCst));
}

/// Blocks of 5 bytes, 2 between them.
fn spaced(source: &BlockSource, bytes: &[u8], at: u64) {
    let wanted: Vec<_> = bytes.chunks(7).flat_map(|chunk| chunk.iter().take(5)).copied().collect();
    let memory = anonymous(1 << 20).unwrap();
    let pieces = [memory.get_slice(GuestAddress(0), wanted.len()).unwrap()];
    source.read_blocks_at(Scatter::new(&pieces), Spaced { block: 5, gap: 2 }, at).unwrap();
    let mut found = vec![0; wanted.len()];
    assert_eq!(Scatter::new(&pieces).copy_to(&mut found), wanted.len());
    assert!(found == wanted, "blocks of 5 in {} bytes at {at}", bytes.len());
}

#[test]
fn bytes_do_not_depend_on_the_cache_on_threads_or_on_the_order() {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&reading(), |reading| {
            read_all(&reading);
            Ok(())
        })
        .unwrap();
}
