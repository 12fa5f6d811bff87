//! What one thread decodes of an image that lies in memory, and how long it takes for one block: what `tests/benches/drives` holds the
//! drive against. And images that `spindle convert` does not write, by the builders of the tests.
//!
//! Nothing is read from a file and nobody decodes ahead. For the rate each block is decoded once, in order; what is counted beside its
//! decoding is copying its bytes once. For the time 2,048 bytes are read at random places, and nothing of what they are in is kept.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use spindle::disc::{Disc, Lba};
use spindle::image::{OpenOptions, open_source};
use spindle::source::{BlockCache, MemorySource, SharedSource};

use self::process::Process;

#[expect(dead_code, reason = "the load asks for more")]
#[path = "../drive/process.rs"]
mod process;

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../support/images/described/daa.rs"]
mod daa;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../support/images/described/isz.rs"]
mod isz;
#[path = "../../support/images/described/pack.rs"]
mod pack;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../support/images/described/put.rs"]
mod put;

/// Anything that ends the run.
type Failure = Box<dyn Error>;

/// What to make of a plain image.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Chunks of 64 KiB, packed with zlib.
    Isz,
    /// The same, with bzip2.
    IszBzip2,
    /// Chunks of 64 KiB, packed with deflate.
    Daa,
}

/// Decodes an image in one thread and tells how fast, in JSON.
#[derive(Debug, Parser)]
struct Options {
    image: PathBuf,
    /// Makes another image of a plain one instead.
    #[arg(long, value_enum, requires = "to")]
    make: Option<Format>,
    /// Its name.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Bytes kept: enough for groups of the usual size.
const CACHE: usize = 4 << 20;
/// Blocks of 2,048 bytes that are read at once.
const CHUNK: u32 = 256;
/// How many blocks are read one by one.
const PLACES: u64 = 2000;

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let bytes = fs::read(&options.image).map_err(|error| format!("{}: {error}", options.image.display()))?;
    match (options.make, options.to) {
        (Some(format), Some(to)) => Ok(fs::write(to, made(format, &bytes))?),
        _ => decode(bytes),
    }
}

/// Bytes of a chunk of the images made here.
const PACKED: usize = 64 << 10;

fn isz_options(packed: isz::Packed) -> isz::Options {
    let cipher = isz::Cipher::None;
    isz::Options { header: 64, chunk: PACKED, pointer: Some(3), packed, cipher, split: None, footer: false }
}

fn made(format: Format, bytes: &[u8]) -> Vec<u8> {
    let mut files = match format {
        Format::Isz => isz::files(bytes, isz_options(isz::Packed::Zlib)),
        Format::IszBzip2 => isz::files(bytes, isz_options(isz::Packed::Bzip2)),
        Format::Daa => daa::files(bytes, daa::Options { chunk: PACKED, ..daa::Options::default() }),
    };
    files.swap_remove(0).1
}

fn decode(bytes: Vec<u8>) -> Result<(), Failure> {
    let source: SharedSource = Arc::new(MemorySource::new(bytes));
    let open = |kept| {
        let cache = BlockCache::with_workers(kept, 0);
        open_source(Arc::clone(&source), &OpenOptions { cache, ..OpenOptions::default() })
    };
    let opened = open(CACHE)?;
    let blocks = opened.disc.blocks();
    let mut buf = vec![0; (CHUNK * 2048) as usize];
    let (start, before) = (Instant::now(), Process::this().cpu_seconds()?);
    for first in (0..blocks).step_by(CHUNK as usize) {
        let count = CHUNK.min(blocks - first);
        opened.disc.read_blocks(Lba(first as i32), &mut buf[..(count * 2048) as usize])?;
    }
    let cpu = Process::this().cpu_seconds()? - before;
    let megabytes = f64::from(blocks) * 2048.0 / 1e6;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({
            "mb_per_s": megabytes / seconds,
            "mb_per_cpu_s": megabytes / cpu,
            "block_p50_us": one_block(&open(0)?.disc)?,
        })
    );
    Ok(())
}

/// Microseconds that reading 2,048 bytes of a disc takes: the median of places all over it.
fn one_block(disc: &Disc) -> Result<f64, Failure> {
    let mut buf = [0; 2048];
    let mut took = Vec::new();
    for n in 0..PLACES {
        // Multiples of the golden ratio: none is near the one before.
        let at = n.wrapping_mul(0x9E37_79B9) % u64::from(disc.blocks());
        let start = Instant::now();
        disc.read_blocks(Lba(at as i32), &mut buf)?;
        took.push(start.elapsed());
    }
    took.sort_unstable();
    Ok(took[took.len() / 2].as_secs_f64() * 1e6)
}
