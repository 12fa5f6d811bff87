//! Descriptor tags, and where a volume is described (ECMA-167, part 3).

use super::super::FsError;
use super::super::read::{BLOCK, Block, Fields, block};
use crate::disc::{Disc, Lba};

/// Tag identifiers (ECMA-167, 3/7.2.1 and 4/7.2.1).
pub(super) mod tag {
    pub const PRIMARY_VOLUME: u16 = 1;
    pub const ANCHOR: u16 = 2;
    pub const VOLUME_POINTER: u16 = 3;
    pub const PARTITION: u16 = 5;
    pub const LOGICAL_VOLUME: u16 = 6;
    pub const TERMINATOR: u16 = 8;
    pub const FILE_SET: u16 = 256;
    pub const FILE_IDENTIFIER: u16 = 257;
    pub const ALLOCATION_EXTENT: u16 = 258;
    pub const FILE_ENTRY: u16 = 261;
    pub const EXTENDED_FILE_ENTRY: u16 = 266;
}

/// Blocks of the volume descriptor sequence that are read: the standard asks for at least 16.
const MAX_SEQUENCE: u32 = 256;
/// Structures of the volume recognition sequence that are looked at.
const MAX_RECOGNITION: u32 = 64;

/// An extent of the volume: length in bytes and first block.
#[derive(Debug, Clone, Copy)]
pub(super) struct VolumeExtent {
    pub bytes: u32,
    pub block: u32,
}

/// The tag identifier of a descriptor whose checksum and CRC are right and which says it lies at `location`.
pub(super) fn tag_of(bytes: &[u8], location: u32) -> Option<u16> {
    (bytes.le32(12) == location).then(|| tag_anywhere(bytes)).flatten()
}

/// As [`tag_of`], wherever it says that it lies.
pub(super) fn tag_anywhere(bytes: &[u8]) -> Option<u16> {
    let tag = bytes.get(..16)?;
    let sum = tag.iter().enumerate().filter(|(at, _)| *at != 4).fold(0_u8, |sum, (_, byte)| sum.wrapping_add(*byte));
    let covered = bytes.get(16..16 + usize::from(tag.le16(10)))?;
    (sum == tag[4] && tag.le16(0) != 0 && crc(covered) == tag.le16(8)).then(|| tag.le16(0))
}

/// CRC-CCITT, from zero (ECMA-167, 1/7.2.6).
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| crc << 8 ^ CRCS[usize::from((crc >> 8) as u8 ^ byte)])
}

/// The CRC of each byte: whole blocks are checked for every file of a folder.
static CRCS: [u16; 256] = {
    let mut crcs = [0; 256];
    let mut byte = 0;
    while byte < crcs.len() {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc & 0x8000 != 0 { 0x1021 } else { 0 };
            bit += 1;
        }
        crcs[byte] = crc;
        byte += 1;
    }
    crcs
};

/// The NSR descriptor of the volume recognition sequence (ECMA-167, 2/8.3 and 3/9.1): 2 or 3, or `None` without one.
pub(super) fn recognise(disc: &Disc, start: Lba) -> Option<u8> {
    for index in 16..16 + MAX_RECOGNITION {
        let sector = block(disc, u32::try_from(start.plus(index).0).ok()?).ok()?;
        match sector.part(1, 5) {
            b"NSR02" => return Some(2),
            b"NSR03" => return Some(3),
            b"BEA01" | b"BOOT2" | b"CD001" | b"CDW02" => {}
            _ => return None,
        }
    }
    None
}

/// Both volume descriptor sequences that the first anchor names (ECMA-167, 3/8.4.2.1): at 256, N - 256 or N of the
/// volume. Where the last block is depends on the writer: a CD may end in two run-out blocks or 150 of post-gap.
pub(super) fn anchor(disc: &Disc, start: Lba) -> Option<[VolumeExtent; 2]> {
    let last = disc.blocks().saturating_sub(1);
    let start = u32::try_from(start.0).ok()?;
    let places = [start.saturating_add(256), last, last.saturating_sub(256), start.saturating_add(512)];
    let rest = [2, 150, 152].map(|blocks| last.saturating_sub(blocks));
    let run_out = [2, 150, 152].map(|blocks| last.saturating_sub(blocks + 256));
    places.into_iter().chain(rest).chain(run_out).find_map(|place| {
        let sector = block(disc, place).ok()?;
        (tag_of(&sector, place)? == tag::ANCHOR)
            .then(|| [16, 24].map(|at| VolumeExtent { bytes: sector.le32(at), block: sector.le32(at + 4) }))
    })
}

/// The prevailing descriptors of a sequence (ECMA-167, 3/8.4.3).
#[derive(Debug, Default)]
pub(super) struct Sequence {
    pub primary: Option<Block>,
    pub logical: Option<Block>,
    pub partitions: Vec<Block>,
}

impl Sequence {
    /// Reads a sequence, following volume descriptor pointers.
    ///
    /// # Errors
    /// When it has no logical volume or no partition.
    pub(super) fn read(disc: &Disc, extent: VolumeExtent) -> Result<Self, FsError> {
        let mut found = Self::default();
        let (mut next, mut left) = (Some(extent), MAX_SEQUENCE);
        while let Some(VolumeExtent { bytes, block: first }) = next.take() {
            for index in 0..(u64::from(bytes) / BLOCK) as u32 {
                if left == 0 {
                    break;
                }
                left -= 1;
                let Some(lba) = first.checked_add(index) else { break };
                // One unreadable block does not take the others away.
                let Ok(sector) = block(disc, lba) else { continue };
                match tag_of(&sector, lba) {
                    Some(tag::PRIMARY_VOLUME) => prevail(&mut found.primary, sector),
                    Some(tag::LOGICAL_VOLUME) => prevail(&mut found.logical, sector),
                    Some(tag::PARTITION) => found.partition(sector),
                    Some(tag::VOLUME_POINTER) => {
                        next = Some(VolumeExtent { bytes: sector.le32(20), block: sector.le32(24) });
                    }
                    Some(tag::TERMINATOR) => break,
                    _ => {}
                }
            }
        }
        match found.logical.is_some() && !found.partitions.is_empty() {
            true => Ok(found),
            false => Err(FsError::invalid("the UDF volume descriptor sequence", extent.block)),
        }
    }

    fn partition(&mut self, sector: Block) {
        match self.partitions.iter_mut().find(|known| known.le16(22) == sector.le16(22)) {
            Some(known) if known.le32(16) > sector.le32(16) => {}
            Some(known) => *known = sector,
            None => self.partitions.push(sector),
        }
    }
}

/// The higher volume descriptor sequence number prevails.
fn prevail(known: &mut Option<Block>, sector: Block) {
    if known.as_ref().is_none_or(|known| known.le32(16) <= sector.le32(16)) {
        *known = Some(sector);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_has_the_check_value_of_the_standard() {
        // ECMA-167, 1/7.2.6: 70 6A 77 is 3299h.
        assert_eq!(crc(&[0x70, 0x6A, 0x77]), 0x3299);
    }

    #[test]
    fn a_tag_that_covers_more_than_there_is_is_refused() {
        let mut tag = [0; 16];
        tag[0] = 2;
        tag[10] = 1;
        tag[4] = 3;
        assert_eq!(tag_anywhere(&tag), None);
        tag[10] = 0;
        tag[4] = 2;
        assert_eq!(tag_anywhere(&tag), Some(2));
    }
}
