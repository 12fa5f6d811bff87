//! Partitions: logical blocks to blocks of the disc (ECMA-167, 3/10.7; UDF 2.60, 2.2.8 to 2.2.13).

use std::collections::BTreeMap;

use super::super::FsError;
use super::super::read::{BLOCK, Fields, Piece, range, range_of};
use crate::disc::Disc;

/// Bytes of a sparing table that are read: UDF tables have 1,024 entries or fewer in practice.
const MAX_SPARING: usize = 1 << 20;

/// How one partition map of the logical volume maps.
#[derive(Debug)]
pub(super) enum Mapping {
    /// Type 1: a run of the volume.
    Physical { start: u32, blocks: u32 },
    /// Rewritable media: packets that went bad lie elsewhere.
    Sparable { start: u32, blocks: u32, packet: u32, spared: BTreeMap<u32, u32> },
    /// Write-once media: a table says where each block was written last.
    Virtual { start: u32, blocks: u32, table: Contents, first_entry: u64, entries: u32 },
    /// From 2.50 on: descriptors lie inside a file of another partition.
    Metadata { file: Contents, blocks: u32 },
}

/// The contents of a file that is looked into for every block.
#[derive(Debug)]
pub(super) struct Contents {
    pieces: Vec<Piece>,
    /// Where each piece begins.
    starts: Vec<u64>,
}

impl Contents {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        let mut next = 0_u64;
        let starts = pieces.iter().map(|piece| {
            let start = next;
            next = next.saturating_add(piece.len());
            start
        });
        Self { starts: starts.collect(), pieces }
    }

    /// How many runs it has.
    pub(super) fn runs(&self) -> usize {
        self.pieces.len()
    }

    /// The pieces from the one on that holds the byte at `offset`, and the place of that byte in it.
    fn from(&self, offset: u64) -> Option<(&[Piece], u64)> {
        let last = self.starts.partition_point(|start| *start <= offset).checked_sub(1)?;
        let inside = offset - self.starts[last];
        (inside < self.pieces[last].len()).then_some((&self.pieces[last..], inside))
    }
}

/// A run of logical blocks that lie together on the disc.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub lba: u32,
    pub blocks: u32,
}

impl Mapping {
    /// Whether each block of a run is looked up in a table on the disc.
    pub(super) fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual { .. })
    }

    /// Runs of the file that it is looked up in.
    pub(super) fn runs(&self) -> usize {
        match self {
            Self::Physical { .. } | Self::Sparable { .. } => 0,
            Self::Virtual { table: file, .. } | Self::Metadata { file, .. } => file.runs(),
        }
    }

    /// The name people know, and JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Physical { .. } => "physical",
            Self::Sparable { .. } => "sparable",
            Self::Virtual { .. } => "virtual",
            Self::Metadata { .. } => "metadata",
        }
    }

    /// Where logical block `block` lies, and how many of the `wanted` blocks from it lie together.
    ///
    /// # Errors
    /// When it is outside the partition or the table does not map it.
    pub(super) fn run(&self, disc: &Disc, block: u32, wanted: u32) -> Result<Run, FsError> {
        let outside = || FsError::invalid("an address outside its UDF partition", block);
        match self {
            Self::Physical { start, blocks } => {
                let left = blocks.checked_sub(block).filter(|left| *left > 0).ok_or_else(outside)?;
                let lba = start.checked_add(block).ok_or_else(outside)?;
                Ok(Run { lba, blocks: wanted.min(left) })
            }
            Self::Sparable { start, blocks, packet, spared } => {
                let left = blocks.checked_sub(block).filter(|left| *left > 0).ok_or_else(outside)?;
                let (inside, first) = (block % packet, block - block % packet);
                if let Some(moved) = spared.get(&first) {
                    let lba = moved.checked_add(inside).ok_or_else(outside)?;
                    return Ok(Run { lba, blocks: wanted.min(left).min(packet - inside) });
                }
                let until = spared.range(block..).next().map_or(left, |(next, _)| next - block);
                let lba = start.checked_add(block).ok_or_else(outside)?;
                Ok(Run { lba, blocks: wanted.min(left).min(until) })
            }
            Self::Virtual { start, blocks, table, first_entry, entries } => {
                if block >= *entries {
                    return Err(outside());
                }
                let at = first_entry.saturating_add(u64::from(block) * 4);
                let (pieces, inside) = table.from(at).ok_or_else(outside)?;
                let entry = range_of(disc, pieces, inside, 4)?;
                // FFFFFFFFh: not in use (UDF 2.60, 2.2.11).
                let mapped = entry.le32(0);
                let lba = start.checked_add(mapped).filter(|_| mapped < *blocks && entry.len() == 4);
                Ok(Run { lba: lba.ok_or_else(outside)?, blocks: 1 })
            }
            Self::Metadata { file, blocks } => {
                let left = blocks.checked_sub(block).filter(|left| *left > 0).ok_or_else(outside)?;
                let Some(([Piece::Stored { offset, bytes }, ..], inside)) = file.from(u64::from(block) * BLOCK) else {
                    return Err(outside());
                };
                let lba = u32::try_from((offset + inside) / BLOCK).map_err(|_| outside())?;
                let rest = u32::try_from((bytes - inside).div_ceil(BLOCK)).unwrap_or(u32::MAX);
                Ok(Run { lba, blocks: wanted.min(left).min(rest) })
            }
        }
    }
}

/// The newest readable sparing table of a sparable partition map (UDF 2.60, 2.2.9 and 2.2.12). Without one, nothing
/// was spared.
pub(super) fn sparing_table(disc: &Disc, map: &[u8]) -> BTreeMap<u32, u32> {
    let tables = usize::from(map.u8(42)).min(4);
    let size = (map.le32(44) as usize).min(MAX_SPARING);
    let newest = (0..tables)
        .filter_map(|index| {
            let lba = map.le32(48 + 4 * index);
            let table = range(disc, u64::from(lba) * BLOCK, size).ok()?;
            (table.part(17, 18) == b"*UDF Sparing Table" && table.le32(12) == lba).then_some(table)
        })
        .max_by_key(|table| table.le32(52));
    let Some(table) = newest else { return BTreeMap::new() };
    let entries = table.part(56, usize::from(table.le16(48)) * 8).chunks_exact(8);
    // From FFFFFFF0h on: free or defective. Any other is the first block of a packet.
    let used = |packet: &u32| *packet < 0xFFFF_FFF0 && packet.is_multiple_of(u32::from(map.le16(40)).max(1));
    entries.map(|entry| (entry.le32(0), entry.le32(4))).filter(|(packet, _)| used(packet)).collect()
}
