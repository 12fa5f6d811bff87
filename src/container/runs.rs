//! Runs of sectors in few bytes each, for indexes that say of each how it is packed and where it lies: an image of 50 GB has some
//! 200,000 of them, and all are kept while it is open.

use super::varint::{put, take};
use crate::source::Block;

/// How a run is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Packing {
    Zeros,
    Stored,
    Adc,
    Zlib,
    Bzip2,
    Lzfse,
    Xz,
    /// LZMA without a container.
    Lzma,
    /// Stored, but encrypted as a whole.
    Encrypted,
}

const PACKINGS: [Packing; 9] = {
    use Packing::{Adc, Bzip2, Encrypted, Lzfse, Lzma, Stored, Xz, Zeros, Zlib};
    [Zeros, Stored, Adc, Zlib, Bzip2, Lzfse, Xz, Lzma, Encrypted]
};

/// Bytes of a block of what is not packed.
const PLAIN: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Decoded bytes of the image, in whole sectors.
    pub start: u64,
    pub end: u64,
    /// Packed bytes in the data fork.
    pub at: u64,
    pub len: u64,
    /// Number of its first block.
    pub block: u64,
    pub packing: Packing,
}

impl Run {
    /// Decoded bytes of each of its blocks but the last: what is packed is one block.
    pub fn step(&self) -> u64 {
        if matches!(self.packing, Packing::Zeros | Packing::Stored) { PLAIN } else { self.end - self.start }
    }

    /// The block with the byte `offset` of the image.
    pub fn block_at(&self, offset: u64) -> Block {
        let number = (offset - self.start) / self.step();
        let start = self.start + number * self.step();
        Block { index: self.block + number, start, len: (self.end - start).min(self.step()) as u32 }
    }

    fn after(&self, sectors: u64) -> Mark {
        let blocks = (self.end - self.start).div_ceil(self.step());
        Mark { offset: 0, start: self.end, at: self.at.wrapping_add(self.len), block: self.block + blocks, sectors }
    }
}

/// Runs that follow one another without gaps.
///
/// A run is a byte with its packing and flags, and after it as numbers of 7 bits a byte: its sectors, unless as many as the
/// last one's; the distance from the end of the last one's packed bytes to its own, unless none; their length.
#[derive(Debug)]
pub struct Index {
    /// Bytes of a sector.
    sector: u64,
    bytes: Vec<u8>,
    /// The first run of each `GROUP`.
    marks: Vec<Mark>,
    /// Runs in the last group.
    fill: usize,
    next: Mark,
}

/// What is known before a run.
#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    offset: usize,
    start: u64,
    at: u64,
    block: u64,
    sectors: u64,
}

const GROUP: usize = 64;
const PACKING: u8 = 0x0F;
const AS_MANY: u8 = 0x10;
const NEXT: u8 = 0x20;

impl Index {
    /// No run of sectors of so many bytes.
    pub fn new(sector: u64) -> Self {
        Self { sector, bytes: Vec::new(), marks: Vec::new(), fill: 0, next: Mark::default() }
    }

    /// Adds a run that begins where the last one ended.
    pub fn push(&mut self, packing: Packing, end: u64, at: u64, len: u64) {
        if self.fill.is_multiple_of(GROUP) {
            self.next.offset = self.bytes.len();
            self.marks.push(self.next);
            self.fill = 0;
        }
        self.fill += 1;
        let last = &mut self.next;
        let sectors = (end - last.start) / self.sector;
        let as_many = if sectors == last.sectors { AS_MANY } else { 0 };
        let follows = if at == last.at { NEXT } else { 0 };
        self.bytes.push(packing as u8 | as_many | follows);
        if as_many == 0 {
            put(&mut self.bytes, sectors);
        }
        if follows == 0 {
            let distance = at.wrapping_sub(last.at) as i64;
            put(&mut self.bytes, (distance << 1 ^ distance >> 63) as u64);
        }
        put(&mut self.bytes, len);
        let run = Run { start: last.start, end, at, len, block: last.block, packing };
        *last = run.after(sectors);
    }

    /// Gives back what was taken to grow.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.marks.shrink_to_fit();
    }

    pub fn total(&self) -> u64 {
        self.next.start
    }

    /// The run with the byte `offset` of the image.
    pub fn at(&self, offset: u64) -> Option<Run> {
        let group = self.marks.partition_point(|mark| mark.start <= offset).checked_sub(1)?;
        let mut mark = self.marks[group];
        (0..GROUP).map_while(|_| self.step(&mut mark)).find(|run| offset < run.end)
    }

    /// The run at the mark, which moves past it.
    fn step(&self, mark: &mut Mark) -> Option<Run> {
        let bytes = &mut self.bytes.get(mark.offset..)?.iter();
        let head = *bytes.next()?;
        let packing = PACKINGS[usize::from(head & PACKING)];
        let sectors = if head & AS_MANY == 0 { take(bytes) } else { mark.sectors };
        let distance = if head & NEXT == 0 { take(bytes) } else { 0 };
        let at = mark.at.wrapping_add(distance >> 1 ^ (distance & 1).wrapping_neg());
        let len = take(bytes);
        let run =
            Run { start: mark.start, end: mark.start + sectors * self.sector, at, len, block: mark.block, packing };
        let offset = self.bytes.len() - bytes.len();
        *mark = Mark { offset, ..run.after(sectors) };
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECTOR: u64 = 512;

    #[test]
    fn gives_back_what_it_took() {
        let (mut index, mut runs) = (Index::new(SECTOR), Vec::new());
        let (mut start, mut block) = (0, 0);
        for number in 0..1000_u64 {
            let sectors = [8, 8, 8, 500, 1, 1 << 20][number as usize % 6];
            let at = [0, number * 3000, u64::MAX - number, 7][number as usize / 5 % 4];
            let len = [0, 1, 127, 128, 1 << 40][number as usize % 5];
            let end = start + sectors * SECTOR;
            let run = Run { start, end, at, len, block, packing: PACKINGS[number as usize % 9] };
            index.push(run.packing, end, at, len);
            runs.push(run);
            (start, block) = (end, block + (end - start).div_ceil(run.step()));
        }
        for run in &runs {
            assert_eq!(index.at(run.start), Some(*run));
            assert_eq!(index.at(run.end - 1), Some(*run));
        }
        assert_eq!((index.at(start), index.total()), (None, start));
    }

    /// Issue 3: under 8 bytes for a block.
    #[test]
    fn runs_after_one_another_take_under_8_bytes() {
        let mut index = Index::new(SECTOR);
        let mut at = 0;
        for number in 1..=200_000_u64 {
            let len = 100_000 + number % 150_000;
            index.push(Packing::Zlib, number << 18, at, len);
            at += len;
        }
        index.shrink();
        let taken = index.bytes.capacity() + index.marks.capacity() * size_of::<Mark>();
        assert!(taken < 8 * 200_000, "{taken}");
    }
}
