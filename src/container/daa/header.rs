//! The header of the main file, and what stands between it and the table.

use super::table::{Layout, Table, unpack};
use super::{Brand, MOST_PARTS, OTHER_DAA};
use crate::container::lzma::Lzma;
use crate::container::record::{Record, bytes_at};
use crate::container::{ImageError, ImageErrorKind, OpenContext};
use crate::source::SharedSource;
use crate::source::blocks::MAX_BLOCK;

const HEADER: usize = 76;
const VERSION_1_00: u32 = 0x100;
const VERSION_1_10: u32 = 0x110;
/// Bits of the word at 36 of version 1.10.
const TABLE_PACKED: u32 = 0x4000;
const BITS_MASKED: u32 = 0x2_0000;
const BYTES_MASKED: u32 = 0x800_0000;
const TYPES: u32 = 0x180_0000;
/// Decoded bytes, at most: four layers of Blu-ray.
const LONGEST: u64 = 1 << 37;
/// Chunks, at most, which are all looked at: those of the longest image in the shortest chunks of version 1.10.
const MOST_CHUNKS: u64 = 1 << 23;
/// Bytes of a table beyond what its chunks need, at most.
const MORE_TABLE: u64 = 1 << 16;
/// Descriptors, at most.
const MOST_DESCRIPTORS: usize = 64;

/// What the header says.
#[derive(Debug)]
pub struct Header {
    version: u32,
    table_at: u64,
    packed_table: u64,
    settings: u32,
    bit_setting: u8,
    crc: u32,
    /// Where the chunks begin.
    pub data: u64,
    /// Decoded bytes.
    pub total: u64,
    /// Decoded bytes of a chunk.
    pub chunk: u64,
    /// The types of deflate blocks, by their code.
    pub types: [u8; 3],
    pub lzma: Lzma,
    /// How many files there are; 0 where nothing is said.
    pub parts: u32,
    /// Their sizes, as far as they are told.
    pub sizes: Vec<u64>,
    pub encryption: Option<Encryption>,
}

/// What a password is held against.
#[derive(Debug)]
pub struct Encryption {
    pub check: u32,
    pub key: [u8; 128],
}

impl Header {
    pub fn read(brand: Brand, source: &SharedSource, cx: &OpenContext<'_>) -> Result<Self, ImageError> {
        let record = Record::<HEADER>::read(source, 0)?;
        let [main, part] = brand.signatures();
        let signature: [u8; 16] = record.bytes(0);
        if signature == part {
            return Err(ImageError::invalid("this is a later part of an image: open the first part"));
        }
        if signature != main && signature != OTHER_DAA {
            return Err(ImageError::invalid("the file has no signature"));
        }
        if crc32fast::hash(&record.bytes::<72>(0)) != record.u32(72) {
            cx.warn("the checksum of the header is wrong: the file may be damaged");
        }
        let (version, settings) = (record.u32(20), record.u32(36));
        let (data, chunk) = match version {
            VERSION_1_00 => (record.u32(24), u64::from(settings)),
            VERSION_1_10 => (record.u32(24) & 0x00FF_FFFF, u64::from(settings & 0xFFF) << 14),
            other => return Err(ImageError::unsupported(format!("version {other:#x} is not read")).at(20)),
        };
        if !(512..=u64::from(MAX_BLOCK)).contains(&chunk) {
            let message = format!("chunks of {chunk} bytes: the file is damaged (at most {MAX_BLOCK} are read)");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(36));
        }
        let total = record.u64(40);
        if !(1..=LONGEST).contains(&total) {
            let message = format!("an image of {total} bytes, which no disc has");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(40));
        }
        if total.div_ceil(chunk) > MOST_CHUNKS {
            let message =
                format!("{total} bytes in chunks of {chunk}: the file is damaged (at most {MOST_CHUNKS} are read)");
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(36));
        }
        let lzma = Lzma {
            properties: record.u8(63),
            dictionary: u32::from_le_bytes(record.bytes(64)),
            x86: record.u8(62) == 1,
        };
        let mut header = Self {
            version,
            table_at: record.u32(16).into(),
            packed_table: record.u32(57).into(),
            settings,
            bit_setting: record.u8(61),
            crc: record.u32(72),
            data: data.into(),
            total,
            chunk,
            types: types(brand, version, settings),
            lzma,
            parts: 0,
            sizes: Vec::new(),
            encryption: None,
        };
        header.descriptors(source)?;
        Ok(header)
    }

    /// Descriptors: type, length with these eight bytes, content.
    fn descriptors(&mut self, source: &SharedSource) -> Result<(), ImageError> {
        let mut at = HEADER as u64;
        for _ in 0..MOST_DESCRIPTORS {
            if at + 8 > self.table_at {
                break;
            }
            let head = Record::<8>::read(source, at)?;
            let (kind, len) = (head.u32(0), u64::from(head.u32(4)));
            if len < 8 || at + len > self.table_at {
                return Err(ImageError::invalid("a description is longer than the room for it").at(at));
            }
            match kind {
                2 => {
                    self.parts = Record::<12>::read(source, at)?.u32(8);
                    let told = (len.saturating_sub(16) / 5).min(self.parts.min(MOST_PARTS).into());
                    let sizes = bytes_at(source, at + 16, told * 5)?;
                    let size = |bytes: &[u8; 5]| bytes.iter().rev().fold(0, |size, &byte| size << 8 | u64::from(byte));
                    self.sizes = sizes.as_chunks().0.iter().map(size).collect();
                }
                3 => {
                    let record = Record::<144>::read(source, at)?;
                    if record.u32(8) != 0 {
                        let message = format!("encryption of kind {} is not read", record.u32(8));
                        return Err(ImageError::unsupported(message).at(at + 8));
                    }
                    self.encryption = Some(Encryption { check: record.u32(12), key: record.bytes(16) });
                }
                _ => {}
            }
            at += len;
        }
        Ok(())
    }

    /// The table of chunks.
    pub fn table(&self, brand: Brand, source: &SharedSource) -> Result<Table, ImageError> {
        let count = self.total.div_ceil(self.chunk);
        let new = self.version == VERSION_1_10;
        let has = |flag| new && self.settings & flag != 0;
        let layout =
            if new { Layout::of_setting(self.bit_setting, self.chunk, has(BITS_MASKED)) } else { Layout::Bytes };
        let room = self.data.saturating_sub(self.table_at);
        let len = if has(TABLE_PACKED) { self.packed_table.min(room) } else { room };
        let most = layout.bytes(count) + MORE_TABLE;
        if len > most {
            return Err(ImageError::invalid(format!("a table of {len} bytes for {count} chunks")).at(self.table_at));
        }
        let mut bytes = bytes_at(source, self.table_at, len)?;
        if has(TABLE_PACKED) {
            // Nothing unpacks to more than this, so that a short file cannot take much memory.
            bytes = unpack(&bytes, self.types, most.min(len.saturating_mul(1100) + 64))?;
        }
        if brand == Brand::Gbi {
            let (less, mask) = (self.crc as u8, (bytes.len() / 4) as u8);
            bytes.iter_mut().for_each(|byte| *byte = byte.wrapping_sub(less) ^ mask);
        }
        if has(BYTES_MASKED) {
            let blocks = self.total / 2048;
            let (mut less, more) = (blocks as u8, (blocks >> 8) as u8);
            for byte in &mut bytes {
                *byte = byte.wrapping_sub(less);
                less = less.wrapping_add(more);
            }
        }
        Table::new(bytes, layout, self.chunk, count).map_err(|error| error.at(self.table_at))
    }
}

/// As RFC 1951 has them.
pub const STANDARD: [u8; 3] = [0, 1, 2];

/// The types of deflate blocks by their code. The description has the second row the other way around; this is what `daa2iso` reads.
fn types(brand: Brand, version: u32, settings: u32) -> [u8; 3] {
    if version != VERSION_1_10 {
        return STANDARD;
    }
    match (settings & TYPES) >> 23 ^ u32::from(brand == Brand::Gbi) {
        0 => STANDARD,
        1 => [2, 0, 1],
        2 => [0, 2, 1],
        _ => [1, 0, 2],
    }
}
