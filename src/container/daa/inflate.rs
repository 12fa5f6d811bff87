//! Deflate (RFC 1951) whose block types have other codes, and whose decoded length may be unknown.

use std::io;
use std::sync::OnceLock;

use crate::container::damaged;

/// Bits that the first table looks at.
const FAST: u32 = 10;
const LONGEST: usize = 15;
/// Blocks, at most: so many, and one for so many decoded bytes. A packer begins a block when the last has some thousand symbols;
/// the tables of one take as long as some thousand bytes.
const MOST_BLOCKS: usize = 256;
const SHORTEST_BLOCK: usize = 128;
/// Length codes and distance codes: what they begin at, and how many bits follow (RFC 1951, 3.2.5).
const LENGTHS: [(u16, u8); 29] = {
    let mut table = [(258, 0); 29];
    let (mut code, mut base) = (0, 3);
    while code < 28 {
        let extra = if code < 8 { 0 } else { code as u8 / 4 - 1 };
        table[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    table
};
const DISTANCES: [(u16, u8); 30] = {
    let mut table = [(0, 0); 30];
    let (mut code, mut base) = (0, 1);
    while code < 30 {
        let extra = if code < 4 { 0 } else { code as u8 / 2 - 1 };
        table[code] = (base, extra);
        base += 1 << extra;
        code += 1;
    }
    table
};
/// The order of the lengths of code length codes (3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Fills `out` from a raw stream in which `types` gives the type of a block (0 stored, 1 fixed, 2 dynamic codes) for its code.
/// Returns how many bytes were decoded: fewer than asked where the stream ends first.
///
/// # Errors
/// `InvalidData` when the stream is damaged.
pub fn inflate(input: &[u8], types: [u8; 3], out: &mut [u8]) -> io::Result<usize> {
    let mut stream = Stream { bits: Bits { input, held: 0, count: 0 }, out, at: 0 };
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
        Ok((Codes::new(&lengths)?, Codes::new(&[5; 30])?))
    })
}

fn broken() -> io::Error {
    damaged("a deflate stream is damaged")
}

/// Bits of the input, the lowest of each byte first.
struct Bits<'a> {
    input: &'a [u8],
    held: u64,
    count: u32,
}

impl Bits<'_> {
    fn fill(&mut self) {
        while let (true, Some((&byte, rest))) = (self.count <= 56, self.input.split_first()) {
            self.held |= u64::from(byte) << self.count;
            self.count += 8;
            self.input = rest;
        }
    }

    fn take(&mut self, bits: u32) -> io::Result<u32> {
        self.fill();
        if self.count < bits {
            return Err(broken());
        }
        let taken = self.held & ((1 << bits) - 1);
        self.held >>= bits;
        self.count -= bits;
        Ok(taken as u32)
    }
}

struct Stream<'a> {
    bits: Bits<'a>,
    out: &'a mut [u8],
    at: usize,
}

impl Stream<'_> {
    fn stored(&mut self) -> io::Result<()> {
        self.bits.take(self.bits.count % 8)?;
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
        let codes = Codes::new(&lengths)?;
        let mut lengths = [0; 320];
        let all = literals + distances;
        let mut at = 0;
        while at < all {
            let (value, run) = match codes.decode(&mut self.bits)? {
                length @ 0..16 => (length as u8, 1),
                16 if at == 0 => return Err(broken()),
                16 => (lengths[at - 1], 3 + self.bits.take(2)?),
                17 => (0, 3 + self.bits.take(3)?),
                _ => (0, 11 + self.bits.take(7)?),
            };
            let end = at + run as usize;
            if end > all {
                return Err(broken());
            }
            lengths[at..end].fill(value);
            at = end;
        }
        Ok((Codes::new(&lengths[..literals])?, Codes::new(&lengths[literals..all])?))
    }

    fn coded(&mut self, literals: &Codes, distances: &Codes) -> io::Result<()> {
        loop {
            match literals.decode(&mut self.bits)? {
                literal @ 0..256 => {
                    let Some(place) = self.out.get_mut(self.at) else { return Ok(()) };
                    *place = literal as u8;
                    self.at += 1;
                }
                256 => return Ok(()),
                code => {
                    let &(base, extra) = LENGTHS.get(usize::from(code) - 257).ok_or_else(broken)?;
                    let len = usize::from(base) + self.bits.take(extra.into())? as usize;
                    let &(base, extra) =
                        DISTANCES.get(usize::from(distances.decode(&mut self.bits)?)).ok_or_else(broken)?;
                    let distance = usize::from(base) + self.bits.take(extra.into())? as usize;
                    let from = self.at.checked_sub(distance).ok_or_else(broken)?;
                    for from in from..from + len {
                        if self.at == self.out.len() {
                            return Ok(());
                        }
                        self.out[self.at] = self.out[from];
                        self.at += 1;
                    }
                }
            }
        }
    }
}

/// Canonical codes (3.2.2).
struct Codes {
    /// By the next bits: symbol and length of a short code; length 0 where the code is longer or none.
    fast: Box<[(u16, u8); 1 << FAST]>,
    /// How many codes there are of each length.
    counts: [u16; LONGEST + 1],
    /// In the order of the codes.
    symbols: Vec<u16>,
}

impl Codes {
    fn new(lengths: &[u8]) -> io::Result<Self> {
        let mut counts = [0_u16; LONGEST + 1];
        lengths.iter().for_each(|&length| counts[usize::from(length)] += 1);
        counts[0] = 0;
        let mut left = 1_i32;
        for count in &counts[1..] {
            left = (left << 1) - i32::from(*count);
            if left < 0 {
                return Err(broken());
            }
        }
        let mut symbols = Vec::with_capacity(lengths.len());
        let mut fast = Box::new([(0, 0); 1 << FAST]);
        let mut code = 0_u32;
        for length in 1..=LONGEST {
            for (symbol, _) in (0..).zip(lengths).filter(|(_, own)| usize::from(**own) == length) {
                symbols.push(symbol);
                if length as u32 <= FAST {
                    let first = (code.reverse_bits() >> (32 - length)) as usize;
                    fast[first..].iter_mut().step_by(1 << length).for_each(|entry| *entry = (symbol, length as u8));
                }
                code += 1;
            }
            code <<= 1;
        }
        Ok(Self { fast, counts, symbols })
    }

    fn decode(&self, bits: &mut Bits<'_>) -> io::Result<u16> {
        bits.fill();
        let (symbol, length) = self.fast[bits.held as usize & ((1 << FAST) - 1)];
        if length > 0 {
            bits.take(length.into())?;
            return Ok(symbol);
        }
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + u32::from(*count) {
                return self.symbols.get((index + code - first) as usize).copied().ok_or_else(broken);
            }
            index += u32::from(*count);
            first = (first + u32::from(*count)) << 1;
            code <<= 1;
        }
        Err(broken())
    }
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
        for data in [&text, &noise, &zeros, &text[..10].to_vec(), &Vec::new()] {
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
                assert!(packed.len() < 9 || inflate(&packed[..packed.len() / 2], [0, 1, 2], &mut out).is_err());
            }
        }
    }
}
