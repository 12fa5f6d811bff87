//! RIFF WAVE.

use super::super::ImageError;
use super::iff::{chunks, content};
use super::pcm::{Pcm, Sample};
use crate::source::SharedSource;

/// Formats of samples: numbers, floating point, and those whose format is said further on.
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

/// The samples.
///
/// # Errors
/// When there are none, or in a form that is not read.
pub fn open(source: &SharedSource) -> Result<Pcm, ImageError> {
    let chunks = chunks(&**source, u32::from_le_bytes).map_err(ImageError::io)?;
    let find = |id: &[u8; 4]| chunks.iter().find(|chunk| chunk.0 == *id).copied();
    let format = find(b"fmt ").ok_or_else(|| ImageError::invalid("the WAVE file does not say how its samples lie"))?;
    let fields: [u8; 16] = content(&**source, format)?;
    let word = |at: usize| u16::from_le_bytes([fields[at], fields[at + 1]]);
    let (channels, frame) = (word(2), word(12));
    let rate = u32::from_le_bytes([fields[4], fields[5], fields[6], fields[7]]);
    let coding = match word(0) {
        EXTENSIBLE => {
            let fields: [u8; 26] = content(&**source, format)?;
            u16::from_le_bytes([fields[24], fields[25]])
        }
        coding => coding,
    };
    let bytes = usize::from(frame.checked_div(channels).unwrap_or(0));
    let sample = match coding {
        PCM if bytes == 1 => Sample::Unsigned,
        PCM => Sample::integer(bytes)?,
        FLOAT => Sample::float(bytes)?,
        other => {
            let message = format!("WAVE sound in coding {other:#06x}; convert it to plain samples (PCM)");
            return Err(ImageError::unsupported(message));
        }
    };
    let (_, at, len) = find(b"data").ok_or_else(|| ImageError::invalid("the WAVE file has no samples"))?;
    // A program that could not go back to the start leaves a length of zero.
    let len = if len == 0 { source.len() - at } else { len };
    Pcm::new(source, (at, len), (channels, rate), (sample, false))
}
