//! Bytes of a disc: fields, ranges, and the contents of files.

use std::io;

use thiserror::Error;

use super::FsError;
use crate::disc::{BLOCK_SIZE, Disc, Lba, SectorError};

/// A run of a file's contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// On the disc, `offset` bytes from LBA 0.
    Stored {
        /// Where it begins.
        offset: u64,
        /// How long it is.
        bytes: u64,
    },
    /// Not recorded: reads as zeros.
    Zeros(u64),
    /// Inside the file's own descriptor.
    Inline(Vec<u8>),
}

/// Where the contents of a file go.
pub trait Target {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they cannot be stored.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Takes as many zeros.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn zeros(&mut self, bytes: u64) -> io::Result<()>;
}

/// Why a file could not be copied.
#[derive(Debug, Error)]
pub enum CopyError {
    /// A block of the disc cannot be read.
    #[error(transparent)]
    Sector(#[from] SectorError),
    /// The target does not take it.
    #[error("cannot write: {0}")]
    Target(io::Error),
}

/// Bytes of `pieces` that lie on the disc.
#[must_use]
pub fn stored(pieces: &[Piece]) -> u64 {
    let stored = |piece: &Piece| if let Piece::Stored { bytes, .. } = piece { *bytes } else { 0 };
    pieces.iter().map(stored).fold(0, u64::saturating_add)
}

/// Streams `pieces` to `target`, in order.
///
/// # Errors
/// For the first block that cannot be read or written; everything before it was written.
pub fn copy(disc: &Disc, pieces: &[Piece], target: &mut dyn Target) -> Result<(), CopyError> {
    for piece in pieces {
        match piece {
            Piece::Inline(bytes) => target.write(bytes).map_err(CopyError::Target)?,
            Piece::Zeros(bytes) => target.zeros(*bytes).map_err(CopyError::Target)?,
            Piece::Stored { offset, bytes } => {
                let mut offset = *offset;
                let end = offset.saturating_add(*bytes);
                while offset < end {
                    let block = block_at(disc, offset)?;
                    let from = (offset % BLOCK) as usize;
                    let step = (BLOCK - offset % BLOCK).min(end - offset);
                    target.write(&block[from..from + step as usize]).map_err(CopyError::Target)?;
                    offset += step;
                }
            }
        }
    }
    Ok(())
}

/// Bytes of a block, as the addresses here are counted.
pub(super) const BLOCK: u64 = BLOCK_SIZE as u64;

/// Contents of one block.
pub(super) type Block = [u8; BLOCK_SIZE as usize];

/// Block `lba`.
pub(super) fn block(disc: &Disc, lba: u32) -> Result<Block, SectorError> {
    block_at(disc, u64::from(lba) * BLOCK)
}

/// The block that holds the byte at `offset`.
pub(super) fn block_at(disc: &Disc, offset: u64) -> Result<Block, SectorError> {
    let lba = Lba(i32::try_from(offset / BLOCK).unwrap_or(i32::MAX));
    let mut block = [0; BLOCK_SIZE as usize];
    disc.read_block(lba, &mut block)?;
    Ok(block)
}

/// `bytes` from `offset`, which the caller has bounded.
pub(super) fn range(disc: &Disc, offset: u64, bytes: usize) -> Result<Vec<u8>, SectorError> {
    let mut out = Vec::with_capacity(bytes.min(1 << 16));
    while out.len() < bytes {
        let at = offset.saturating_add(out.len() as u64);
        let block = block_at(disc, at)?;
        let rest = &block[(at % BLOCK) as usize..];
        out.extend_from_slice(&rest[..rest.len().min(bytes - out.len())]);
    }
    Ok(out)
}

/// `bytes` from `offset` of the contents in `pieces`; fewer at their end. The caller has bounded `bytes`.
pub(super) fn range_of(disc: &Disc, pieces: &[Piece], offset: u64, bytes: usize) -> Result<Vec<u8>, FsError> {
    let mut skip = offset;
    let mut out = Vec::new();
    for piece in pieces {
        let len = piece.len();
        if skip >= len {
            skip -= len;
            continue;
        }
        let take = usize::try_from(len - skip).unwrap_or(usize::MAX).min(bytes - out.len());
        match piece {
            Piece::Stored { offset, .. } => out.extend(range(disc, offset.saturating_add(skip), take)?),
            Piece::Zeros(_) => out.resize(out.len() + take, 0),
            Piece::Inline(inline) => out.extend(inline.iter().skip(skip as usize).take(take)),
        }
        skip = 0;
        if out.len() >= bytes {
            break;
        }
    }
    Ok(out)
}

impl Piece {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Stored { bytes, .. } | Self::Zeros(bytes) => *bytes,
            Self::Inline(bytes) => bytes.len() as u64,
        }
    }
}

/// Fields of a structure. What lies past its end reads as zero: whoever minds checks the length first.
pub(super) trait Fields {
    fn u8(&self, at: usize) -> u8;
    fn array<const N: usize>(&self, at: usize) -> [u8; N];

    fn le16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    fn le32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn le64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    /// `bytes` from `at`; what there is of them.
    fn part(&self, at: usize, bytes: usize) -> &[u8];
}

impl Fields for [u8] {
    fn u8(&self, at: usize) -> u8 {
        self.get(at).copied().unwrap_or(0)
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut array = [0; N];
        for (byte, from) in array.iter_mut().zip(self.get(at..).unwrap_or(&[])) {
            *byte = *from;
        }
        array
    }

    fn part(&self, at: usize, bytes: usize) -> &[u8] {
        let rest = self.get(at..).unwrap_or(&[]);
        &rest[..rest.len().min(bytes)]
    }
}
