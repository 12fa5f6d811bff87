//! An LZ4 block (LZ4 Block Format Description) that may be followed by padding: decoding ends when the output is full.

use std::io;

use super::bytes::{Input, Output};

/// Fills `out`.
pub fn decode(packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    let (mut input, mut out) = (Input(packed), Output::new(out));
    loop {
        let token = input.byte()?;
        let literals = length(&mut input, token >> 4)?;
        out.literals(&mut input, literals)?;
        if out.is_full() {
            return Ok(());
        }
        let distance = input.le16()?;
        let count = length(&mut input, token & 15)? + 4;
        out.repeat(distance, count)?;
    }
}

/// A length of which `start` is in the token: 15 means that bytes are added until one is not 255.
fn length(input: &mut Input<'_>, start: usize) -> io::Result<usize> {
    let mut length = start;
    let mut more = start == 15;
    while more {
        let byte = input.byte()?;
        length += byte;
        more = byte == 255;
    }
    Ok(length)
}
