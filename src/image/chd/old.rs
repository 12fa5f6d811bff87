//! The maps of versions 1 to 4 (formats.md, 13.1), read entry by entry from the file.

use std::io;

use super::codec::Codec;
use super::hunks::{Check, Hunk, Kind};
use crate::container::damaged;
use crate::source::ByteSource;

/// Where a map lies and what its entries look like.
#[derive(Debug, Clone, Copy)]
pub struct OldMap {
    /// Offset of the first entry.
    pub at: u64,
    pub version: u32,
    pub hunk_bytes: u32,
}

impl OldMap {
    /// Bytes of an entry.
    pub fn entry(version: u32) -> u64 {
        if version < 3 { 8 } else { 16 }
    }

    /// Where hunk `number` is.
    pub fn hunk(self, source: &dyn ByteSource, number: u32) -> io::Result<Hunk> {
        let at = self.at + u64::from(number) * Self::entry(self.version);
        let mut first = [0; 8];
        source.read_exact_at(&mut first, at)?;
        let offset = u64::from_be_bytes(first);
        if self.version < 3 {
            const OFFSET: u64 = (1 << 44) - 1;
            let len = (offset >> 44) as u32;
            let offset = offset & OFFSET;
            let kind = match len == self.hunk_bytes {
                true => Kind::Stored(offset),
                false => Kind::Packed { codec: Codec::Zlib, offset, len },
            };
            return Ok(Hunk { kind, check: Check::None });
        }
        let mut second = [0; 8];
        source.read_exact_at(&mut second, at + 8)?;
        let [c0, c1, c2, c3, middle, low, high, flags] = second;
        let len = u32::from_be_bytes([0, high, middle, low]);
        let no_crc = flags & 0x10 != 0;
        let check = if no_crc { Check::None } else { Check::Crc32(u32::from_be_bytes([c0, c1, c2, c3])) };
        let (kind, check) = match flags & 0xF {
            1 => (Kind::Packed { codec: Codec::Zlib, offset, len }, check),
            2 => (Kind::Stored(offset), check),
            3 => (Kind::Repeat(first), check),
            // What they refer to has its own.
            4 => (Kind::Same(offset), Check::None),
            5 => (Kind::Parent(offset.saturating_mul(u64::from(self.hunk_bytes))), Check::None),
            6 => (Kind::Packed { codec: Codec::CdFlac, offset, len }, check),
            _ => return Err(damaged("a hunk is of no known type")),
        };
        Ok(Hunk { kind, check })
    }
}
