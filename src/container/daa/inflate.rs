//! Deflate (RFC 1951) whose block types have other codes, and whose decoded length may be unknown.

use std::io;
use std::sync::OnceLock;

use super::codes::{Bits, Code, Codes, Kind, broken};
use crate::container::damaged;

/// Blocks, at most: so many, and one for so many decoded bytes. A packer begins a block when the last has some thousand symbols;
/// the tables of one take as long as some thousand bytes.
const MOST_BLOCKS: usize = 256;
const SHORTEST_BLOCK: usize = 128;
/// The order of the lengths of code length codes (3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Fills `out` from a raw stream in which `types` gives the type of a block (0 stored, 1 fixed, 2 dynamic codes) for its code.
/// Returns how many bytes were decoded: fewer than asked where the stream ends first.
///
/// # Errors
/// `InvalidData` when the stream is damaged.
pub fn inflate(input: &[u8], types: [u8; 3], out: &mut [u8]) -> io::Result<usize> {
    let mut stream = Stream { bits: Bits::of(input), out, at: 0 };
    let mut blocks = 0;
    loop {
        blocks += 1;
        if blocks > MOST_BLOCKS + stream.at / SHORTEST_BLOCK {
            return Err(damaged("the blocks of a deflate stream hold hardly anything"));
        }
        let last = stream.bits.take(1)? == 1;
        let code = stream.bits.take(2)? as usize;
        match types.get(code) {
            Some(0) => stream.stored()?,
            Some(1) => {
                let (literals, distances) = fixed().as_ref().map_err(|_| broken())?;
                stream.coded(literals, distances)?;
            }
            Some(_) => {
                let (literals, distances) = stream.tables()?;
                stream.coded(&literals, &distances)?;
            }
            None => return Err(broken()),
        }
        if last || stream.at == stream.out.len() {
            stream.bits.check()?;
            return Ok(stream.at);
        }
    }
}

/// The codes of a fixed block (3.2.6).
fn fixed() -> &'static io::Result<(Codes, Codes)> {
    static CODES: OnceLock<io::Result<(Codes, Codes)>> = OnceLock::new();
    CODES.get_or_init(|| {
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        Ok((Codes::new(&lengths, Code::literal)?, Codes::new(&[5; 30], Code::distance)?))
    })
}

struct Stream<'a> {
    bits: Bits<'a>,
    out: &'a mut [u8],
    at: usize,
}

impl Stream<'_> {
    fn stored(&mut self) -> io::Result<()> {
        self.bits.skip_to_byte();
        let (len, inverse) = (self.bits.take(16)?, self.bits.take(16)?);
        if len != !inverse & 0xFFFF {
            return Err(broken());
        }
        for _ in 0..len {
            let byte = self.bits.take(8)? as u8;
            let Some(place) = self.out.get_mut(self.at) else { return Ok(()) };
            *place = byte;
            self.at += 1;
        }
        Ok(())
    }

    /// The codes of a dynamic block (3.2.7).
    fn tables(&mut self) -> io::Result<(Codes, Codes)> {
        let literals = self.bits.take(5)? as usize + 257;
        let distances = self.bits.take(5)? as usize + 1;
        let count = self.bits.take(4)? as usize + 4;
        let mut lengths = [0; 19];
        for &at in &ORDER[..count] {
            lengths[at] = self.bits.take(3)? as u8;
        }
        let codes = Codes::new(&lengths, Code::length)?;
        let mut lengths = [0; 320];
        let all = literals + distances;
        let mut at = 0;
        while at < all {
            self.bits.fill()?;
            let code = codes.decode(&mut self.bits)?;
            let more = self.bits.held(code.extra());
            let (length, run) = match code.value {
                length @ 0..16 => (length as u8, 1),
                16 if at == 0 => return Err(broken()),
                16 => (lengths[at - 1], 3 + more),
                17 => (0, 3 + more),
                _ => (0, 11 + more),
            };
            let end = at + run as usize;
            if end > all {
                return Err(broken());
            }
            lengths[at..end].fill(length);
            at = end;
        }
        Ok((Codes::new(&lengths[..literals], Code::literal)?, Codes::new(&lengths[literals..all], Code::distance)?))
    }

    fn coded(&mut self, literals: &Codes, distances: &Codes) -> io::Result<()> {
        let Self { bits, out, at } = self;
        loop {
            // A length and a distance take 48 bits at most, three literals 45.
            bits.fill()?;
            let mut code = literals.decode(bits)?;
            for _ in 0..2 {
                if code.kind != Kind::Literal {
                    break;
                }
                let Some(place) = out.get_mut(*at) else { return Ok(()) };
                *place = code.value as u8;
                *at += 1;
                code = literals.decode(bits)?;
            }
            match code.kind {
                Kind::Literal => {
                    let Some(place) = out.get_mut(*at) else { return Ok(()) };
                    *place = code.value as u8;
                    *at += 1;
                }
                Kind::Copy => {
                    bits.fill()?;
                    let len = usize::from(code.value) + bits.held(code.extra()) as usize;
                    let code = distances.decode(bits)?;
                    if code.kind != Kind::Copy {
                        return Err(broken());
                    }
                    let distance = usize::from(code.value) + bits.held(code.extra()) as usize;
                    *at = repeat(out, *at, distance, len).ok_or_else(broken)?;
                    if *at == out.len() {
                        return Ok(());
                    }
                }
                Kind::End => return Ok(()),
                Kind::None => return Err(broken()),
            }
        }
    }
}

/// Bytes that are copied at once where there is room.
const STEP: usize = 16;

/// Copies `len` bytes from `distance` before `at` to `at`, or as many as `out` has room for: the end of the copy. None where there is
/// nothing so far back.
#[inline(always)]
fn repeat(out: &mut [u8], at: usize, distance: usize, len: usize) -> Option<usize> {
    let from = at.checked_sub(distance)?;
    let end = out.len().min(at + len);
    if distance >= STEP && at + len + STEP <= out.len() {
        // What is copied beyond the end is overwritten later.
        let mut done = 0;
        while done < len {
            let piece: [u8; STEP] = *out.get(from + done..)?.first_chunk()?;
            *out.get_mut(at + done..)?.first_chunk_mut()? = piece;
            done += STEP;
        }
    } else if distance == 1 {
        let byte = out[from];
        out[at..end].fill(byte);
    } else {
        for to in at..end {
            out[to] = out[to - distance];
        }
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    /// Zeros are fixed blocks that hold nothing, where these have the code 0.
    #[test]
    fn blocks_without_end_are_refused() {
        let error = inflate(&vec![0; 16 << 20], [1, 0, 2], &mut [0; 100]).unwrap_err();
        assert!(error.to_string().contains("hardly anything"), "{error}");
    }

    #[test]
    fn decodes_what_zlib_writes() {
        let text: Vec<u8> = (0..40_000_u32).map(|at| (at.wrapping_mul(at / 97) >> 3) as u8 & 0x3F).collect();
        let noise: Vec<u8> = (0..40_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let zeros = vec![0; 100_000];
        // Each byte half as often as the one before it: codes up to the longest. The same few bytes again, at every distance.
        let skewed: Vec<u8> = noise
            .iter()
            .zip(&text)
            .map(|(a, b)| (u16::from_le_bytes([*a, *b]) | 0x2000).trailing_zeros() as u8)
            .collect();
        let rhythms: Vec<u8> = (1..40_usize).flat_map(|len| noise[len * 100..][..len].repeat(400 / len)).collect();
        for data in [&text, &noise, &zeros, &skewed, &rhythms, &text[..10].to_vec(), &Vec::new()] {
            for level in [0, 1, 6, 9] {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
                encoder.write_all(data).unwrap();
                let packed = encoder.finish().unwrap();
                let mut out = vec![1; data.len() + 10];
                let len = inflate(&packed, [0, 1, 2], &mut out).unwrap();
                assert!(out[..len] == data[..], "{} bytes at level {level}", data.len());
                let some = &mut out[..data.len() / 2];
                assert_eq!(inflate(&packed, [0, 1, 2], some).unwrap(), data.len() / 2);
                assert!(*some == data[..data.len() / 2]);
                for cut in (0..packed.len().min(40))
                    .chain([packed.len() / 2, packed.len() - 1])
                    .filter(|&cut| cut < packed.len())
                {
                    assert!(inflate(&packed[..cut], [0, 1, 2], &mut out).is_err(), "{cut} of {} bytes", packed.len());
                }
            }
        }
    }
}
