//! The chunks of RIFF and AIFF files.

use std::io;

use super::super::ImageError;
use crate::source::ByteSource;

/// Identifier, offset and length of the content.
pub type Chunk = ([u8; 4], u64, u64);

/// Chunks that are looked at, at most: a file of nothing but headers must not take long.
const MOST_CHUNKS: usize = 1000;

/// The chunks, each at an even offset. A length that reaches past the end of the file is cut there.
///
/// # Errors
/// What the source reports.
pub fn chunks(source: &dyn ByteSource, length: fn([u8; 4]) -> u32) -> io::Result<Vec<Chunk>> {
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

/// The first bytes of a chunk.
///
/// # Errors
/// When it is too short.
pub fn content<const N: usize>(source: &dyn ByteSource, (_, at, len): Chunk) -> Result<[u8; N], ImageError> {
    let mut bytes = [0; N];
    if len < N as u64 {
        return Err(ImageError::invalid("a chunk of the sound file is too short").at(at));
    }
    source.read_exact_at(&mut bytes, at).map_err(|error| ImageError::io(error).at(at))?;
    Ok(bytes)
}
