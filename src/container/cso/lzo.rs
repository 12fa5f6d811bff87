//! An LZO1X stream, as "LZO stream format as understood by Linux' LZO decompressor" (the kernel's lzo.rst) describes it.
//! Decoding ends when the output is full.

use std::io;

use super::bytes::{Input, Output};
use crate::container::damaged;

/// Fills `out`.
pub fn decode(packed: &[u8], out: &mut [u8]) -> io::Result<()> {
    let (mut input, mut out) = (Input(packed), Output::new(out));
    // How many literals the instruction before copied: 4 stands for a long run.
    let mut state = 0;
    if let Some(&first) = packed.first().filter(|&&first| first > 17) {
        input.byte()?;
        let count = usize::from(first) - 17;
        out.literals(&mut input, count)?;
        state = count.min(4);
    }
    while !out.is_full() {
        let code = input.byte()?;
        let (distance, count, after) = match code {
            0..=15 if state == 0 => {
                let count = length(&mut input, code, 15)? + 3;
                out.literals(&mut input, count)?;
                state = 4;
                continue;
            }
            0..=15 => {
                let distance = (input.byte()? << 2) + (code >> 2);
                if state == 4 { (distance + 2049, 3, code & 3) } else { (distance + 1, 2, code & 3) }
            }
            16..=31 => {
                let count = length(&mut input, code & 7, 7)? + 2;
                let low = input.le16()?;
                let distance = 16384 + ((code & 8) << 11) + (low >> 2);
                if distance == 16384 {
                    return Err(damaged("a packed block ends too early"));
                }
                (distance, count, low & 3)
            }
            32..=63 => {
                let count = length(&mut input, code & 31, 31)? + 2;
                let low = input.le16()?;
                ((low >> 2) + 1, count, low & 3)
            }
            64..=127 => ((input.byte()? << 3) + ((code >> 2) & 7) + 1, 3 + ((code >> 5) & 1), code & 3),
            _ => ((input.byte()? << 3) + ((code >> 2) & 7) + 1, 5 + ((code >> 5) & 3), code & 3),
        };
        out.repeat(distance, count)?;
        out.literals(&mut input, after)?;
        state = after;
    }
    Ok(())
}

/// A length of which `start` is in the instruction; 0 there means `full` and more: 255 for every zero byte that follows, and
/// the byte after them.
fn length(input: &mut Input<'_>, start: usize, full: usize) -> io::Result<usize> {
    if start > 0 {
        return Ok(start);
    }
    let mut length = full;
    loop {
        match input.byte()? {
            0 => length += 255,
            byte => return Ok(length + byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_short_and_long_matches_follow_the_description() {
        // 4 literals by the first byte; match of 3 at distance 4 with 1 literal after it (64..127); match of 2 at distance 1
        // (state 1); then 16..31 with distance 16384 ends.
        let packed = [21, b'a', b'b', b'c', b'd', 0b0100_1101, 0, b'X', 0b0000_0000, 0, 17, 0, 0];
        let mut out = [0; 10];
        decode(&packed, &mut out).unwrap();
        assert_eq!(&out, b"abcdabcXXX");
        assert!(decode(&packed, &mut [0; 11]).is_err());
        // A long run: 0 then 0 and 1 make 15 + 255 + 1 + 3 literals; then 33 + 10 times the last (distance 1).
        let mut packed = vec![0, 0, 1];
        packed.extend((0..274_u16).map(|n| n as u8));
        packed.extend([0b0010_0000, 10, 0, 0]);
        let mut out = [0; 274 + 43];
        decode(&packed, &mut out).unwrap();
        assert_eq!(out[273], 17);
        assert!(out[274..].iter().all(|&byte| byte == 17));
        // After a long run 0..15 is a match of 3 at 2049 and more: nothing is there yet.
        assert!(decode(&[21, 1, 2, 3, 4, 0, 0], &mut [0; 20]).is_err());
    }
}
