//! The hunks of a CHD: finding them by the map of its version, and decoding them.

use std::fmt;
use std::io;

use super::codec::Codec;
use super::crc16::crc16;
use super::header::{Header, Packing, cut_off};
use super::map::{PackedMap, Shape};
use super::old::OldMap;
use crate::container::{ImageError, damaged};
use crate::source::{Block, Blocks, SharedSource, with_bytes};

/// Where a hunk is and how it is checked.
#[derive(Debug, Clone, Copy)]
pub struct Hunk {
    pub kind: Kind,
    pub check: Check,
}

/// Where a hunk is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Packed {
        codec: Codec,
        offset: u64,
        len: u32,
    },
    Stored(u64),
    /// These bytes over and over.
    Repeat([u8; 8]),
    Zeros,
    /// As this hunk.
    Same(u64),
    /// In the parent from this byte on.
    Parent(u64),
}

/// The checksum of the decoded hunk.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    None,
    Crc16(u16),
    Crc32(u32),
}

/// The hunks of a file.
pub struct Hunks {
    source: SharedSource,
    hunks: u32,
    hunk_bytes: u32,
    map: Map,
    parent: Option<SharedSource>,
}

#[derive(Debug)]
enum Map {
    Packed(PackedMap),
    /// Offset of four bytes per hunk: where it is, in hunks; 0 for the parent's, or zeros.
    Plain(u64),
    Old(OldMap),
}

/// How many hunks may refer to one another before one is reached that is stored.
const MOST_STEPS: u32 = 64;

impl Hunks {
    /// The hunks that `header` describes.
    pub fn new(source: SharedSource, header: &Header, parent: Option<SharedSource>) -> Result<Self, ImageError> {
        let Header { version, hunks, hunk_bytes, .. } = *header;
        let fits = |at: u64, entry: u64| {
            let end = u64::from(hunks).checked_mul(entry).and_then(|len| len.checked_add(at));
            let eof = || cut_off(io::ErrorKind::UnexpectedEof.into(), "map of hunks", at);
            end.filter(|&end| end <= source.len()).ok_or_else(eof)
        };
        let map = match header.packing {
            Packing::Packed { map, codecs } => {
                let unit_bytes = header.unit_bytes.unwrap_or(hunk_bytes);
                let shape = Shape { hunks, hunk_bytes, unit_bytes, codecs };
                Map::Packed(PackedMap::read(&*source, map, shape).map_err(|error| cut_off(error, "map of hunks", map))?)
            }
            Packing::Plain { map } => {
                fits(map, 4)?;
                Map::Plain(map)
            }
            Packing::Old => {
                let at = u64::from(header.len);
                fits(at, OldMap::entry(version))?;
                Map::Old(OldMap { at, version, hunk_bytes })
            }
        };
        Ok(Self { source, hunks, hunk_bytes, map, parent })
    }

    fn hunk(&self, number: u32) -> io::Result<Hunk> {
        match &self.map {
            Map::Packed(map) => map.hunk(number),
            Map::Old(map) => map.hunk(&*self.source, number),
            Map::Plain(at) => {
                let mut entry = [0; 4];
                self.source.read_exact_at(&mut entry, at + u64::from(number) * 4)?;
                let size = u64::from(self.hunk_bytes);
                let kind = match (u32::from_be_bytes(entry), &self.parent) {
                    (0, None) => Kind::Zeros,
                    (0, Some(_)) => Kind::Parent(u64::from(number) * size),
                    (place, _) => Kind::Stored(u64::from(place) * size),
                };
                Ok(Hunk { kind, check: Check::None })
            }
        }
    }

    /// The hunk that `number` is the same as, if it is one.
    fn resolve(&self, number: u64) -> io::Result<Hunk> {
        let mut number = number;
        for _ in 0..MOST_STEPS {
            let index = u32::try_from(number).ok().filter(|&index| index < self.hunks);
            let hunk = self.hunk(index.ok_or_else(|| damaged("a hunk refers to one that is not there"))?)?;
            match hunk.kind {
                Kind::Same(other) => number = other,
                _ => return Ok(hunk),
            }
        }
        Err(damaged("hunks refer to one another in a circle"))
    }

    fn unpack(&self, kind: Kind, out: &mut [u8]) -> io::Result<()> {
        match kind {
            Kind::Packed { codec, offset, len } => {
                // No packer makes a hunk much longer than it is.
                if u64::from(len) > out.len() as u64 + out.len() as u64 / 8 + 1024 {
                    return Err(damaged("a packed hunk is too long"));
                }
                with_bytes(&self.source, offset, len as usize, |packed| codec.decode(packed, out))
            }
            Kind::Stored(offset) => self.source.read_exact_at(out, offset),
            Kind::Repeat(bytes) => {
                out.chunks_mut(bytes.len()).for_each(|chunk| chunk.copy_from_slice(&bytes[..chunk.len()]));
                Ok(())
            }
            Kind::Zeros => {
                out.fill(0);
                Ok(())
            }
            Kind::Parent(at) => match &self.parent {
                Some(parent) => parent.read_exact_at(out, at),
                None => Err(damaged("a hunk is in a parent, but the header names none")),
            },
            Kind::Same(_) => Err(damaged("hunks refer to one another in a circle")),
        }
    }
}

impl Blocks for Hunks {
    /// The last hunk is whole in the file, whatever the length of the content.
    fn total_len(&self) -> u64 {
        u64::from(self.hunks) * u64::from(self.hunk_bytes)
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(self.hunk_bytes);
        Ok(Block { index, start: index * u64::from(self.hunk_bytes), len: self.hunk_bytes })
    }

    fn even(&self) -> Option<u32> {
        Some(self.hunk_bytes)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let Hunk { kind, check } = self.resolve(block.index)?;
        self.unpack(kind, out)?;
        let sound = match check {
            Check::None => true,
            Check::Crc16(crc) => crc16(out) == crc,
            Check::Crc32(crc) => crc32fast::hash(out) == crc,
        };
        if sound { Ok(()) } else { Err(damaged("the CRC of a hunk is wrong")) }
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        // Elsewhere a CRC is to be held against what is stored.
        let Map::Plain(_) = self.map else { return None };
        match self.resolve(block.index).ok()?.kind {
            Kind::Stored(offset) => Some((SharedSource::clone(&self.source), offset)),
            _ => None,
        }
    }
}

impl fmt::Debug for Hunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hunks({} of {} bytes)", self.hunks, self.hunk_bytes)
    }
}
