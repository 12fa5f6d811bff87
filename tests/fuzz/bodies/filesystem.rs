//! Whatever a disc says, reading its volumes, boot entries and trees ends.
//!
//! The input is a disc with its zeros left out: records of a block number (2 bytes, little-endian), a length (2 bytes) and
//! so many bytes of that block; `pack` makes one of an image. Shared by the fuzz target and by `tests/it/fuzz.rs`.

use std::sync::Arc;

use spindle::disc::Lba;
use spindle::fs::{self, Flow, Namespace, Step, Target, eltorito, hybrid, iso9660, udf};
use spindle::image::{OpenOptions, open_source};
use spindle::source::MemorySource;

const BLOCK: usize = 2048;
/// The most blocks of a disc, so that an input is not mostly zeros.
const MOST_BLOCKS: usize = 1024;

/// Reads all there is to read; of a file, as many bytes as the disc has.
pub fn run(input: &[u8]) {
    let Ok(opened) = open_source(Arc::new(MemorySource::new(unpack(input))), &OpenOptions::default()) else { return };
    let disc = &opened.disc;
    let _ = iso9660::descriptors(disc, Lba(0));
    let _ = eltorito::read(disc, Lba(0));
    let _ = hybrid::read(disc);
    let _ = udf::Volume::open(disc, Lba(0));
    let mut sink = Sink(MOST_BLOCKS * BLOCK);
    for namespace in Namespace::PREFERENCE {
        let Ok(fs) = fs::open(disc, Some(namespace)) else { continue };
        let Ok(root) = fs.root() else { continue };
        let mut nodes = 0;
        fs::walk(&*fs, &root, &mut |_, step| {
            if let Step::Node(node) = step {
                nodes += 1;
                assert!(nodes <= 4_000_000, "a tree that never ends");
                if let Ok(pieces) = fs.pieces(node) {
                    let _ = fs::copy(disc, &pieces, &mut sink);
                }
            }
            Flow::Into
        });
    }
}

fn unpack(mut input: &[u8]) -> Vec<u8> {
    let mut image = vec![0; BLOCK];
    while let [low, high, low_length, high_length, rest @ ..] = input {
        let at = usize::from(u16::from_le_bytes([*low, *high])) % MOST_BLOCKS * BLOCK;
        let length = usize::from(u16::from_le_bytes([*low_length, *high_length])).min(BLOCK).min(rest.len());
        image.resize(image.len().max(at + BLOCK), 0);
        image[at..at + length].copy_from_slice(&rest[..length]);
        input = &rest[length..];
    }
    image
}

/// Refuses more than it has room for: a file may claim terabytes.
struct Sink(usize);

impl Target for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(())
    }

    fn zeros(&mut self, _: u64) -> std::io::Result<()> {
        Ok(())
    }
}
