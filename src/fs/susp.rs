//! The System Use Sharing Protocol (IEEE P1281): entries in a directory record and in its continuation areas.

use super::FsError;
use super::read::{BLOCK, Fields, block_at};
use crate::disc::Disc;

/// Continuation areas of one record: enough for the longest name and link, few enough that a loop ends at once.
const MAX_AREAS: usize = 64;

/// Calls `entry` with the signature and bytes of every entry of `area` and its continuations, which `areas` counts.
///
/// # Errors
/// When a continuation area cannot be read, leaves its block, or there are too many; the entries before it were given.
pub(super) fn entries(
    disc: &Disc,
    area: &[u8],
    areas: &mut usize,
    entry: &mut dyn FnMut([u8; 2], &[u8]),
) -> Result<(), FsError> {
    let mut next = scan(area, entry);
    while let Some((lba, offset, bytes)) = next {
        *areas += 1;
        if *areas > MAX_AREAS {
            return Err(FsError::limit("continuation areas of one record", MAX_AREAS));
        }
        let (offset, bytes) = (offset as usize, bytes as usize);
        if offset.checked_add(bytes).is_none_or(|end| end > BLOCK as usize) {
            return Err(FsError::invalid("the continuation area", lba));
        }
        let block = block_at(disc, u64::from(lba) * BLOCK)?;
        next = scan(block.part(offset, bytes), entry);
    }
    Ok(())
}

/// Reads the entries of one area; gives where the next one is: block, offset and length (5.1, CE).
fn scan(mut area: &[u8], entry: &mut dyn FnMut([u8; 2], &[u8])) -> Option<(u32, u32, u32)> {
    let mut next = None;
    while let Some(len) = area.get(2).map(|len| usize::from(*len)) {
        // What is left, up to three bytes, is padding, and so is an entry that cannot be one.
        if len < 4 || len > area.len() {
            break;
        }
        let (bytes, rest) = area.split_at(len);
        match &bytes.array::<2>(0) {
            b"CE" if len >= 28 => next = Some((bytes.le32(4), bytes.le32(12), bytes.le32(20))),
            b"ST" => break,
            signature => entry(*signature, bytes),
        }
        area = rest;
    }
    next
}
