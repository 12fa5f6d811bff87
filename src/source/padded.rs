//! A source that goes on with zeros.

use std::io;
use std::ops::Range;

use super::{ByteSource, SharedSource, check_range};

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
}

impl ByteSource for PaddedSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len)?;
        let there = self.inner.len().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (stored, zeros) = buf.split_at_mut(there);
        zeros.fill(0);
        if stored.is_empty() { Ok(()) } else { self.inner.read_exact_at(stored, offset) }
    }

    fn read_ahead(&self, range: Range<u64>) {
        self.inner.read_ahead(range);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemorySource;
    use super::*;

    #[test]
    fn zeros_follow_the_bytes() {
        let padded = PaddedSource::new(Arc::new(MemorySource::new(*b"abc")), 6);
        for start in 0..6 {
            for end in start..=6 {
                let mut buf = vec![1; end - start];
                padded.read_exact_at(&mut buf, start as u64).unwrap();
                assert_eq!(buf, b"abc\0\0\0"[start..end]);
            }
        }
        assert!(padded.read_exact_at(&mut [0], 6).is_err());
        assert_eq!(PaddedSource::new(Arc::new(MemorySource::new(*b"abc")), 1).len(), 3);
    }
}
