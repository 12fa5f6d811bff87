//! The pieces of a stream in few bytes each: an image of 50 GB can have 800,000 of them, and all are kept while it is open.

use super::super::varint::{put, take};
use super::pieces::Piece;

/// Pieces in the order of the file.
///
/// A piece is, as numbers of 7 bits a byte: its packed length with two flags below; the bytes between the last piece and it,
/// unless none; its decoded length, unless as the last one's.
#[derive(Debug, Default)]
pub struct Index {
    bytes: Vec<u8>,
    /// What is known before the first piece of each `GROUP`.
    marks: Vec<Mark>,
    count: u64,
    /// With those that decode to nothing.
    seen: u64,
    next: Mark,
}

#[derive(Debug, Default, Clone, Copy)]
struct Mark {
    offset: usize,
    /// Where the last piece ends in the file.
    at: u64,
    /// Where its decoded bytes end.
    start: u64,
    decoded: u64,
}

const GROUP: u64 = 32;
/// Pieces, at most, also of those that decode to nothing: all are looked at when the file is opened. The longest disc has
/// half as many pieces of 64 KiB, which is what bgzip makes, and nobody makes shorter ones.
const MOST: u64 = 1 << 22;
const GAP: u64 = 1;
const AS_LONG: u64 = 2;

impl Index {
    /// Adds a piece; those that decode to nothing only take place. Nothing for one that does not follow the last, or is longer
    /// than any file, or is one too many.
    pub fn push(&mut self, piece: Piece) -> Option<()> {
        self.seen += 1;
        if self.seen > MOST {
            return None;
        }
        if piece.decoded == 0 {
            return Some(());
        }
        if self.count.is_multiple_of(GROUP) {
            self.next.offset = self.bytes.len();
            self.marks.push(self.next);
        }
        self.count += 1;
        let last = self.next;
        let gap = piece.at.checked_sub(last.at)?;
        let flags = if gap > 0 { GAP } else { 0 } | if piece.decoded == last.decoded { AS_LONG } else { 0 };
        put(&mut self.bytes, piece.packed.checked_mul(4)? | flags);
        if flags & GAP != 0 {
            put(&mut self.bytes, gap);
        }
        if flags & AS_LONG == 0 {
            put(&mut self.bytes, piece.decoded);
        }
        let at = piece.at.checked_add(piece.packed)?;
        self.next = Mark { offset: 0, at, start: last.start.checked_add(piece.decoded)?, decoded: piece.decoded };
        Some(())
    }

    /// Gives back what was taken to grow.
    pub fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.marks.shrink_to_fit();
    }

    /// Decoded bytes of all pieces.
    pub fn total(&self) -> u64 {
        self.next.start
    }

    /// The piece with the decoded byte `offset`, its number, and its first decoded byte.
    pub fn at(&self, offset: u64) -> Option<(u64, u64, Piece)> {
        let group = self.marks.partition_point(|mark| mark.start <= offset).checked_sub(1)?;
        let mark = *self.marks.get(group)?;
        let mut bytes = self.bytes.get(mark.offset..)?.iter();
        let Mark { mut at, mut start, mut decoded, .. } = mark;
        for number in group as u64 * GROUP..self.count {
            let head = take(&mut bytes);
            at += if head & GAP != 0 { take(&mut bytes) } else { 0 };
            decoded = if head & AS_LONG != 0 { decoded } else { take(&mut bytes) };
            let piece = Piece { at, packed: head >> 2, decoded };
            if offset - start < decoded {
                return Some((number, start, piece));
            }
            at += piece.packed;
            start += decoded;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_took() {
        let (mut index, mut pieces, mut at, mut start) = (Index::default(), Vec::new(), 0, 0);
        for number in 0..1000_u64 {
            at += [0, 0, 3, 200][number as usize % 4];
            let packed = [1, 31, 32, 70_000, 1 << 40][number as usize % 5];
            let decoded = [65536, 65536, 65536, 0, 1, 64 << 20][number as usize % 6];
            let piece = Piece { at, packed, decoded };
            index.push(piece).unwrap();
            if decoded > 0 {
                pieces.push((pieces.len() as u64, start, piece));
            }
            (at, start) = (at + packed, start + decoded);
        }
        index.shrink();
        for &(number, start, piece) in &pieces {
            assert_eq!(index.at(start), Some((number, start, piece)));
            assert_eq!(index.at(start + piece.decoded - 1), Some((number, start, piece)));
        }
        assert_eq!((index.total(), index.at(start)), (start, None));
        let before = pieces[pieces.len() - 1].2.at;
        assert_eq!(index.push(Piece { at: before, packed: 1, decoded: 1 }), None);
        assert_eq!(index.push(Piece { at, packed: 1 << 63, decoded: 1 }), None);
    }

    #[test]
    fn ends_where_a_hostile_file_would_not() {
        let (mut index, piece) = (Index::default(), Piece { at: 0, packed: 28, decoded: 0 });
        assert_eq!((0..2 * MOST).take_while(|_| index.push(piece).is_some()).count() as u64, MOST);
    }
}
