//! The blocks that describe: each has a header, and can be packed.

use std::io;

use super::cipher::Encryption;
use super::trailer::Trailer;
use crate::container::inflate::inflate;
use crate::container::lzma::Lzma;
use crate::container::record::{Record, bytes_at};
use crate::container::{ImageError, ImageErrorKind, damaged};
use crate::source::SharedSource;

/// Bytes that LZMA streams have before them: the filter, the properties, a size.
const LZMA_HEADER: usize = 14;
/// Bytes of a description, at most, packed and not: a list of 24 bytes for each sector of a DVD of two layers, or for each 64 KiB of
/// the longest disc, which is nearer to what there is.
const LONGEST: u64 = 128 << 20;
/// Decoded bytes for each stored one, at most, so that a short file cannot take much memory.
const MOST_GROWTH: u64 = 1100;

/// How packed bytes of an image are unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    Zlib,
    Lzma,
}

impl Codec {
    pub fn of(trailer: &Trailer) -> Self {
        if trailer.version < 3 { Self::Zlib } else { Self::Lzma }
    }

    /// Unpacks a block of `whole` bytes as far as `out` goes.
    pub fn unpack(self, packed: &[u8], whole: usize, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Zlib => inflate(packed, true, out).map(drop),
            Self::Lzma => {
                let header: &[u8; LZMA_HEADER] =
                    packed.first_chunk().ok_or_else(|| damaged("an LZMA stream is too short"))?;
                let dictionary = u32::from_le_bytes([header[2], header[3], header[4], header[5]]);
                let lzma = Lzma { properties: header[1], dictionary, x86: header[0] != 0 };
                lzma.decode(&packed[LZMA_HEADER..], whole, out)
            }
        }
    }
}

/// A block as it is after unpacking.
#[derive(Debug)]
pub struct Described {
    /// The word after the header, where the block has one.
    pub word: u32,
    pub bytes: Vec<u8>,
    /// Where the next block would begin.
    pub end: u64,
}

/// Reads the block `id` at `at`, which has a word after its header or not, and decodes to `decoded` bytes for its number. Nothing
/// when another block, or none, is there.
pub fn block(
    source: &SharedSource,
    at: u64,
    id: &[u8; 4],
    has_word: bool,
    decoded: impl Fn(u32) -> u64,
    encryption: &Encryption,
    codec: Codec,
) -> Result<Option<Described>, ImageError> {
    let Ok(header) = Record::<16>::read(source, at) else { return Ok(None) };
    if header.bytes(0) != *id {
        return Ok(None);
    }
    let start = at + if has_word { 20 } else { 16 };
    let stored = u64::from(header.u32(4)).saturating_sub(start - at - 8);
    let (is_packed, number) = (header.u32(8) != 0, header.u32(12));
    let word = if has_word { Record::<20>::read(source, at)?.u32(16) } else { 0 };
    let too_long = |message: String| Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
    if stored > LONGEST {
        return too_long(format!("a description of {stored} bytes: the file is damaged (at most {LONGEST} are read)"));
    }
    let mut bytes = bytes_at(source, start, stored)?;
    encryption.decrypt_description(is_packed, &mut bytes);
    let bytes = if is_packed {
        let len = decoded(number);
        if len > LONGEST || len > stored.saturating_mul(MOST_GROWTH) {
            return too_long(format!("a description of {len} bytes in {stored}: the file is damaged"));
        }
        let mut out = vec![0; len as usize];
        codec.unpack(&bytes, len as usize, &mut out).map_err(|error| ImageError::io(error).at(at))?;
        out
    } else {
        bytes
    };
    Ok(Some(Described { word, bytes, end: start + stored }))
}
