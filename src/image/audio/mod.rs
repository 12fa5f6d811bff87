//! Files of sound that a descriptor names: each becomes the bytes of audio sectors (44.1 kHz, 16 bits, stereo, little-endian).
//!
//! Sound is mapped where it lies. Told by content: descriptors are often wrong about the kind.

mod aiff;
mod riff;

use std::io;

use super::ImageError;
use crate::source::{ByteSource, SharedSource};

/// The samples of `source`, or nothing when it is no file of sound.
///
/// # Errors
/// When it is one that is damaged or of a kind that is not read.
pub fn open(source: &SharedSource) -> Result<Option<SharedSource>, ImageError> {
    let mut magic = [0; 12];
    if source.read_exact_at(&mut magic, 0).is_err() {
        return Ok(None);
    }
    match (&magic[..4], &magic[8..]) {
        (b"RIFF", b"WAVE") => riff::open(source).map(Some),
        (b"FORM", b"AIFF" | b"AIFC") => aiff::open(source).map(Some),
        _ => Ok(None),
    }
}

/// How samples lie in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    rate: u32,
    channels: u16,
    bits: u16,
}

/// A CD's.
const CD: Shape = Shape { rate: 44_100, channels: 2, bits: 16 };

impl Shape {
    fn refused(self, kind: &str) -> ImageError {
        let Self { rate, channels, bits } = self;
        ImageError::unsupported(format!(
            "{kind} sound of {rate} Hz, {bits} bits, {channels} channels; a CD has 44100 Hz, 16 bits, 2 channels: convert it"
        ))
    }
}

/// Chunks that are looked at, at most: a file of nothing but headers must not take long.
const MOST_CHUNKS: usize = 1000;

/// The chunks of an IFF file: identifier, offset and length of the content, each at an even offset. A length that reaches past
/// the end of the file is cut there.
fn chunks(source: &dyn ByteSource, length: fn([u8; 4]) -> u32) -> io::Result<Vec<([u8; 4], u64, u64)>> {
    let mut chunks = Vec::new();
    let mut at = 12;
    while at + 8 <= source.len() && chunks.len() < MOST_CHUNKS {
        let mut header = [0; 8];
        source.read_exact_at(&mut header, at)?;
        let [a, b, c, d, rest @ ..] = header;
        let len = u64::from(length(rest));
        chunks.push(([a, b, c, d], at + 8, len.min(source.len() - at - 8)));
        at += 8 + len + len % 2;
    }
    Ok(chunks)
}

/// The content of a short chunk.
fn content<const N: usize>(source: &dyn ByteSource, (_, at, len): ([u8; 4], u64, u64)) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    if len < N as u64 {
        return Err(ImageError::invalid("a chunk of the sound file is too short").at(at));
    }
    source.read_exact_at(&mut bytes, at).map_err(|error| ImageError::io(error).at(at))?;
    Ok(bytes)
}
