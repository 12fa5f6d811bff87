//! Several sources, one after another.

use std::io;
use std::ops::Range;

use super::{ByteSource, SharedSource, advance, check_range};

/// The bytes of all parts in order: split files, data that a container keeps in pieces.
#[derive(Debug)]
pub struct ConcatSource {
    /// Each part with the offset at which it ends.
    parts: Vec<(u64, SharedSource)>,
}

impl ConcatSource {
    /// All of `parts`, in order.
    ///
    /// # Errors
    /// `InvalidInput` when together they are longer than any file can be.
    pub fn new(parts: impl IntoIterator<Item = SharedSource>) -> io::Result<Self> {
        let mut end = 0_u64;
        let parts = parts.into_iter().map(|part| {
            end = end.checked_add(part.len()).ok_or(io::ErrorKind::InvalidInput)?;
            Ok((end, part))
        });
        Ok(Self { parts: parts.collect::<io::Result<_>>()? })
    }
}

impl ByteSource for ConcatSource {
    fn len(&self) -> u64 {
        self.parts.last().map_or(0, |(end, _)| *end)
    }

    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len())?;
        let first = self.parts.partition_point(|(end, _)| *end <= offset);
        for (end, part) in &self.parts[first..] {
            if buf.is_empty() {
                break;
            }
            let start = end - part.len();
            let (now, later) = buf.split_at_mut(usize::try_from(end - offset).unwrap_or(usize::MAX).min(buf.len()));
            part.read_exact_at(now, offset - start)?;
            offset = advance(offset, now.len())?;
            buf = later;
        }
        Ok(())
    }
    fn read_ahead(&self, range: Range<u64>) {
        let first = self.parts.partition_point(|(end, _)| *end <= range.start);
        for (end, part) in &self.parts[first..] {
            let start = end - part.len();
            if start >= range.end {
                break;
            }
            part.read_ahead(range.start.max(start) - start..range.end.min(*end) - start);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::MemorySource;
    use super::*;

    #[test]
    fn reads_cross_parts_also_empty_ones() {
        let part = |bytes: &[u8]| -> SharedSource { Arc::new(MemorySource::new(bytes)) };
        let all = ConcatSource::new([part(b"abc"), part(b""), part(b"d"), part(b"efgh")]).unwrap();
        assert_eq!(all.len(), 8);
        for start in 0..8 {
            for end in start..=8 {
                let mut buf = vec![0; end - start];
                all.read_exact_at(&mut buf, start as u64).unwrap();
                assert_eq!(buf, b"abcdefgh"[start..end]);
            }
        }
        assert!(all.read_exact_at(&mut [0; 2], 7).is_err());
        assert!(all.read_exact_at(&mut [0; 1], u64::MAX).is_err());
    }
}
