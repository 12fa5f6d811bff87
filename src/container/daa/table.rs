//! The table of a DAA: how long each chunk is as stored, and how it is packed. It stays in memory as it is in the file, 3 or 4
//! bytes for a chunk; where a chunk lies is the sum of the lengths before it.

use std::io;

use super::inflate::inflate;
use crate::container::sums::Sums;
use crate::container::{ImageError, ImageErrorKind, damaged};

/// Numbers that entries are masked with (formats.md, 16).
const MASKS: [u8; 8] = [0x0A, 0x35, 0x2D, 0x3F, 0x08, 0x33, 0x09, 0x15];
/// A stored chunk says that it is this much longer.
const STORED_MORE: u64 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    Stored,
    Deflate,
    Lzma,
}

/// A chunk as stored.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub offset: u64,
    pub len: u64,
    pub packing: Packing,
}

/// How entries are written.
#[derive(Debug, Clone, Copy)]
pub enum Layout {
    /// Version 1.00: three bytes, the middle one last.
    Bytes,
    /// Version 1.10: so many bits of length and of kind.
    Bits { length: u32, kind: u32, masked: bool },
}

impl Layout {
    /// What byte 61 of the header says for chunks of this size.
    pub fn of_setting(setting: u8, chunk: u64, masked: bool) -> Self {
        let kind = u32::from(setting & 7);
        let length = match u32::from(setting >> 3) {
            // As many as it takes to bring the size down to the number of the other bits.
            0 => (0..64).find(|shift| chunk >> shift <= u64::from(kind)).unwrap_or(63),
            bits => bits + 10,
        };
        Self::Bits { length, kind, masked }
    }

    /// Bytes of a table for `count` chunks.
    pub fn bytes(self, count: u64) -> u64 {
        match self {
            Self::Bytes => 3 * count,
            Self::Bits { length, kind, .. } => (count * u64::from(length + kind)).div_ceil(8),
        }
    }
}

/// The table of an image.
#[derive(Debug, Clone)]
pub struct Table {
    bytes: Vec<u8>,
    layout: Layout,
    chunk: u64,
    sums: std::sync::Arc<Sums>,
}

impl Table {
    /// A table for `count` chunks of `chunk` bytes.
    ///
    /// # Errors
    /// When it is too short, or its chunks are longer than any file.
    pub fn new(bytes: Vec<u8>, layout: Layout, chunk: u64, count: u64) -> Result<Self, ImageError> {
        let needed = layout.bytes(count);
        if (bytes.len() as u64) < needed {
            let message = format!("the table of {count} chunks has {} bytes, and needs {needed}", bytes.len());
            return Err(ImageError::invalid(message));
        }
        let mut table = Self { bytes, layout, chunk, sums: std::sync::Arc::default() };
        let mut sums = Sums::default();
        for number in 0..count {
            let (len, _) = table.entry(number).map_err(ImageError::io)?;
            let too_long = || ImageError::new(ImageErrorKind::Limit, "the chunks are longer than any file can be");
            sums.push(len).ok_or_else(too_long)?;
        }
        table.sums = std::sync::Arc::new(sums);
        Ok(table)
    }

    /// Bytes of all chunks as stored.
    pub fn stored(&self) -> u64 {
        self.sums.total()
    }

    /// Where chunk `number` is.
    pub fn place(&self, number: u64) -> io::Result<Place> {
        let (known, mut offset) = self.sums.before(number);
        for before in known..number {
            offset += self.entry(before)?.0;
        }
        let (len, packing) = self.entry(number)?;
        Ok(Place { offset, len, packing })
    }

    fn entry(&self, number: u64) -> io::Result<(u64, Packing)> {
        let cut = || damaged("the table of chunks is too short");
        match self.layout {
            Layout::Bytes => {
                let at = number as usize * 3;
                let bytes = self.bytes.get(at..at + 3).ok_or_else(cut)?;
                let len = u64::from(bytes[0]) << 16 | u64::from(bytes[2]) << 8 | u64::from(bytes[1]);
                Ok((len, Packing::Deflate))
            }
            Layout::Bits { length, kind, masked } => {
                let at = number * u64::from(length + kind);
                let n = number as u32;
                let mask = if masked { ((n ^ u32::from(MASKS[n as usize % 8])) & 0xFF) * 0x0101_0101 } else { 0 };
                let len = self.bits(at, length).ok_or_else(cut)? ^ u64::from(mask) & ((1 << length) - 1);
                let kind =
                    self.bits(at + u64::from(length), kind).ok_or_else(cut)? ^ u64::from(mask) & ((1 << kind) - 1);
                let len = len + 5;
                match kind {
                    _ if len >= self.chunk + STORED_MORE => Ok((len, Packing::Stored)),
                    0 => Ok((len, Packing::Lzma)),
                    1 => Ok((len, Packing::Deflate)),
                    _ => Err(damaged("a chunk is packed in an unknown way")),
                }
            }
        }
    }

    /// `count` bits from bit `at`, the lowest first.
    fn bits(&self, at: u64, count: u32) -> Option<u64> {
        let first = (at / 8) as usize;
        let last = ((at + u64::from(count)).div_ceil(8)) as usize;
        let bytes = self.bytes.get(first..last)?;
        let word = bytes.iter().rev().fold(0_u128, |word, &byte| word << 8 | u128::from(byte));
        Some((word >> (at % 8)) as u64 & ((1 << count) - 1))
    }
}

/// The bytes of a table that is packed.
pub fn unpack(packed: &[u8], types: [u8; 3], most: u64) -> Result<Vec<u8>, ImageError> {
    let mut bytes = vec![0; most as usize];
    let len = inflate(packed, types, &mut bytes)
        .map_err(|error| ImageError::invalid(format!("the table of chunks does not unpack: {error}")))?;
    bytes.truncate(len);
    Ok(bytes)
}
