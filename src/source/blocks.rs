//! Bytes that are stored in blocks which can only be decoded whole: the seam between decoders and the shared cache.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cache::BlockCache;
use super::{ByteSource, Scatter, SharedSource, check_range};

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
    /// no gap. Must be quick: it is asked for every read.
    ///
    /// # Errors
    /// When the index cannot be read or contradicts itself at this place.
    fn locate(&self, offset: u64) -> io::Result<Block>;

    /// Decodes `block`, as [`locate`](Self::locate) gave it, into `out`, which is as long as the block.
    ///
    /// # Errors
    /// `InvalidData` when the stored bytes do not decode to the block, or what the storage reports.
    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()>;

    /// Where the block's bytes lie when they are stored as they are: read without decoding and without the cache.
    fn stored(&self, _block: &Block) -> Option<(SharedSource, u64)> {
        None
    }
}

/// The decoded bytes of [`Blocks`] as a source, through a shared cache.
pub struct BlockSource {
    blocks: Arc<dyn Blocks>,
    cache: Arc<BlockCache>,
    id: u64,
    /// The block after the last one that was read, and how many were read one after another.
    next: AtomicU64,
    run: AtomicU64,
    /// Up to which decoded byte later blocks have been asked for.
    asked: AtomicU64,
}

/// How many blocks must be read in order before later ones are decoded ahead.
const SEQUENTIAL: u64 = 2;

impl BlockSource {
    /// A source over `blocks`.
    #[must_use]
    pub fn new(blocks: Arc<dyn Blocks>, cache: Arc<BlockCache>) -> Self {
        static NEXT_ID: AtomicU64 = AtomicU64::new(0);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Self { blocks, cache, id, next: AtomicU64::new(0), run: AtomicU64::new(0), asked: AtomicU64::new(0) }
    }

    /// Calls `each` with the pieces of `offset .. offset + count` in order.
    fn pieces(
        &self,
        offset: u64,
        count: usize,
        mut each: impl FnMut(Piece<'_>, usize, usize) -> io::Result<()>,
    ) -> io::Result<()> {
        check_range(offset, count, self.blocks.total_len())?;
        let mut done = 0;
        while done < count {
            let at = offset + done as u64;
            let block = self.locate(at)?;
            let skip = (at - block.start) as usize;
            let step = (block.len as usize - skip).min(count - done);
            // Whether it is stored stands in the index, which is a file: what has been decoded is found without.
            let ready = self.cache.ready(self.id, block.index);
            let stored = if ready.is_some() { None } else { self.blocks.stored(&block) };
            match stored {
                Some((source, start)) => {
                    let start = start.checked_add(skip as u64).ok_or(io::ErrorKind::UnexpectedEof)?;
                    each(Piece::Stored(&source, start), done, step)?;
                }
                None => {
                    let bytes = match ready {
                        Some(bytes) => bytes,
                        None => self.cache.get(self.id, &self.blocks, &block)?,
                    };
                    self.read_ahead(&block);
                    let piece = bytes.get(skip..skip + step).ok_or_else(contradiction)?;
                    each(Piece::Decoded(piece), done, step)?;
                }
            }
            done += step;
        }
        Ok(())
    }

    fn locate(&self, at: u64) -> io::Result<Block> {
        let block = self.blocks.locate(at)?;
        let holds = block.start <= at && at - block.start < u64::from(block.len) && block.len <= MAX_BLOCK;
        if holds { Ok(block) } else { Err(contradiction()) }
    }

    /// Has the blocks after `block` decoded when the last few were read in order.
    fn read_ahead(&self, block: &Block) {
        let expected = self.next.swap(block.index + 1, Ordering::Relaxed);
        if block.index + 1 == expected {
            return;
        }
        if block.index != expected {
            self.run.store(0, Ordering::Relaxed);
            return;
        }
        if self.run.fetch_add(1, Ordering::Relaxed) + 1 < SEQUENTIAL {
            return;
        }
        let end = block.start + u64::from(block.len);
        let ahead = self.cache.ahead(block.len);
        let until = end.saturating_add(ahead as u64 * u64::from(block.len)).min(self.blocks.total_len());
        let asked = self.asked.load(Ordering::Relaxed);
        // Left over from another place.
        let mut at = if (end..=until).contains(&asked) { asked } else { end };
        // Blocks are asked for many at a time, so that the threads that decode them rarely fall asleep between two.
        if at > end && at - end > (until - end) / 2 {
            return;
        }
        while at < until {
            let Ok(next) = self.locate(at) else { break };
            if !self.cache.knows(self.id, next.index)
                && self.blocks.stored(&next).is_none()
                && !self.cache.prefetch(self.id, &self.blocks, next)
            {
                break;
            }
            at = next.start + u64::from(next.len);
        }
        self.asked.store(at, Ordering::Relaxed);
    }
}

/// Also when the file is another than when the block was decoded.
fn contradiction() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the index contradicts itself")
}

/// Where a piece of a read comes from.
enum Piece<'a> {
    Stored(&'a SharedSource, u64),
    Decoded(&'a [u8]),
}

impl fmt::Debug for BlockSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockSource").field(&self.blocks).finish()
    }
}

impl Drop for BlockSource {
    fn drop(&mut self) {
        self.cache.forget(self.id);
    }
}

impl ByteSource for BlockSource {
    fn len(&self) -> u64 {
        self.blocks.total_len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.pieces(offset, buf.len(), |piece, done, step| {
            let out = &mut buf[done..done + step];
            match piece {
                Piece::Stored(source, start) => source.read_exact_at(out, start),
                Piece::Decoded(bytes) => {
                    out.copy_from_slice(bytes);
                    Ok(())
                }
            }
        })
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        self.pieces(offset, out.len(), |piece, done, step| {
            let out = out.slice(done, step);
            match piece {
                Piece::Stored(source, start) => source.read_scatter_at(out, start),
                Piece::Decoded(bytes) => {
                    out.copy_from(bytes);
                    Ok(())
                }
            }
        })
    }
}
