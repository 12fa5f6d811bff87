//! A source that goes on with zeros.

use std::io;
use std::ops::Range;

use super::{ByteSource, Scatter, SharedSource, Spaced, check_range, read_one_by_one};

/// Another source, then zeros up to a length: the last sector of a file of sound, or of one that was cut short.
#[derive(Debug)]
pub struct PaddedSource {
    inner: SharedSource,
    len: u64,
}

impl PaddedSource {
    /// `len` bytes in all, or those of `inner` when it is longer.
    #[must_use]
    pub fn new(inner: SharedSource, len: u64) -> Self {
        let len = len.max(inner.len());
        Self { inner, len }
    }

    /// How many of `count` bytes from `offset` on are not padding.
    fn stored(&self, offset: u64, count: usize) -> usize {
        self.inner.len().saturating_sub(offset).min(count as u64) as usize
    }
}

impl ByteSource for PaddedSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len)?;
        let (stored, zeros) = buf.split_at_mut(self.stored(offset, buf.len()));
        zeros.fill(0);
        if stored.is_empty() { Ok(()) } else { self.inner.read_exact_at(stored, offset) }
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        check_range(offset, out.len(), self.len)?;
        let there = self.stored(offset, out.len());
        out.slice(there, out.len()).fill_zero();
        if there == 0 { Ok(()) } else { self.inner.read_scatter_at(out.slice(0, there), offset) }
    }

    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        match check_range(offset, blocks.span(out.len()), self.inner.len()) {
            Ok(()) => self.inner.read_blocks_at(out, blocks, offset),
            Err(_) => read_one_by_one(self, out, blocks, offset),
        }
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        check_range(offset, out.len(), self.inner.len()).is_ok() && self.inner.copy_at(out, offset)
    }

    fn read_ahead(&self, range: Range<u64>) {
        self.inner.read_ahead(range);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemorySource;
    use super::super::tests::assert_reads_as;
    use super::*;

    #[test]
    fn zeros_follow_the_bytes() {
        let padded = PaddedSource::new(Arc::new(MemorySource::new(*b"abc")), 6);
        assert_reads_as(&padded, b"abc\0\0\0");
        assert_eq!(PaddedSource::new(Arc::new(MemorySource::new(*b"abc")), 1).len(), 3);
    }
}
