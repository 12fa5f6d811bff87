//! Frames of which readers want one part, such as the user data of raw sectors: kept so that these parts lie one behind the other.

use std::ops::Range;

use super::{Scatter, Spaced};

/// Equal frames, from a source's beginning on, and the block in each that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frames {
    /// Bytes of a frame.
    frame: usize,
    /// Offset of the block in it.
    start: usize,
    /// Bytes of the block.
    block: usize,
}

impl Frames {
    /// What a read of `blocks` from `offset` on wants; none when the blocks lie across the ends of frames.
    pub fn wanted(blocks: Spaced, offset: u64) -> Option<Self> {
        let Spaced { block, gap } = blocks;
        let frame = block.checked_add(gap).filter(|&frame| gap > 0 && frame > gap)?;
        let start = (offset % frame as u64) as usize;
        (start <= gap).then_some(Self { frame, start, block })
    }

    /// Whether `start .. start + len` consists of whole frames.
    pub fn divide(&self, start: u64, len: usize) -> bool {
        start.is_multiple_of(self.frame as u64) && len.is_multiple_of(self.frame)
    }

    /// Copies whole frames: first all blocks, then all that lies between them. Both are as long.
    pub fn arrange(&self, plain: &[u8], arranged: &mut [u8]) {
        let mut rest = plain;
        for run in self.runs(plain.len(), 0..plain.len()) {
            let Some((now, later)) = rest.split_at_checked(run.len()) else { return };
            arranged[run].copy_from_slice(now);
            rest = later;
        }
    }

    /// Where the bytes of `range` lie, of `len` that are arranged: runs, in the order of the range.
    pub fn runs(self, len: usize, range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let Self { frame, start, block } = self;
        let between = len / frame * block;
        let mut at = range.start;
        std::iter::from_fn(move || {
            let left = range.end.min(len).checked_sub(at).filter(|&left| left > 0)?;
            // What lies before the first block is the end of a gap.
            let (number, within) = match at.checked_sub(start) {
                Some(from_first) => (from_first / frame, from_first % frame),
                None => (0, at),
            };
            let (place, run) = match at < start {
                true => (between + at, start - at),
                false if within < block => (number * block + within, block - within),
                false => (between + start + number * (frame - block) + within - block, frame - within),
            };
            let run = run.min(left);
            at += run;
            Some(place..place + run)
        })
    }

    /// Where `count` of `blocks` lie, one behind the other, the first of them from `at` on; none where these are not the blocks.
    fn in_one_run(&self, at: usize, count: usize, blocks: Spaced) -> Option<Range<usize>> {
        let wanted = Self::wanted(blocks, at as u64).filter(|wanted| wanted == self)?;
        let place = at / wanted.frame * wanted.block;
        Some(place..place + count * wanted.block)
    }
}

/// Decoded bytes in memory, in one order or the other.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    bytes: &'a [u8],
    frames: Option<Frames>,
}

impl<'a> Decoded<'a> {
    /// `bytes`, which are [arranged](Frames::arrange) where there are `frames`.
    pub fn new(bytes: &'a [u8], frames: Option<Frames>) -> Self {
        Self { bytes, frames }
    }

    /// The runs that `range` consists of, cut off at the end.
    fn runs(self, range: Range<usize>) -> impl Iterator<Item = &'a [u8]> {
        let Self { bytes, frames } = self;
        let plain = frames.is_none().then_some(range.start..range.end.min(bytes.len()));
        let arranged = frames.map(|frames| frames.runs(bytes.len(), range));
        plain.into_iter().chain(arranged.into_iter().flatten()).filter_map(|run| bytes.get(run))
    }

    /// Copies the bytes from `at` on.
    pub fn copy_to(self, at: usize, out: &mut [u8]) {
        let mut rest = out;
        for run in self.runs(at..at.saturating_add(rest.len())) {
            let (now, later) = rest.split_at_mut(run.len());
            now.copy_from_slice(run);
            rest = later;
        }
    }

    /// The same into guest memory.
    pub fn scatter(self, at: usize, out: Scatter<'_>) {
        let mut done = 0;
        for run in self.runs(at..at.saturating_add(out.len())) {
            done += out.slice(done, out.len()).copy_from(run);
        }
    }

    /// Fills guest memory with whole blocks, the first of them from `at` on.
    pub fn scatter_blocks(self, at: usize, out: Scatter<'_>, blocks: Spaced) {
        let Spaced { block, gap } = blocks;
        let count = out.len() / block.max(1);
        match self.frames {
            None => out.copy_blocks_from(self.bytes.get(at..).unwrap_or_default(), blocks),
            Some(frames) => match frames.in_one_run(at, count, blocks) {
                Some(run) => _ = out.copy_from(self.bytes.get(run).unwrap_or_default()),
                None => (0..count).for_each(|number| {
                    let from = at.saturating_add(block.saturating_add(gap).saturating_mul(number));
                    self.scatter(from, out.slice(number * block, block));
                }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{GuestAddress, GuestMemoryBackend};

    use super::*;
    use crate::sys::memory::anonymous;

    const BLOCKS: Spaced = Spaced { block: 5, gap: 4 };

    #[test]
    fn blocks_that_cross_the_ends_of_frames_are_none() {
        let starts: Vec<_> = (18..27).map(|at| Frames::wanted(BLOCKS, at).map(|frames| frames.start)).collect();
        assert_eq!(starts, [Some(0), Some(1), Some(2), Some(3), Some(4), None, None, None, None]);
        assert_eq!(Frames::wanted(Spaced { block: 5, gap: 0 }, 0), None);
        assert_eq!(Frames::wanted(Spaced { block: 0, gap: 4 }, 0), None);
        assert_eq!(Frames::wanted(Spaced { block: 1, gap: usize::MAX }, 0), None);
        let frames = Frames::wanted(BLOCKS, 2).unwrap();
        assert_eq!(
            [(0, 18), (9, 9), (9, 10), (8, 9)].map(|(start, len)| frames.divide(start, len)),
            [true, true, false, false]
        );
    }

    /// Every range of every arrangement, read in every way.
    #[test]
    fn what_is_arranged_reads_as_what_is_not() {
        let plain: Vec<u8> = (1..=9 * 6).collect();
        let memory = anonymous(4096).unwrap();
        let guest = |len: usize| [memory.get_slice(GuestAddress(0), len).unwrap()];
        for start in 0..=4 {
            let frames = Frames::wanted(BLOCKS, start).unwrap();
            let mut arranged = vec![0; plain.len()];
            frames.arrange(&plain, &mut arranged);
            let wanted: Vec<_> = plain.chunks(9).flat_map(|frame| &frame[start as usize..][..5]).copied().collect();
            assert_eq!(arranged[..wanted.len()], wanted);
            let decoded = Decoded::new(&arranged, Some(frames));
            for at in 0..plain.len() {
                for len in 0..=plain.len() - at {
                    let (mut out, mut scattered) = (vec![0; len], vec![0; len]);
                    decoded.copy_to(at, &mut out);
                    decoded.scatter(at, Scatter::new(&guest(len)));
                    assert_eq!(Scatter::new(&guest(len)).copy_to(&mut scattered), len);
                    assert_eq!([&out[..], &scattered], [&plain[at..][..len]; 2], "{len} at {at} of {frames:?}");
                }
                for blocks in
                    [BLOCKS, Spaced { block: 5, gap: 2 }, Spaced { block: 7, gap: 2 }, Spaced { block: 1, gap: 1 }]
                {
                    let expected: Vec<_> = plain[at..]
                        .chunks(blocks.block.saturating_add(blocks.gap))
                        .filter_map(|chunk| chunk.get(..blocks.block))
                        .flatten()
                        .copied()
                        .collect();
                    let mut found = vec![0; expected.len()];
                    decoded.scatter_blocks(at, Scatter::new(&guest(found.len())), blocks);
                    assert_eq!(Scatter::new(&guest(found.len())).copy_to(&mut found), found.len());
                    assert_eq!(found, expected, "{blocks:?} at {at} of {frames:?}");
                }
            }
            let run = frames.in_one_run(9 + start as usize, 3, BLOCKS);
            assert_eq!(run, Some(5..20), "they are copied at once");
            // What is not there is cut off.
            let mut out = [0; 3];
            decoded.copy_to(plain.len() - 1, &mut out);
            decoded.copy_to(usize::MAX, &mut out);
            assert_eq!(out, [54, 0, 0]);
        }
    }
}
