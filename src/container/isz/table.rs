//! The chunk table: a length and a kind for every chunk, masked.

use std::io;
use std::sync::Arc;

use super::Header;
use crate::container::sums::{EVERY, Sums};
use crate::container::{ImageError, damaged};
use crate::source::SharedSource;

/// The signature with every bit turned, over and over.
const MASK: [u8; 4] = [0xB6, 0x8C, 0xA5, 0xDE];

/// Takes the mask off bytes that are `phase` bytes after the start of their table.
pub fn unmask(bytes: &mut [u8], phase: u64) {
    let mask = MASK.iter().cycle().skip((phase % 4) as usize);
    bytes.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
}

/// How a chunk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not at all, whatever its length says.
    Zeros,
    Stored,
    Zlib,
    Bzip2,
}

/// Where a chunk lies among all that is stored.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub offset: u64,
    pub len: u64,
    pub kind: Kind,
}

/// The table, in its file.
#[derive(Debug, Clone)]
pub struct Table {
    /// Decoded bytes in all, and of a chunk.
    pub total: u64,
    pub chunk: u32,
    /// Nothing for a file without a table: then all chunks are stored.
    pointers: Option<Pointers>,
}

#[derive(Debug, Clone)]
struct Pointers {
    source: SharedSource,
    at: u64,
    /// Bytes of a pointer.
    width: usize,
    sums: Arc<Sums>,
    first_packed: Option<u64>,
}

impl Table {
    /// Reads it through once.
    pub fn read(source: &SharedSource, header: &Header) -> Result<Self, ImageError> {
        let (count, width) = (u64::from(header.chunks), usize::from(header.pointer));
        let table = Self { total: header.total, chunk: header.chunk, pointers: None };
        if header.table == 0 {
            return Ok(table);
        }
        let at = u64::from(header.table);
        if !(1..=8).contains(&width) {
            return Err(ImageError::invalid(format!("chunk pointers of {width} bytes: the file is damaged")).at(33));
        }
        if at < header.len || at + count * width as u64 > source.len() {
            let message = format!("the table of {count} chunks does not fit into the file: it is damaged or cut off");
            return Err(ImageError::invalid(message).at(at));
        }
        let source = Arc::clone(source);
        let mut pointers = Pointers { source, at, width, sums: Arc::default(), first_packed: None };
        let (mut sums, mut number) = (Sums::default(), 0);
        while number < count {
            let step = EVERY.min(count - number);
            let read = pointers.read(number, step).map_err(|error| ImageError::io(error).at(at))?;
            for (kind, len) in read {
                if pointers.first_packed.is_none() && matches!(kind, Kind::Zlib | Kind::Bzip2) {
                    pointers.first_packed = Some(number);
                }
                let too_long = || ImageError::invalid("the chunks are longer than any file can be").at(at);
                sums.push(len).ok_or_else(too_long)?;
                number += 1;
            }
        }
        pointers.sums = Arc::new(sums);
        Ok(Self { pointers: Some(pointers), ..table })
    }

    /// Chunks in all.
    pub fn count(&self) -> u64 {
        self.total.div_ceil(u64::from(self.chunk))
    }

    /// Stored bytes in all.
    pub fn stored(&self) -> u64 {
        self.pointers.as_ref().map_or(self.total, |pointers| pointers.sums.total())
    }

    /// The first chunk that is packed.
    pub fn first_packed(&self) -> Option<u64> {
        self.pointers.as_ref()?.first_packed
    }

    /// Decoded bytes of a chunk: the last may be shorter.
    pub fn decoded(&self, number: u64) -> u32 {
        (self.total - number * u64::from(self.chunk)).min(u64::from(self.chunk)) as u32
    }

    /// Where chunk `number` begins, or where the last ends.
    pub fn offset(&self, number: u64) -> io::Result<u64> {
        match number < self.count() {
            true => self.place(number).map(|place| place.offset),
            false => Ok(self.stored()),
        }
    }

    /// Where chunk `number` lies.
    pub fn place(&self, number: u64) -> io::Result<Place> {
        let Some(pointers) = &self.pointers else {
            let offset = number * u64::from(self.chunk);
            return Ok(Place { offset, len: self.decoded(number).into(), kind: Kind::Stored });
        };
        let (first, mut offset) = pointers.sums.before(number);
        let mut found = None;
        for (kind, len) in pointers.read(first, number + 1 - first)? {
            offset += found.map_or(0, |place: Place| place.len);
            found = Some(Place { offset, len, kind });
        }
        found.ok_or_else(|| damaged("the chunk table has changed"))
    }
}

impl Pointers {
    /// `count` pointers from `first` on; a chunk of zeros has no length.
    fn read(&self, first: u64, count: u64) -> io::Result<Vec<(Kind, u64)>> {
        let phase = first * self.width as u64;
        let mut bytes = vec![0; count.min(EVERY) as usize * self.width];
        self.source.read_exact_at(&mut bytes, self.at + phase)?;
        unmask(&mut bytes, phase);
        let bits = self.width * 8 - 2;
        let pointers = bytes.chunks_exact(self.width).map(|pointer| {
            let value = pointer.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
            let len = value & ((1 << bits) - 1);
            match value >> bits {
                0 => (Kind::Zeros, 0),
                1 => (Kind::Stored, len),
                2 => (Kind::Zlib, len),
                _ => (Kind::Bzip2, len),
            }
        });
        Ok(pointers.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::MemorySource;

    /// The first pointers of a real file (formats.md, 15).
    #[test]
    fn a_real_table_is_read() {
        let source: SharedSource = Arc::new(MemorySource::new([0xA1, 0x3C, 0x25, 0xDE, 0xB6, 0xCE, 0xA5, 0xDE, 0xF4]));
        let pointers = Pointers { source, at: 0, width: 3, sums: Arc::default(), first_packed: None };
        let expected = [(Kind::Zlib, 0xB017), (Kind::Stored, 0x2_0000), (Kind::Stored, 0x2_0000)];
        assert_eq!(pointers.read(0, 3).unwrap(), expected);
        assert_eq!(pointers.read(1, 1).unwrap(), expected[1..2]);
    }
}
