//! AIFF and AIFF-C.

use std::sync::Arc;

use super::super::ImageError;
use super::{CD, Shape, chunks, content};
use crate::source::{SharedSource, SliceSource, SwappedSource};

/// 44,100 as an 80-bit number of IEEE 754.
const RATE_OF_CD: [u8; 10] = [0x40, 0x0E, 0xAC, 0x44, 0, 0, 0, 0, 0, 0];

/// The samples.
///
/// # Errors
/// When there are none, or in a form that a CD does not have.
pub fn open(source: &SharedSource) -> Result<SharedSource, ImageError> {
    let chunks = chunks(&**source, u32::from_be_bytes).map_err(ImageError::io)?;
    let find = |id: &[u8; 4]| chunks.iter().find(|chunk| chunk.0 == *id).copied();
    let common = find(b"COMM").ok_or_else(|| ImageError::invalid("the AIFF file does not say how its samples lie"))?;
    let fields: [u8; 18] = content(&**source, common)?;
    let word = |at: usize| u16::from_be_bytes([fields[at], fields[at + 1]]);
    let rate = if fields[8..] == RATE_OF_CD { 44_100 } else { integer(&fields[8..]) };
    let shape = Shape { rate, channels: word(0), bits: word(6) };
    let compression = if common.2 >= 22 { content::<22>(&**source, common)?[18..].to_vec() } else { b"NONE".to_vec() };
    let is_little_endian = compression == b"sowt";
    if !(is_little_endian || compression == b"NONE" || compression == b"twos") || shape != CD {
        return Err(shape.refused("AIFF"));
    }
    let sound = find(b"SSND").ok_or_else(|| ImageError::invalid("the AIFF file has no samples"))?;
    let offset = content::<8>(&**source, sound)?;
    let skip = 8 + u64::from(u32::from_be_bytes([offset[0], offset[1], offset[2], offset[3]]));
    let len =
        sound.2.checked_sub(skip).ok_or_else(|| ImageError::invalid("the AIFF file has no samples").at(sound.1))?;
    let samples = SliceSource::new(Arc::clone(source), sound.1 + skip, len).map_err(ImageError::io)?;
    Ok(if is_little_endian { Arc::new(samples) } else { Arc::new(SwappedSource::new(Arc::new(samples))) })
}

/// The whole part of an 80-bit number, for a message.
fn integer(number: &[u8]) -> u32 {
    let exponent = u32::from(u16::from_be_bytes([number[0], number[1]]) & 0x7FFF);
    let mantissa = u32::from_be_bytes([number[2], number[3], number[4], number[5]]);
    exponent.checked_sub(16_383).and_then(|bits| mantissa.checked_shr(31_u32.checked_sub(bits)?)).unwrap_or(0)
}
