//! The Huffman codes of a CHD (formats.md, 13.3 and 13.4): canonical, the longest code is the one of zeros; and the two ways to
//! write down their lengths.

use std::io;

use super::bits::Bits;
use crate::container::damaged;

/// A code, as a table of what any bits begin with.
#[derive(Debug)]
pub struct Huffman {
    longest: u32,
    /// For each value of the next `longest` bits: the symbol, and the length of its code in the low five bits. A length of 0
    /// stands for no code.
    table: Vec<u16>,
}

impl Huffman {
    /// The code whose symbols have `lengths` of at most `longest` bits.
    fn new(lengths: &[u8], longest: u32) -> io::Result<Self> {
        let broken = || damaged("a Huffman code contradicts itself");
        let mut table = vec![0; 1 << longest];
        // Codes ascend from the longest to the shortest, so their places in the table follow one another.
        let mut next = 0;
        for length in (1..=longest).rev() {
            let each = 1 << (longest - length);
            if next % each != 0 {
                return Err(broken());
            }
            let symbols = lengths.iter().enumerate().filter(|&(_, &known)| u32::from(known) == length);
            for (symbol, _) in symbols {
                let places = table.get_mut(next..next + each).ok_or_else(broken)?;
                places.fill((symbol as u16) << 5 | length as u16);
                next += each;
            }
        }
        Ok(Self { longest, table })
    }

    /// The next symbol.
    pub fn symbol(&self, bits: &mut Bits<'_>) -> io::Result<u16> {
        let entry = self.table.get(bits.peek(self.longest) as usize).copied().unwrap_or(0);
        if entry & 31 == 0 {
            return Err(damaged("packed bits are no code"));
        }
        bits.skip(u32::from(entry & 31))?;
        Ok(entry >> 5)
    }

    /// A code whose lengths are written in four bits each, 1 being an escape: the code of a map.
    pub fn with_runs(bits: &mut Bits<'_>, symbols: usize, longest: u32) -> io::Result<Self> {
        let mut lengths = Vec::with_capacity(symbols);
        while lengths.len() < symbols {
            let length = bits.take(4)? as u8;
            if length != 1 {
                lengths.push(length);
                continue;
            }
            match bits.take(4)? as u8 {
                1 => lengths.push(1),
                repeated => {
                    let count = bits.take(4)? as usize + 3;
                    if lengths.len() + count > symbols {
                        return Err(damaged("a Huffman code has too many symbols"));
                    }
                    lengths.extend(std::iter::repeat_n(repeated, count));
                }
            }
        }
        if lengths.iter().any(|&length| u32::from(length) > longest) {
            return Err(damaged("a Huffman code is too long"));
        }
        Self::new(&lengths, longest)
    }

    /// The code of 256 symbols whose lengths are in a Huffman code themselves: the code of a hunk.
    pub fn of_bytes(bits: &mut Bits<'_>) -> io::Result<Self> {
        const SYMBOLS: usize = 256;
        const LONGEST: u32 = 16;
        const HELPERS: usize = 24;
        /// Bits of the rest of a run: those of 256 - 9.
        const LONG_RUN: u32 = 8;
        let mut helpers = [0; HELPERS];
        helpers[0] = bits.take(3)? as u8;
        let start = bits.take(3)? as usize + 1;
        for helper in &mut helpers[start..] {
            match bits.take(3)? as u8 {
                7 => break,
                length => *helper = length,
            }
        }
        let helper = Self::new(&helpers, 7)?;
        let mut lengths = Vec::with_capacity(SYMBOLS);
        while lengths.len() < SYMBOLS {
            let value = helper.symbol(bits)?;
            if value > 0 {
                lengths.push((value - 1) as u8);
                continue;
            }
            let mut count = bits.take(3)? as usize + 2;
            if count == 7 + 2 {
                count += bits.take(LONG_RUN)? as usize;
            }
            let last = lengths.last().copied().unwrap_or(0);
            let room = SYMBOLS - lengths.len();
            lengths.extend(std::iter::repeat_n(last, count.min(room)));
        }
        if lengths.iter().any(|&length| u32::from(length) > LONGEST) {
            return Err(damaged("a Huffman code is too long"));
        }
        Self::new(&lengths, LONGEST)
    }
}
