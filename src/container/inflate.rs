//! Deflate of a block whose decoded length is known.

use std::io;

use flate2::{Decompress, FlushDecompress};

use super::damaged;

/// Fills `out` from a deflate stream: raw (RFC 1951), or with the header of zlib (RFC 1950). Returns how many bytes of `input`
/// were used; what follows the stream is not looked at, and what it holds beyond `out` is not decoded.
///
/// # Errors
/// `InvalidData` when the stream is damaged or holds less than `out`.
pub fn inflate(input: &[u8], zlib: bool, out: &mut [u8]) -> io::Result<usize> {
    let mut decoder = Decompress::new(zlib);
    decoder.decompress(input, out, FlushDecompress::Finish).map_err(|_| damaged("a deflate stream is damaged"))?;
    if decoder.total_out() != out.len() as u64 {
        return Err(damaged("a deflate stream is too short"));
    }
    usize::try_from(decoder.total_in()).map_err(|_| damaged("a deflate stream is damaged"))
}
