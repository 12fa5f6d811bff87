//! Compressed images read in any order, by any number of threads, through caches of any size: always the image that was packed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use spindle::disc::sector::RAW;
use spindle::disc::{BLOCK_SIZE, Disc, Lba};
use spindle::image::{OpenOptions, open_path};
use spindle::source::{BlockCache, Scatter};
use spindle::sys::memory::anonymous;
use tempfile::TempDir;
use vm_memory::{GuestAddress, GuestMemoryBackend};

use crate::support::disc::block;
use crate::support::host::run;
use crate::support::images::described::cso::{self, Options};
use crate::support::images::same_disc::{MAKERS, blocks};

const BLOCKS: u32 = 700;

/// How an image is read.
#[derive(Debug, Clone)]
struct Reading {
    /// Bytes of the cache.
    cache: usize,
    workers: usize,
    /// For each thread, where it reads, of 65,536 parts of the disc, and how many sectors.
    threads: Vec<Vec<(u16, u32)>>,
    in_order: bool,
}

/// `longest` is the longest block of an image: no cache is smaller.
fn reading(longest: usize) -> impl Strategy<Value = Reading> {
    let cache = prop_oneof![Just(longest), longest..8 * longest, Just(64 << 20)];
    let reads = prop::collection::vec((any::<u16>(), prop_oneof![3 => 1..4_u32, 1 => 1..80_u32]), 1..10);
    (cache, 0..=4_usize, prop::collection::vec(reads, 1..=8), any::<bool>())
        .prop_map(|(cache, workers, threads, in_order)| Reading { cache, workers, threads, in_order })
}

/// Reads sectors of `disc` in order from `first` on.
type Read = fn(&Disc, u32, &mut [u8]);

fn user_data(disc: &Disc, first: u32, out: &mut [u8]) {
    disc.read_blocks(Lba(first as i32), out).unwrap();
}

fn raw(disc: &Disc, first: u32, out: &mut [u8]) {
    let (sectors, _) = out.as_chunks_mut::<RAW>();
    for (lba, sector) in (first as i32..).zip(sectors) {
        disc.read_sector(Lba(lba), sector).unwrap();
    }
}

/// Whole sectors, and their user data in guest memory: each is the first read of some.
fn raw_and_user_data(disc: &Disc, first: u32, out: &mut [u8]) {
    let sectors = out.len() / RAW;
    let user_data = || {
        let memory = anonymous(1 << 20).unwrap();
        let pieces = [memory.get_slice(GuestAddress(0), sectors * BLOCK_SIZE as usize).unwrap()];
        disc.read_user_data(Lba(first as i32), Scatter::new(&pieces)).unwrap();
        let mut found = vec![0; pieces[0].len()];
        assert_eq!(Scatter::new(&pieces).copy_to(&mut found), found.len());
        found
    };
    let before = (!first.is_multiple_of(3)).then(user_data);
    raw(disc, first, out);
    let found = before.unwrap_or_else(user_data);
    for (user, sector) in found.chunks(BLOCK_SIZE as usize).zip(out.chunks(RAW)) {
        assert!(*user == sector[16..][..user.len()], "user data of {sectors} sectors at {first}");
    }
}

/// Holds the image at `path` against `plain`, whose sectors have `bytes` each, in all the ways of [`reading`].
fn check(path: &Path, plain: &[u8], bytes: usize, longest: usize, read: Read) {
    let sectors = (plain.len() / bytes) as u32;
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let result = runner.run(&reading(longest), |reading| {
        let cache = BlockCache::with_workers(reading.cache, reading.workers);
        let opened = open_path(path, &OpenOptions { cache, ..OpenOptions::default() }).unwrap();
        thread::scope(|scope| {
            for reads in &reading.threads {
                let disc = &opened.disc;
                scope.spawn(move || {
                    let mut end = 0;
                    for &(at, count) in reads {
                        let first = if reading.in_order { end } else { u32::from(at) * sectors / (1 << 16) };
                        let count = count.min(sectors - first);
                        end = (first + count) % sectors;
                        let mut buf = vec![0; count as usize * bytes];
                        read(disc, first, &mut buf);
                        let expected = &plain[first as usize * bytes..][..buf.len()];
                        assert!(buf == expected, "{count} sectors at {first} of {}", path.display());
                    }
                });
            }
        });
        Ok(())
    });
    result.unwrap();
}

/// Blocks that pack well, some that do not, and some of zeros.
fn image() -> &'static [u8] {
    static IMAGE: OnceLock<Vec<u8>> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let noise = |lba: u32| (0..2048_u32).map(move |at| ((lba * 2048 + at).wrapping_mul(2_654_435_761) >> 19) as u8);
        let block = |lba| match lba / 7 % 5 {
            0 => noise(lba).collect(),
            1 => vec![0; 2048],
            _ => block(5, lba).to_vec(),
        };
        (0..BLOCKS).flat_map(block).collect()
    })
}

#[test]
fn cso_and_zso() {
    let folder = TempDir::new().unwrap();
    for (version, zso, block, shift) in
        [(1, false, 2048, 0), (2, false, 16384, 2), (1, true, 2048, 1), (1, true, 8192, 0)]
    {
        let path = folder.path().join("disc.xso");
        fs::write(&path, cso::file(image(), Options { version, zso, block, shift })).unwrap();
        check(&path, image(), BLOCK_SIZE as usize, block, user_data);
    }
}

mod tools {
    use super::*;

    fn written(folder: &TempDir) -> PathBuf {
        let path = folder.path().join("disc.iso");
        fs::write(&path, image()).unwrap();
        path
    }

    #[test]
    fn streams_of_pieces() {
        let folder = TempDir::new().unwrap();
        written(&folder);
        let script = "bgzip -c disc.iso > disc.iso.gz; xz -k -c --block-size=100000 disc.iso > disc.iso.xz; \
                      split -b 70000 disc.iso part. && zstd -q --rm part.* && cat part.*.zst > disc.iso.zst";
        run("sh", &["-ec", &format!("cd '{}'; {script}", folder.path().display())]);
        for (ending, longest) in [("gz", 65536), ("xz", 100_000), ("zst", 70_000)] {
            check(&folder.path().join(format!("disc.iso.{ending}")), image(), BLOCK_SIZE as usize, longest, user_data);
        }
    }

    #[test]
    fn chd_of_a_dvd() {
        let folder = TempDir::new().unwrap();
        let (iso, chd) = (written(&folder), folder.path().join("disc.chd"));
        for codec in ["zlib", "lzma", "zlib,lzma,huff,flac"] {
            let arguments = ["createraw", "-f", "-i", iso.to_str().unwrap(), "-o", chd.to_str().unwrap()];
            run("chdman", &[&arguments[..], &["-us", "2048", "-hs", "16384", "-c", codec]].concat());
            check(&chd, image(), BLOCK_SIZE as usize, 16384, user_data);
        }
    }

    #[test]
    fn chd_of_a_cd() {
        let folder = TempDir::new().unwrap();
        let [bin, cue, chd] = ["disc.bin", "disc.cue", "disc.chd"].map(|name| folder.path().join(name));
        // Two tones and noise: sound that FLAC makes shorter.
        let sample = |at: u32| {
            let tone = 6000.0 * (f64::from(at / 2) / 31.0).sin() + 4000.0 * (f64::from(at) / 7.0).cos();
            (tone as i16 + (at.wrapping_mul(2_654_435_761) >> 27) as i16).to_le_bytes()
        };
        let plain: Vec<u8> = (0..400 * RAW as u32 / 2).flat_map(sample).collect();
        fs::write(&bin, &plain).unwrap();
        let [cue, chd] = [&cue, &chd].map(|path| path.to_str().unwrap());
        let ways: [(_, Read, &[_]); 2] =
            [("AUDIO", raw, &["cdzl", "cdlz", "cdfl", "cdlz,cdzl,cdfl"]), ("MODE1/2352", raw_and_user_data, &["cdzl"])];
        for (mode, read, codecs) in ways {
            fs::write(cue, format!("FILE \"disc.bin\" BINARY\n  TRACK 01 {mode}\n    INDEX 01 00:00:00\n")).unwrap();
            for codec in codecs {
                run("chdman", &["createcd", "-f", "-i", cue, "-o", chd, "-c", codec]);
                check(Path::new(chd), &plain, RAW, 8 * 2448, read);
            }
        }
    }

    /// Caches that hold one block of the longest, or everything.
    #[test]
    fn every_format_and_container() {
        for (id, make) in MAKERS {
            let folder = TempDir::new().unwrap();
            let content = blocks(id);
            let path = make(&content, folder.path());
            let count = (content.len() / BLOCK_SIZE as usize) as u32;
            for (cache, workers) in [(1 << 20, 4), (8 << 20, 2)] {
                let cache = BlockCache::with_workers(cache, workers);
                let spool = Some(folder.path());
                let opened = open_path(&path, &OpenOptions { cache, spool, ..OpenOptions::default() }).unwrap();
                thread::scope(|scope| {
                    // In order, backwards, and here and there.
                    for step in [1, count - 1, 7, 243] {
                        let (disc, content) = (&opened.disc, &content);
                        scope.spawn(move || {
                            for lba in (0..count).map(|number| number * step % count) {
                                let mut block = [0; BLOCK_SIZE as usize];
                                disc.read_block(Lba(lba as i32), &mut block).unwrap();
                                assert!(block == content[lba as usize * block.len()..][..block.len()], "{id}: {lba}");
                            }
                        });
                    }
                });
            }
        }
    }
}
