//! Discs whose every block tells its own address.

use std::sync::Arc;

use spindle::drive::Medium;
use spindle::image::{Opened, open_source};
use spindle::source::{ByteSource, MemorySource};

/// Block `lba` of the disc with `seed`: every eight bytes name seed, block and position.
pub fn block(seed: u32, lba: u32) -> [u8; 2048] {
    let mut block = [0; 2048];
    for (at, word) in block.chunks_exact_mut(8).enumerate() {
        word[..4].copy_from_slice(&lba.to_le_bytes());
        word[4..6].copy_from_slice(&(seed as u16).to_le_bytes());
        word[6..].copy_from_slice(&(at as u16).to_le_bytes());
    }
    block
}

/// A source of any size that holds [`block`]s without storing them.
#[derive(Debug)]
pub struct Patterned {
    pub seed: u32,
    pub blocks: u32,
}

impl ByteSource for Patterned {
    fn len(&self) -> u64 {
        u64::from(self.blocks) * 2048
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> std::io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len()) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        for (byte, at) in buf.iter_mut().zip(offset..) {
            *byte = block(self.seed, (at / 2048) as u32)[(at % 2048) as usize];
        }
        Ok(())
    }
}

/// A medium of `blocks` patterned blocks.
pub fn patterned(seed: u32, blocks: u32) -> Arc<Medium> {
    medium(open_source(Arc::new(Patterned { seed, blocks })).unwrap())
}

/// A medium over the given bytes.
pub fn bytes(bytes: Vec<u8>) -> Arc<Medium> {
    medium(open_source(Arc::new(MemorySource::new(bytes))).unwrap())
}

fn medium(opened: Opened) -> Arc<Medium> {
    Arc::new(Medium { disc: opened.disc, locator: "test".to_owned(), format: opened.format.id })
}
