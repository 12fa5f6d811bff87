//! RIFF WAVE.

use std::sync::Arc;

use super::super::ImageError;
use super::{CD, Shape, chunks, content};
use crate::source::{SharedSource, SliceSource};

/// Formats of samples: as numbers, and those whose format is said further on.
const PCM: u16 = 1;
const EXTENSIBLE: u16 = 0xFFFE;

/// The samples.
///
/// # Errors
/// When there are none, or in a form that a CD does not have.
pub fn open(source: &SharedSource) -> Result<SharedSource, ImageError> {
    let chunks = chunks(&**source, u32::from_le_bytes).map_err(ImageError::io)?;
    let find = |id: &[u8; 4]| chunks.iter().find(|chunk| chunk.0 == *id).copied();
    let format = find(b"fmt ").ok_or_else(|| ImageError::invalid("the WAVE file does not say how its samples lie"))?;
    let fields: [u8; 16] = content(&**source, format)?;
    let word = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let shape = Shape { rate, channels: word(2), bits: word(14) };
    if !matches!(word(0), PCM | EXTENSIBLE) || shape != CD {
        return Err(shape.refused("WAVE"));
    }
    let (_, at, len) = find(b"data").ok_or_else(|| ImageError::invalid("the WAVE file has no samples"))?;
    // A program that could not go back to the start leaves a length of zero.
    let len = if len == 0 { source.len() - at } else { len };
    Ok(Arc::new(SliceSource::new(Arc::clone(source), at, len).map_err(ImageError::io)?))
}
