//! Bytes that are stored in blocks which can only be decoded whole: the seam between decoders and the shared cache.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::SharedSource;

/// One block of decoded bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Its number: blocks are numbered from 0 without gaps, in the order of the decoded bytes.
    pub index: u64,
    /// Offset of its first decoded byte.
    pub start: u64,
    /// Decoded bytes; at least 1, at most [`MAX_BLOCK`].
    pub len: u32,
}

/// The longest block that a decoder may have.
pub const MAX_BLOCK: u32 = 64 << 20;

/// A decoder. It is asked by several threads at once, for any block in any order, and must give the same bytes every time.
///
/// An implementer must not panic for any content, must not keep decoded bytes itself (the cache does), and must bound what
/// it allocates by the length of the block.
pub trait Blocks: Send + Sync + fmt::Debug {
    /// Decoded bytes in all.
    fn total_len(&self) -> u64;

    /// The block that holds the decoded byte `offset`, which is less than [`total_len`](Self::total_len). Blocks do not overlap and leave
    /// no gap. Must be quick: it is asked for every read that finds nothing in the cache.
    ///
    /// # Errors
    /// When the index cannot be read or contradicts itself at this place.
    fn locate(&self, offset: u64) -> io::Result<Block>;

    /// The length of all blocks but the last, which may be shorter, where there is one; must not change. Short blocks are then decoded
    /// several at a time, and kept as one piece.
    fn even(&self) -> Option<u32> {
        None
    }

    /// Decodes `block`, as [`locate`](Self::locate) gave it, into `out`, which is as long as the block. Must write every byte of it:
    /// what it holds before is not zero.
    ///
    /// # Errors
    /// `InvalidData` when the stored bytes do not decode to the block, or what the storage reports.
    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()>;

    /// Decodes whole blocks from `first` on into `out`, which is as long as they are together. Asked only where there is an
    /// [`even`](Self::even) length. For decoders that read the stored bytes of many blocks at once with less effort.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), when any of them does not decode.
    fn decode_run(&self, first: &Block, out: &mut [u8]) -> io::Result<()> {
        each_block(self, first.start, out, |block, out| self.decode(&block, out))
    }

    /// Where the block's bytes lie when they are stored as they are: read without decoding and without the cache.
    fn stored(&self, _block: &Block) -> Option<(SharedSource, u64)> {
        None
    }

    /// The same of `len` bytes in whole blocks from `first` on, when they lie one after another.
    fn stored_run(&self, first: &Block, len: usize) -> Option<(SharedSource, u64)> {
        let (source, start) = self.stored(first)?;
        let mut done = u64::from(first.len);
        while done < len as u64 {
            let block = self.locate(first.start + done).ok()?;
            let (other, at) = self.stored(&block)?;
            if !Arc::ptr_eq(&source, &other) || start.checked_add(done) != Some(at) {
                return None;
            }
            done += u64::from(block.len);
        }
        Some((source, start))
    }
}

/// Calls `each` with the blocks from the decoded byte `start` on and where in `out` each belongs.
///
/// # Errors
/// What `each` or the index reports; `InvalidData` when `out` does not end with a block.
pub fn each_block<B: Blocks + ?Sized>(
    blocks: &B,
    start: u64,
    out: &mut [u8],
    mut each: impl FnMut(Block, &mut [u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut done = 0;
    while done < out.len() {
        let block = located(blocks, start + done as u64)?;
        let part = out.get_mut(done..done + block.len as usize).ok_or_else(contradiction)?;
        each(block, part)?;
        done += block.len as usize;
    }
    Ok(())
}

/// The block with the byte `at`, held against what it must be.
pub(super) fn located<B: Blocks + ?Sized>(blocks: &B, at: u64) -> io::Result<Block> {
    let block = blocks.locate(at)?;
    let holds = block.start <= at && at - block.start < u64::from(block.len) && block.len <= MAX_BLOCK;
    if holds { Ok(block) } else { Err(contradiction()) }
}

/// Also when the file is another than when the block was decoded.
pub(super) fn contradiction() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index contradicts itself")
}
