//! Several sources, one after another.

use std::io;
use std::ops::Range;

use super::{ByteSource, Scatter, SharedSource, Spaced, advance, check_range, read_one_by_one};

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

    /// The part that has all of `offset .. offset + count`, and where in it they begin.
    fn part_with(&self, offset: u64, count: usize) -> Option<(&SharedSource, u64)> {
        let first = self.parts.partition_point(|(end, _)| *end <= offset);
        let (end, part) = self.parts.get(first)?;
        let there = end - offset;
        (there >= count as u64).then(|| (part, part.len() - there))
    }

    /// Calls `each` with the parts that have `offset .. offset + count`, in order: where in the range each comes, and where in the part.
    fn each_part(
        &self,
        mut offset: u64,
        count: usize,
        mut each: impl FnMut(&SharedSource, Range<usize>, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        check_range(offset, count, self.len())?;
        let first = self.parts.partition_point(|(end, _)| *end <= offset);
        let mut done = 0;
        for (end, part) in &self.parts[first..] {
            if done == count {
                break;
            }
            let there = end - offset;
            let step = usize::try_from(there).unwrap_or(usize::MAX).min(count - done);
            each(part, done..done + step, part.len() - there)?;
            offset = advance(offset, step)?;
            done += step;
        }
        Ok(())
    }
}

impl ByteSource for ConcatSource {
    fn len(&self) -> u64 {
        self.parts.last().map_or(0, |(end, _)| *end)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.each_part(offset, buf.len(), |part, range, at| part.read_exact_at(&mut buf[range], at))
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        self.each_part(offset, out.len(), |part, range, at| {
            part.read_scatter_at(out.slice(range.start, range.len()), at)
        })
    }

    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        match self.part_with(offset, blocks.span(out.len())) {
            Some((part, at)) => part.read_blocks_at(out, blocks, at),
            None => read_one_by_one(self, out, blocks, offset),
        }
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        self.part_with(offset, out.len()).is_some_and(|(part, at)| part.copy_at(out, at))
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
    use super::super::tests::assert_reads_as;
    use super::*;

    #[test]
    fn reads_cross_parts_also_empty_ones() {
        let part = |bytes: &[u8]| -> SharedSource { Arc::new(MemorySource::new(bytes)) };
        let all = ConcatSource::new([part(b"abc"), part(b""), part(b"d"), part(b"efgh")]).unwrap();
        assert_reads_as(&all, b"abcdefgh");
    }
}
