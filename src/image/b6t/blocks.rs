//! The data blocks of a B6T: which sectors lie where, whatever the tracks are.

use std::sync::Arc;

use super::super::layout::{Piece, Stored, stored_bytes};
use super::super::mds::mixed_mode;
use super::super::names::{from_utf16, open_named};
use super::super::record::Cursor;
use super::super::{ImageError, ImageErrorKind, OpenContext};
use crate::disc::TrackMode;
use crate::disc::sector::RAW;
use crate::disc::subchannel::{StoredSubchannel, SubchannelForm};
use crate::source::SharedSource;

/// Data blocks, at most: a file is cut every 2 GB.
const MOST_BLOCKS: u32 = 10_000;
/// Bytes of a file name, at most.
const LONGEST_NAME: u32 = 4096;
const ENDINGS: &[&str] = &["b6i", "b5i"];

/// Sectors `first .. end` of a file.
#[derive(Debug)]
pub struct DataBlock {
    first: i64,
    end: i64,
    source: SharedSource,
    offset: u64,
    stride: u32,
}

/// Reads all data blocks, sorted by their first sector.
pub fn read(at: u64, descriptor: &SharedSource, cx: &OpenContext<'_>) -> Result<Vec<DataBlock>, ImageError> {
    let mut cursor = Cursor::new(descriptor, at);
    let head = cursor.record::<8>()?;
    let count = head.u32(0);
    if count > MOST_BLOCKS {
        let message = format!("{count} data blocks: more than {MOST_BLOCKS} are not read");
        return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
    }
    cursor.skip(u64::from(head.u32(4)));
    let mut files: Vec<(Vec<u8>, SharedSource)> = Vec::new();
    let mut blocks = Vec::new();
    for _ in 0..count {
        let at = cursor.at;
        let block = cursor.record::<52>()?;
        let (bytes, sectors, name) = (block.u32(4), block.i32(44), block.u32(48));
        if name > LONGEST_NAME {
            return Err(ImageError::new(ImageErrorKind::Limit, "the name of a data file is too long").at(at + 48));
        }
        let name = from_utf16(&cursor.bytes(u64::from(name))?);
        cursor.skip(4);
        if sectors == 0 {
            continue;
        }
        let stride =
            u32::try_from(sectors).ok().filter(|sectors| bytes.is_multiple_of(*sectors)).map(|sectors| bytes / sectors);
        let stride = stride.filter(|stride| *stride > 0).ok_or_else(|| {
            ImageError::invalid(format!("a data block of {bytes} bytes cannot hold {sectors} sectors")).at(at + 4)
        })?;
        let source = match files.iter().find(|(known, _)| *known == name) {
            Some((_, source)) => Arc::clone(source),
            None => {
                let source = open_named(cx, &name, ENDINGS)?;
                files.push((name, Arc::clone(&source)));
                source
            }
        };
        let first = i64::from(block.i32(40));
        let offset = u64::from(block.u32(24));
        let held = source.len().saturating_sub(offset) / u64::from(stride);
        if held < u64::from(sectors.unsigned_abs()) {
            cx.warn(format!(
                "the sectors from {first} are cut off: their file holds {held} of {sectors}; the others cannot be read"
            ));
        }
        blocks.push(DataBlock { first, end: first + i64::from(sectors), source, offset, stride });
    }
    blocks.sort_by_key(|block| block.first);
    Ok(blocks)
}

/// What a sector of a block consists of: bytes without subchannel, and the subchannel's form.
fn parts(stride: u32) -> (u32, Option<SubchannelForm>) {
    match stride.checked_sub(RAW as u32) {
        Some(16) => (RAW as u32, Some(SubchannelForm::Q16)),
        Some(96) => (RAW as u32, Some(SubchannelForm::Linear)),
        _ => (stride, None),
    }
}

/// Which Mode 2 the sector at `lba` is.
pub fn mode_2_at(blocks: &[DataBlock], lba: i64) -> TrackMode {
    blocks.iter().find(|block| (block.first..block.end).contains(&lba)).map_or(TrackMode::Mode2Xa, |block| {
        let offset = block.offset.saturating_add((lba - block.first).unsigned_abs() * u64::from(block.stride));
        mixed_mode(parts(block.stride).0, &block.source, offset)
    })
}

/// The pieces of `start .. end`, with nothing where no block is.
pub fn pieces(blocks: &[DataBlock], mode: TrackMode, start: i64, end: i64) -> Result<Vec<Piece>, ImageError> {
    let mut pieces = Vec::new();
    let mut at = start;
    for block in blocks.iter().filter(|block| block.end > start && block.first < end) {
        // What an earlier block has given is taken from there.
        let (first, last) = (block.first.max(at), block.end.min(end));
        if first >= last {
            continue;
        }
        pieces.push(Piece::empty(count(first - at)));
        let (main, form) = parts(block.stride);
        let stored = stored_bytes(mode, main).ok_or_else(|| {
            ImageError::invalid(format!("sectors of {} bytes in a track of {}", block.stride, mode.name()))
        })?;
        let offset = block.offset.saturating_add((first - block.first).unsigned_abs() * u64::from(block.stride));
        let subchannel = form.map(|form| StoredSubchannel {
            source: Arc::clone(&block.source),
            offset: offset.saturating_add(u64::from(main)),
            stride: block.stride,
            form,
        });
        let stored = Stored { source: Arc::clone(&block.source), offset, stride: block.stride, stored, subchannel };
        pieces.push(Piece::stored(count(last - first), stored));
        at = last;
    }
    pieces.push(Piece::empty(count(end - at)));
    Ok(pieces)
}

/// A difference of addresses of 32 bits.
fn count(blocks: i64) -> u32 {
    u32::try_from(blocks).unwrap_or(0)
}
