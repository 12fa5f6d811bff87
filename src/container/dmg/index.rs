//! The runs of an image in few bytes each: an image of 50 GB has some 200,000 of them, and all are kept while it is open.

use super::SECTOR;
use crate::container::varint::{put, take};

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
}

const PACKINGS: [Packing; 7] = {
    use Packing::{Adc, Bzip2, Lzfse, Stored, Xz, Zeros, Zlib};
    [Zeros, Stored, Adc, Zlib, Bzip2, Lzfse, Xz]
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Decoded bytes of the image; whole sectors.
    pub start: u64,
    pub end: u64,
    /// Packed bytes in the data fork.
    pub at: u64,
    pub len: u64,
    /// Number of its first block.
    pub block: u64,
    pub packing: Packing,
}

/// Runs that follow one another without gaps.
///
/// A run is a byte with its packing and flags, and after it as numbers of 7 bits a byte: its sectors, unless as many as the
/// last one's; the distance from the end of the last one's packed bytes to its own, unless none; their length.
#[derive(Debug, Default)]
pub struct Index {
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
const PACKING: u8 = 0x07;
const AS_MANY: u8 = 0x08;
const NEXT: u8 = 0x10;

impl Index {
    /// Adds a run that begins where the last one ended, and has `blocks` blocks.
    pub fn push(&mut self, packing: Packing, end: u64, at: u64, len: u64, blocks: u64) {
        if self.fill.is_multiple_of(GROUP) {
            self.next.offset = self.bytes.len();
            self.marks.push(self.next);
            self.fill = 0;
        }
        self.fill += 1;
        let last = &mut self.next;
        let sectors = (end - last.start) / SECTOR;
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
        *last = Mark { offset: 0, start: end, at: at.wrapping_add(len), block: last.block + blocks, sectors };
    }

    /// Gives back what was taken to grow.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.marks.shrink_to_fit();
    }

    pub fn total(&self) -> u64 {
        self.next.start
    }

    /// The run with the byte `offset` of the image. `blocks` counts the blocks of a run.
    pub fn at(&self, offset: u64, blocks: impl Fn(&Run) -> u64) -> Option<Run> {
        let group = self.marks.partition_point(|mark| mark.start <= offset).checked_sub(1)?;
        let mut mark = self.marks[group];
        (0..GROUP).map_while(|_| self.step(&mut mark, &blocks)).find(|run| offset < run.end)
    }

    /// The run at the mark, which moves past it.
    fn step(&self, mark: &mut Mark, blocks: impl Fn(&Run) -> u64) -> Option<Run> {
        let bytes = &mut self.bytes.get(mark.offset..)?.iter();
        let head = *bytes.next()?;
        let packing = PACKINGS[usize::from(head & PACKING)];
        let sectors = if head & AS_MANY == 0 { take(bytes) } else { mark.sectors };
        let distance = if head & NEXT == 0 { take(bytes) } else { 0 };
        let at = mark.at.wrapping_add(distance >> 1 ^ (distance & 1).wrapping_neg());
        let len = take(bytes);
        let run = Run { start: mark.start, end: mark.start + sectors * SECTOR, at, len, block: mark.block, packing };
        let offset = self.bytes.len() - bytes.len();
        *mark = Mark { offset, start: run.end, at: at.wrapping_add(len), block: run.block + blocks(&run), sectors };
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(run: &Run) -> u64 {
        (run.end - run.start).div_ceil(4096)
    }

    #[test]
    fn gives_back_what_it_took() {
        let (mut index, mut runs) = (Index::default(), Vec::new());
        let (mut start, mut block) = (0, 0);
        for number in 0..1000_u64 {
            let sectors = [8, 8, 8, 500, 1, 1 << 20][number as usize % 6];
            let at = [0, number * 3000, u64::MAX - number, 7][number as usize / 5 % 4];
            let len = [0, 1, 127, 128, 1 << 40][number as usize % 5];
            let end = start + sectors * SECTOR;
            let run = Run { start, end, at, len, block, packing: PACKINGS[number as usize % 7] };
            index.push(run.packing, end, at, len, blocks(&run));
            runs.push(run);
            (start, block) = (end, block + blocks(&run));
        }
        for run in &runs {
            assert_eq!(index.at(run.start, blocks), Some(*run));
            assert_eq!(index.at(run.end - 1, blocks), Some(*run));
        }
        assert_eq!((index.at(start, blocks), index.total()), (None, start));
    }

    /// Issue 3: under 8 bytes for a block.
    #[test]
    fn runs_after_one_another_take_under_8_bytes() {
        let mut index = Index::default();
        let mut at = 0;
        for number in 1..=200_000_u64 {
            let len = 100_000 + number % 150_000;
            index.push(Packing::Zlib, number << 18, at, len, 1);
            at += len;
        }
        index.shrink();
        let taken = index.bytes.capacity() + index.marks.capacity() * size_of::<Mark>();
        assert!(taken < 8 * 200_000, "{taken}");
    }
}
