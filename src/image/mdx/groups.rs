//! The sectors of a data file that is packed, and maybe encrypted (formats.md, 8.6).

use std::io;
use std::sync::Arc;

use super::super::record::bytes_at;
use super::super::{ImageError, ImageErrorKind};
use super::crypt::Lrw;
use crate::container::damaged;
use crate::container::inflate::inflate;
use crate::source::{Block, Blocks, SharedSource};

/// Bytes of a group, at most.
const LONGEST_GROUP: u64 = 16 << 20;
/// A stream of zlib is at least so many times shorter than what it holds.
const MOST_DEFLATE: u64 = 1032;
/// What programs read of the table beyond one entry for each group: its packed length is nowhere told.
const MORE_ENTRIES: u64 = 0x800;
/// The start of every group of this many is kept, those between are sums.
const STEP: usize = 64;
/// The bit of an entry that says: nothing is stored, all bytes are the low one.
const FILLED: u16 = 0x8000;

/// Sectors that are packed in groups.
#[derive(Debug)]
pub struct Groups {
    file: SharedSource,
    /// Of the first byte in `file`.
    offset: u64,
    /// Bytes of a sector.
    stride: u32,
    sectors: u32,
    /// Sectors of a group.
    group: u32,
    key: Option<Arc<Lrw>>,
    /// How long groups are in the file: 0 for as long as they are unpacked, see also [`FILLED`].
    sizes: Vec<u16>,
    /// Where every [`STEP`]th is.
    starts: Vec<u64>,
    /// Bytes of all.
    total: u64,
}

impl Groups {
    /// Sectors that are packed in groups of `group`; the table of their lengths is at `table` of the file.
    pub fn new(
        file: SharedSource,
        offset: u64,
        (stride, sectors, group): (u32, u32, u32),
        table: u64,
        key: Option<Arc<Lrw>>,
    ) -> Result<Self, ImageError> {
        if group == 0 || u64::from(group) * u64::from(stride) > LONGEST_GROUP {
            let message = format!("groups of {group} sectors, which are not read");
            return Err(ImageError::new(ImageErrorKind::Limit, message));
        }
        let count = sectors.div_ceil(group);
        let sizes = read_table(&file, table, count)?;
        let mut groups = Self { file, offset, stride, sectors, group, key, sizes, starts: Vec::new(), total: 0 };
        for (first, sizes) in (0..).step_by(STEP).zip(groups.sizes.chunks(STEP)) {
            groups.starts.push(groups.total);
            groups.total += groups.stored_together(first, sizes);
        }
        Ok(groups)
    }

    /// Where the last group ends in the file.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.total)
    }

    fn bytes(&self, number: u64) -> u64 {
        let sectors = u64::from(self.sectors).saturating_sub(number * u64::from(self.group));
        sectors.min(u64::from(self.group)) * u64::from(self.stride)
    }

    /// Bytes in the file of the groups from `first` on, whose entries are `sizes`.
    fn stored_together(&self, first: u64, sizes: &[u16]) -> u64 {
        (first..).zip(sizes).map(|(number, &size)| self.stored_bytes(number, size)).sum()
    }

    fn stored_bytes(&self, number: u64, size: u16) -> u64 {
        match size {
            0 => self.bytes(number),
            _ if size & FILLED != 0 => 0,
            _ => u64::from(size),
        }
    }

    /// Where a group is in the file, and its entry in the table.
    fn place(&self, number: u64) -> io::Result<(u64, u16)> {
        let none = || damaged("a group that the table does not have");
        let at = usize::try_from(number).map_err(|_| none())?;
        let first = at / STEP * STEP;
        let start = self.starts.get(at / STEP).ok_or_else(none)?;
        let before = self.sizes.get(first..at).ok_or_else(none)?;
        let between = self.stored_together(first as u64, before);
        let size = *self.sizes.get(at).ok_or_else(none)?;
        Ok((self.offset.saturating_add(start + between), size))
    }

    /// Reads what is stored of a group and decrypts it.
    fn read(&self, number: u64, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, at)?;
        if let Some(key) = &self.key {
            key.decrypt_from_sector(out, number * u64::from(self.group), self.stride);
        }
        Ok(())
    }
}

/// The entries of `count` groups.
fn read_table(file: &SharedSource, at: u64, count: u32) -> Result<Vec<u16>, ImageError> {
    let wanted = u64::from(count) * 2;
    let room = file.len().saturating_sub(at).min(wanted + MORE_ENTRIES * 2);
    if wanted / MOST_DEFLATE > room {
        return Err(ImageError::invalid("the table of packed groups is cut off").at(at));
    }
    let packed = bytes_at(file, at, room)?;
    let mut bytes = vec![0; wanted as usize];
    inflate(&packed, true, &mut bytes)
        .map_err(|_| ImageError::invalid("the table of packed groups is damaged or cut off").at(at))?;
    Ok(bytes.chunks_exact(2).map(|entry| u16::from_le_bytes([entry[0], entry[1]])).collect())
}

impl Blocks for Groups {
    fn total_len(&self) -> u64 {
        u64::from(self.sectors) * u64::from(self.stride)
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let bytes = u64::from(self.group) * u64::from(self.stride);
        let index = offset / bytes;
        Ok(Block { index, start: index * bytes, len: self.bytes(index) as u32 })
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        match self.place(block.index)? {
            (at, 0) => self.read(block.index, at, out),
            (_, filled) if filled & FILLED != 0 => {
                out.fill(filled as u8);
                Ok(())
            }
            (at, size) => {
                let mut packed = vec![0; usize::from(size)];
                self.read(block.index, at, &mut packed)?;
                inflate(&packed, false, out).map(|_| ())
            }
        }
    }

    fn stored(&self, block: &Block) -> Option<(SharedSource, u64)> {
        match (&self.key, self.place(block.index)) {
            (None, Ok((at, 0))) => Some((Arc::clone(&self.file), at)),
            _ => None,
        }
    }
}
