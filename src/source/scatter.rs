//! A run of bytes in guest memory that need not be contiguous.

use std::fmt;

use super::Spaced;
use crate::sys::guarded;
use crate::sys::memory::GuestSlice;

/// From this length on a string instruction is faster than the C library's copy, by a sixth where bytes begin anywhere, as those of
/// frames do.
const LONG: usize = 1024;

/// A window over pieces of guest memory, in order. Cheap to copy; all writes go to the guest at once.
///
/// No method panics for any argument: what lies outside the window is cut off.
#[derive(Clone, Copy)]
pub struct Scatter<'a> {
    pieces: &'a [GuestSlice<'a>],
    /// Bytes of the first piece that lie before the window.
    skip: usize,
    len: usize,
}

impl fmt::Debug for Scatter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scatter({} bytes, {} pieces)", self.len, self.pieces.len())
    }
}

impl<'a> Scatter<'a> {
    /// All of `pieces`.
    #[must_use]
    pub fn new(pieces: &'a [GuestSlice<'a>]) -> Self {
        let len = pieces.iter().fold(0_usize, |sum, piece| sum.saturating_add(piece.len()));
        Self { pieces, skip: 0, len }
    }

    /// No bytes at all.
    #[must_use]
    pub fn empty() -> Self {
        Self { pieces: &[], skip: 0, len: 0 }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there is no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// At most `len` bytes from `start`.
    #[must_use]
    pub fn slice(&self, start: usize, len: usize) -> Self {
        let start = start.min(self.len);
        let len = len.min(self.len - start);
        let mut skip = self.skip + start;
        let mut pieces = self.pieces;
        while let Some((first, rest)) = pieces.split_first() {
            if skip < first.len() {
                break;
            }
            skip -= first.len();
            pieces = rest;
        }
        Self { pieces, skip, len }
    }

    /// The contiguous pieces of the window.
    pub fn pieces(self) -> impl Iterator<Item = GuestSlice<'a>> {
        let Self { pieces, mut skip, len: mut left } = self;
        pieces.iter().filter_map(move |piece| {
            let start = skip.min(piece.len());
            skip -= start;
            let count = (piece.len() - start).min(left);
            left -= count;
            if count == 0 { None } else { piece.subslice(start, count).ok() }
        })
    }

    /// The first `len` bytes of the window, if they lie in one piece.
    fn in_one_piece(&self, len: usize) -> Option<GuestSlice<'a>> {
        self.pieces.first()?.subslice(self.skip, len).ok()
    }

    /// Copies `bytes` into the guest, cut off at the window's end; returns how many were copied.
    pub fn copy_from(&self, bytes: &[u8]) -> usize {
        let mut rest = &bytes[..bytes.len().min(self.len)];
        let copied = rest.len();
        if copied < LONG
            && let Some(piece) = self.in_one_piece(copied)
        {
            piece.copy_from(rest);
            return copied;
        }
        for piece in self.slice(0, copied).pieces() {
            let (now, later) = rest.split_at(piece.len());
            if now.len() < LONG {
                piece.copy_from(now);
            } else {
                guarded::copy_from(&piece, now);
            }
            rest = later;
        }
        copied
    }

    /// Fills the window with blocks that lie apart in `bytes`, the first at their start, as far as there are any. Each but the last has
    /// its gap behind it.
    pub fn copy_blocks_from(&self, bytes: &[u8], blocks: Spaced) {
        let Spaced { block, gap } = blocks;
        let stride = block.saturating_add(gap);
        // Where the next block begins, and how much of it is copied already.
        let (mut rest, mut within) = (bytes, 0);
        for mut piece in self.pieces() {
            while !piece.is_empty() && !rest.is_empty() && block > 0 {
                let whole = if within == 0 { piece.len() / block } else { 0 };
                let step = if whole > 0 { whole * block } else { piece.len().min(block - within) };
                let Ok((now, later)) = piece.split_at(step) else { return };
                let passed = if whole > 0 {
                    guarded::copy_blocks_from(&now, rest, block, stride);
                    whole * stride
                } else {
                    now.copy_from(rest.get(within..).unwrap_or_default());
                    within = (within + step) % block;
                    if within == 0 { stride } else { 0 }
                };
                rest = rest.get(passed..).unwrap_or_default();
                piece = later;
            }
        }
    }

    /// Copies from the guest into `buf`; returns how many bytes there were.
    #[must_use]
    pub fn copy_to(&self, buf: &mut [u8]) -> usize {
        let wanted = buf.len().min(self.len);
        if let Some(piece) = self.in_one_piece(wanted) {
            return piece.copy_to(&mut buf[..wanted]);
        }
        let mut done = 0;
        for piece in self.slice(0, wanted).pieces() {
            done += piece.copy_to(&mut buf[done..wanted]);
        }
        done
    }

    /// Writes zeros over the whole window.
    pub fn fill_zero(&self) {
        const ZEROS: [u8; 4096] = [0; 4096];
        let mut done = 0;
        while done < self.len {
            done += self.slice(done, ZEROS.len()).copy_from(&ZEROS);
        }
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;
    use crate::sys::memory::anonymous;

    #[test]
    fn windows_cross_pieces_and_cut_at_the_end() {
        let memory = anonymous(0x1000).unwrap();
        let pieces: Vec<_> = [(0_u64, 3_usize), (16, 0), (32, 5), (64, 2)]
            .map(|(at, len)| memory.get_slice(GuestAddress(at), len).unwrap())
            .into();
        let all = Scatter::new(&pieces);
        assert_eq!(all.len(), 10);
        assert_eq!(all.copy_from(b"0123456789ABC"), 10);
        let mut back = [0; 4];
        assert_eq!(all.slice(2, 4).copy_to(&mut back), 4);
        assert_eq!(&back, b"2345");
        assert_eq!(all.slice(8, 100).len(), 2);
        assert_eq!(all.slice(100, 1).len(), 0);
        assert_eq!(all.slice(3, 4).slice(1, 2).copy_from(b"xy"), 2);
        let mut whole = [0; 10];
        assert_eq!(all.copy_to(&mut whole), 10);
        assert_eq!(&whole, b"0123xy6789");
        all.slice(1, 8).fill_zero();
        assert_eq!(memory.read_obj::<u8>(GuestAddress(65)).unwrap(), b'9');
        assert_eq!(memory.read_obj::<u8>(GuestAddress(64)).unwrap(), 0);
    }

    /// 20 blocks of 7 bytes with 3 between them, into pieces that end anywhere; one byte behind each window stays what it was.
    #[test]
    fn blocks_that_lie_apart_come_together_as_far_as_there_are_any() {
        let stored: Vec<u8> = (0..20 * 10 - 3).collect();
        let wanted: Vec<u8> = stored.chunks(10).flat_map(|one| &one[..7]).copied().collect();
        let memory = anonymous(0x1000).unwrap();
        for cut in [1, 5, 7, 8, 14, 33, wanted.len()] {
            for (len, there) in
                [(wanted.len(), stored.len()), (50, stored.len()), (wanted.len(), 19 * 10 + 6), (0, 9), (9, 0)]
            {
                memory.write_slice(&[0xEE; 0x1000], GuestAddress(0)).unwrap();
                let starts = (0..wanted.len()).step_by(cut);
                let at = |start: usize| GuestAddress(start as u64 * 2);
                let piece = |start: usize| memory.get_slice(at(start), cut.min(wanted.len() - start)).unwrap();
                let pieces: Vec<_> = starts.map(piece).collect();
                let window = Scatter::new(&pieces);
                window.slice(0, len).copy_blocks_from(&stored[..there], Spaced { block: 7, gap: 3 });
                let mut given = vec![0; wanted.len()];
                assert_eq!(window.copy_to(&mut given), wanted.len());
                // Of a block that is not whole nothing need come.
                let whole = len.min(there.div_ceil(10) * 7).min((there + 3) / 10 * 7);
                assert_eq!(given[..whole], wanted[..whole], "pieces of {cut}, {len} of {there}");
                let rest = given[whole..].iter().enumerate();
                let mut rest =
                    rest.filter(|(at, byte)| **byte != 0xEE && (whole + at >= len || **byte != wanted[whole + at]));
                assert_eq!(rest.next(), None, "pieces of {cut}, {len} of {there}");
            }
        }
    }
}
