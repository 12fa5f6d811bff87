//! Deflate of a block whose decoded length is known.

use std::cell::Cell;
use std::io;

use flate2::{Decompress, FlushDecompress};

use super::damaged;

thread_local! {
    /// A decoder is far more to make than to reset: with short blocks a good part of the time that decoding takes.
    static DECODER: Cell<Option<Decompress>> = const { Cell::new(None) };
}

/// Fills `out` from a deflate stream: raw (RFC 1951), or with the header of zlib (RFC 1950). Returns how many bytes of `input`
/// were used; what follows the stream is not looked at, and what it holds beyond `out` is not decoded.
///
/// # Errors
/// `InvalidData` when the stream is damaged or holds less than `out`.
pub fn inflate(input: &[u8], zlib: bool, out: &mut [u8]) -> io::Result<usize> {
    let mut decoder = DECODER.take().unwrap_or_else(|| Decompress::new(zlib));
    decoder.reset(zlib);
    let result = decoder.decompress(input, out, FlushDecompress::Finish);
    let (read, written) = (decoder.total_in(), decoder.total_out());
    DECODER.set(Some(decoder));
    result.map_err(|_| damaged("a deflate stream is damaged"))?;
    if written != out.len() as u64 {
        return Err(damaged("a deflate stream is too short"));
    }
    usize::try_from(read).map_err(|_| damaged("a deflate stream is damaged"))
}
