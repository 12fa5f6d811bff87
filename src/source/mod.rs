//! Positional bytes: where a disc's sectors come from.
//!
//! Not responsible for what the bytes mean. A source is shared by all request threads at once.

mod block_source;
pub mod blocks;
pub mod cache;
mod concat;
mod file;
mod mapped;
mod memory;
mod padded;
mod page_buffer;
mod remote;
mod residency;
mod scatter;
mod shelf;
pub mod siblings;
mod slice;
mod swapped;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use self::block_source::BlockSource;
pub use self::blocks::{Block, Blocks, each_block};
pub use self::cache::BlockCache;
pub use self::concat::ConcatSource;
pub use self::file::FileSource;
pub use self::memory::MemorySource;
pub use self::padded::PaddedSource;
pub use self::page_buffer::PageBuffer;
pub use self::remote::{is_remote, is_remote_file};
pub use self::scatter::Scatter;
pub use self::siblings::Siblings;
pub use self::slice::SliceSource;
pub use self::swapped::SwappedSource;

/// Random access to a run of bytes.
///
/// An implementer must fill the whole buffer or fail; must not panic for any offset, also one whose end overflows;
/// must return the same bytes for the same range every time, unless the storage itself changed. A range that reaches
/// past [`len`](Self::len), or past what the storage still holds, fails with `UnexpectedEof`; bytes of the buffer may
/// have been written by then. Callers may rely on all of this, from any thread.
pub trait ByteSource: Send + Sync + fmt::Debug {
    /// Length in bytes, as it was when the source was opened.
    fn len(&self) -> u64;

    /// True when there is nothing to read.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` past the end, else what the storage reports.
    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()>;

    /// Fills guest memory from `offset`. The default goes through a small buffer; a source whose bytes can reach
    /// guest memory in one copy overrides it.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        let mut buf = [0_u8; 4096];
        let mut done = 0;
        while done < out.len() {
            let step = buf.len().min(out.len() - done);
            self.read_exact_at(&mut buf[..step], advance(offset, done)?)?;
            out.slice(done, step).copy_from(&buf[..step]);
            done += step;
        }
        Ok(())
    }

    /// Fills guest memory with blocks that do not lie one after another, the first from `offset`. The default reads one by one;
    /// a source for which each read is dear overrides it.
    ///
    /// # Errors
    /// As [`read_exact_at`](Self::read_exact_at).
    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        read_one_by_one(self, out, blocks, offset)
    }
}

/// Blocks with gaps between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spaced {
    /// Bytes of a block; at least 1.
    pub block: usize,
    /// Bytes from the end of one to the start of the next.
    pub gap: usize,
}

fn read_one_by_one(
    source: &(impl ByteSource + ?Sized),
    out: Scatter<'_>,
    blocks: Spaced,
    mut offset: u64,
) -> io::Result<()> {
    if blocks.gap == 0 {
        return source.read_scatter_at(out, offset);
    }
    for done in (0..out.len()).step_by(blocks.block) {
        source.read_scatter_at(out.slice(done, blocks.block), offset)?;
        offset = advance(advance(offset, blocks.block)?, blocks.gap)?;
    }
    Ok(())
}

/// A source that several owners hold.
pub type SharedSource = Arc<dyn ByteSource>;

/// `offset + by`, or the error for a range that no source can have.
fn advance(offset: u64, by: usize) -> io::Result<u64> {
    offset.checked_add(by as u64).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Fails with `UnexpectedEof` unless `offset .. offset + count` lies in `0 .. len`.
fn check_range(offset: u64, count: usize, len: u64) -> io::Result<()> {
    match advance(offset, count)? {
        end if end <= len => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
