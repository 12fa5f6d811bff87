//! AIFF and AIFF-C.

use super::super::ImageError;
use super::iff::{chunks, content};
use super::pcm::{Pcm, Sample};
use crate::source::SharedSource;

/// The samples.
///
/// # Errors
/// When there are none, or in a form that is not read.
pub fn open(source: &SharedSource) -> Result<Pcm, ImageError> {
    let chunks = chunks(&**source, u32::from_be_bytes).map_err(ImageError::io)?;
    let find = |id: &[u8; 4]| chunks.iter().find(|chunk| chunk.0 == *id).copied();
    let common = find(b"COMM").ok_or_else(|| ImageError::invalid("the AIFF file does not say how its samples lie"))?;
    let fields: [u8; 18] = content(&**source, common)?;
    let word = |at: usize| u16::from_be_bytes([fields[at], fields[at + 1]]);
    let (channels, bits) = (word(0), usize::from(word(6)));
    let [_, _, _, _, _, _, _, _, rate @ ..] = fields;
    let compression = if common.2 >= 22 { content::<22>(&**source, common)?[18..].to_vec() } else { b"NONE".to_vec() };
    let (sample, is_big_endian) = match &*compression.to_ascii_lowercase() {
        b"none" | b"twos" | b"in24" | b"in32" => (Sample::integer(bits.div_ceil(8))?, true),
        b"sowt" => (Sample::integer(bits.div_ceil(8))?, false),
        b"raw " if bits <= 8 => (Sample::Unsigned, true),
        b"fl32" => (Sample::float(4)?, true),
        b"fl64" => (Sample::float(8)?, true),
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(ImageError::unsupported(format!("AIFF sound in coding {other}; convert it to plain samples")));
        }
    };
    let sound = find(b"SSND").ok_or_else(|| ImageError::invalid("the AIFF file has no samples"))?;
    let offset = content::<8>(&**source, sound)?;
    let skip = 8 + u64::from(u32::from_be_bytes([offset[0], offset[1], offset[2], offset[3]]));
    let len =
        sound.2.checked_sub(skip).ok_or_else(|| ImageError::invalid("the AIFF file has no samples").at(sound.1))?;
    Pcm::new(source, (sound.1 + skip, len), (channels, whole(rate)), (sample, is_big_endian))
}

/// The whole part of an 80-bit number of IEEE 754; 0 where that is none.
fn whole(number: [u8; 10]) -> u32 {
    let [high, low, mantissa @ ..] = number;
    let exponent = u32::from(u16::from_be_bytes([high, low]) & 0x7FFF);
    let mantissa = u64::from_be_bytes(mantissa);
    let shift = exponent.checked_sub(16_383).and_then(|bits| 63_u32.checked_sub(bits));
    shift.and_then(|shift| u32::try_from(mantissa >> shift).ok()).unwrap_or(0)
}
