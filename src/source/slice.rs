//! A window into another source.

use std::io;
use std::ops::Range;

use super::{ByteSource, Scatter, SharedSource, Spaced, check_range};

/// `len` bytes of another source from `start`.
#[derive(Debug, Clone)]
pub struct SliceSource {
    inner: SharedSource,
    start: u64,
    len: u64,
}

impl SliceSource {
    /// A window that must lie inside `inner`.
    ///
    /// # Errors
    /// `UnexpectedEof` when it does not.
    pub fn new(inner: SharedSource, start: u64, len: u64) -> io::Result<Self> {
        match start.checked_add(len) {
            Some(end) if end <= inner.len() => Ok(Self { inner, start, len }),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl ByteSource for SliceSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len)?;
        self.inner.read_exact_at(buf, self.start + offset)
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        check_range(offset, out.len(), self.len)?;
        self.inner.read_scatter_at(out, self.start + offset)
    }

    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        check_range(offset, blocks.span(out.len()), self.len)?;
        self.inner.read_blocks_at(out, blocks, self.start + offset)
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        check_range(offset, out.len(), self.len).is_ok() && self.inner.copy_at(out, self.start + offset)
    }

    fn read_ahead(&self, range: Range<u64>) {
        let (start, end) = (range.start.min(self.len), range.end.min(self.len));
        self.inner.read_ahead(self.start + start..self.start + end);
    }
}
