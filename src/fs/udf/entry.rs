//! File entries: what a file is and where its contents lie (ECMA-167, 4/14.9, 14.14 and 14.17).

use std::collections::HashSet;

use super::super::node::{Kind, Node, Place};
use super::super::read::{BLOCK, Fields, Piece, block, range_of};
use super::super::{FsError, Timestamp};
use super::descriptor::{tag, tag_of};
use super::mapping::Mapping;
use super::text;
use super::work::Work;
use crate::disc::Disc;

/// Runs of one file: a full BD written packet by packet has fewer.
const MAX_PIECES: usize = 1 << 20;
/// Allocation extents of one file: as many as hold that many descriptors.
const MAX_EXTENTS: usize = 1 << 14;
/// Bytes of a symbolic link's path components.
const MAX_LINK: usize = 8192;

/// File types (ECMA-167, 4/14.6.6; UDF 2.60, 2.2.10).
pub(super) mod file_type {
    pub const DIRECTORY: u8 = 4;
    pub const BLOCK_DEVICE: u8 = 6;
    pub const CHAR_DEVICE: u8 = 7;
    pub const FIFO: u8 = 9;
    pub const SOCKET: u8 = 10;
    pub const SYMLINK: u8 = 12;
    pub const VAT: u8 = 248;
}

/// What reads a file entry: the disc and the partitions that allocation descriptors name.
pub(super) struct Reader<'a> {
    pub disc: &'a Disc,
    pub maps: &'a [Mapping],
    pub work: &'a Work,
}

/// A file entry or extended file entry.
pub(super) struct Entry {
    bytes: [u8; BLOCK as usize],
    /// The partition it lies in, which its short allocation descriptors mean.
    partition: u16,
    block: u32,
    extended: bool,
}

/// An allocation descriptor of any form.
struct Allocation {
    /// 0 recorded, 1 allocated, 2 neither, 3 more descriptors.
    kind: u32,
    bytes: u32,
    partition: u16,
    block: u32,
}

impl<'a> Reader<'a> {
    /// The entry in logical block `block` of `partition`.
    pub(super) fn entry(&self, partition: u16, block: u32) -> Result<Entry, FsError> {
        let bytes = self.block(partition, block)?;
        let extended = match tag_of(&bytes, block) {
            Some(tag::FILE_ENTRY) => false,
            Some(tag::EXTENDED_FILE_ENTRY) => true,
            _ => return Err(FsError::invalid("the UDF file entry", self.lba(partition, block)?)),
        };
        let entry = Entry { bytes, partition, block, extended };
        match entry.bytes.le16(20) {
            4 => Ok(entry),
            4096 => Err(FsError::Unsupported("UDF ICB strategy 4096")),
            _ => Err(FsError::invalid("the ICB strategy", self.lba(partition, block)?)),
        }
    }

    /// The node that `entry` describes; its name is for the caller to give.
    pub(super) fn node(&self, entry: &Entry) -> Result<Node, FsError> {
        let kind = match entry.file_type() {
            file_type::DIRECTORY => Kind::Directory,
            file_type::BLOCK_DEVICE => Kind::BlockDevice,
            file_type::CHAR_DEVICE => Kind::CharDevice,
            file_type::FIFO => Kind::Fifo,
            file_type::SOCKET => Kind::Socket,
            file_type::SYMLINK => {
                let pieces = self.pieces(entry)?;
                // A block is read for each, and each may have one byte.
                self.work.blocks(pieces.len().min(MAX_LINK))?;
                let bytes = usize::try_from(entry.size()).unwrap_or(usize::MAX).min(MAX_LINK);
                Kind::Symlink(text::path(&range_of(self.disc, &pieces, 0, bytes)?))
            }
            _ => Kind::File,
        };
        let size = match &kind {
            Kind::Symlink(target) => target.len() as u64,
            _ => entry.size(),
        };
        Ok(Node {
            name: Vec::new(),
            kind,
            size,
            mode: Some(entry.mode()),
            uid: recorded(entry.bytes.le32(36)),
            gid: recorded(entry.bytes.le32(40)),
            modified: Timestamp::from_udf(entry.bytes.part(if entry.extended { 92 } else { 84 }, 12)),
            place: Place::Udf { partition: entry.partition, block: entry.block },
        })
    }

    /// Where the contents of `entry` lie: exactly as many bytes as it says it has.
    pub(super) fn pieces(&self, entry: &Entry) -> Result<Vec<Piece>, FsError> {
        let mut left = entry.size();
        let area = entry.allocation();
        let form = entry.bytes.le16(34) & 7;
        if form == 3 {
            let inline = area.part(0, usize::try_from(left).unwrap_or(usize::MAX));
            return match inline.len() as u64 == left {
                true => Ok(vec![Piece::Inline(inline.to_vec())]),
                false => Err(FsError::invalid("the UDF file entry", self.lba(entry.partition, entry.block)?)),
            };
        }
        let size = match form {
            0 => 8,
            1 => 16,
            2 => 20,
            _ => return Err(FsError::Unsupported("the form of the UDF allocation descriptors")),
        };
        let mut pieces = Vec::new();
        let mut area = area.to_vec();
        let mut partition = entry.partition;
        let mut met = HashSet::new();
        for _ in 0..MAX_EXTENTS {
            let mut next = None;
            for bytes in area.chunks_exact(size) {
                let allocation = Allocation::read(bytes, partition);
                if allocation.kind == 3 {
                    next = Some(allocation);
                    break;
                }
                self.work.run()?;
                let take = left.min(u64::from(allocation.bytes));
                // A length of zero ends the descriptors (ECMA-167, 4/12).
                if take == 0 {
                    break;
                }
                left -= take;
                match allocation.kind {
                    0 => self.map(allocation.partition, allocation.block, take, &mut pieces)?,
                    _ => pieces.push(Piece::Zeros(take)),
                }
                if pieces.len() > MAX_PIECES {
                    return Err(FsError::limit("runs of a file", MAX_PIECES));
                }
            }
            let Some(more) = next.filter(|more| left > 0 && more.bytes > 0) else {
                // A file may end in blocks that no descriptor covers: they read as zeros.
                if left > 0 {
                    pieces.push(Piece::Zeros(left));
                }
                return Ok(pieces);
            };
            if !met.insert((more.partition, more.block)) {
                let block = self.lba(more.partition, more.block)?;
                return Err(FsError::invalid("the UDF allocation extent", block));
            }
            area = self.allocation_extent(&more)?;
            partition = more.partition;
        }
        Err(FsError::limit("allocation extents of a file", MAX_EXTENTS))
    }

    /// The descriptors of an allocation extent (ECMA-167, 4/14.5), one block of them.
    fn allocation_extent(&self, extent: &Allocation) -> Result<Vec<u8>, FsError> {
        self.work.blocks(1)?;
        let bytes = self.block(extent.partition, extent.block)?;
        match tag_of(&bytes, extent.block) {
            Some(tag::ALLOCATION_EXTENT) if bytes.le32(20) as usize <= bytes.len() - 24 => {
                Ok(bytes.part(24, bytes.le32(20) as usize).to_vec())
            }
            _ => Err(FsError::invalid("the UDF allocation extent", self.lba(extent.partition, extent.block)?)),
        }
    }

    /// Adds the runs of the disc that `bytes` from logical block `block` lie in.
    pub(super) fn map(&self, partition: u16, block: u32, bytes: u64, out: &mut Vec<Piece>) -> Result<(), FsError> {
        let map = self.mapping(partition)?;
        let (mut block, mut left) = (block, bytes);
        while left > 0 {
            self.work.run()?;
            if map.is_virtual() {
                self.work.blocks(1)?;
            }
            let wanted = u32::try_from(left.div_ceil(BLOCK)).unwrap_or(u32::MAX);
            let run = map.run(self.disc, block, wanted)?;
            let take = left.min(u64::from(run.blocks) * BLOCK);
            out.push(Piece::Stored { offset: u64::from(run.lba) * BLOCK, bytes: take });
            if out.len() > MAX_PIECES {
                return Err(FsError::limit("runs of a file", MAX_PIECES));
            }
            left -= take;
            block = block.saturating_add(run.blocks);
        }
        Ok(())
    }

    /// The contents of one logical block.
    pub(super) fn block(&self, partition: u16, number: u32) -> Result<[u8; BLOCK as usize], FsError> {
        Ok(block(self.disc, self.lba(partition, number)?)?)
    }

    fn lba(&self, partition: u16, block: u32) -> Result<u32, FsError> {
        Ok(self.mapping(partition)?.run(self.disc, block, 1)?.lba)
    }

    fn mapping(&self, partition: u16) -> Result<&'a Mapping, FsError> {
        self.maps.get(usize::from(partition)).ok_or(FsError::invalid("a UDF partition reference", partition))
    }
}

impl Entry {
    pub(super) fn file_type(&self) -> u8 {
        self.bytes.u8(27)
    }

    /// Information length: bytes of contents.
    pub(super) fn size(&self) -> u64 {
        self.bytes.le64(56)
    }

    /// The allocation descriptors, or the contents themselves.
    fn allocation(&self) -> &[u8] {
        let [attributes, allocation, start] = if self.extended { [208, 212, 216] } else { [168, 172, 176] };
        let at = (self.bytes.le32(attributes) as usize).saturating_add(start);
        self.bytes.part(at, self.bytes.le32(allocation) as usize)
    }

    /// POSIX permissions: ECMA-167, 4/14.9.5 has five bits for each of other, group and owner; the ICB flags the rest.
    fn mode(&self) -> u32 {
        let permissions = self.bytes.le32(44);
        let class = |shift: u32| permissions >> shift & 7;
        let flags = u32::from(self.bytes.le16(34)) >> 6;
        let special = (flags & 1) << 11 | (flags >> 1 & 1) << 10 | (flags >> 2 & 1) << 9;
        special | class(10) << 6 | class(5) << 3 | class(0)
    }
}

impl Allocation {
    /// Of the size that `bytes` has: short, long or extended (ECMA-167, 4/14.14).
    fn read(bytes: &[u8], partition: u16) -> Self {
        let length = bytes.le32(0);
        let (block, partition) = match bytes.len() {
            8 => (bytes.le32(4), partition),
            16 => (bytes.le32(4), bytes.le16(8)),
            _ => (bytes.le32(12), bytes.le16(16)),
        };
        Self { kind: length >> 30, bytes: length & 0x3FFF_FFFF, partition, block }
    }
}

/// FFFFFFFFh says that no owner is recorded (UDF 2.60, 2.3.6.2).
fn recorded(id: u32) -> Option<u32> {
    (id != u32::MAX).then_some(id)
}
