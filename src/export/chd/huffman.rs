//! The Huffman code of a map: 16 symbols, at most 8 bits, the longest code being the one of zeros (formats.md, 13.3).

use std::cmp::Reverse;

use crate::export::bits::BitWriter;

const SYMBOLS: usize = 16;
const LONGEST: u8 = 8;

/// A code: for each symbol its length in bits, 0 for none, and its bits.
pub struct Code([(u8, u32); SYMBOLS]);

impl Code {
    /// A code that is short for what occurs `counts` times.
    pub fn for_counts(counts: [u64; SYMBOLS]) -> Self {
        let mut counts = counts;
        loop {
            let lengths = lengths(&counts);
            if lengths.iter().all(|&length| length <= LONGEST) {
                return Self::canonical(lengths);
            }
            // Counts that differ less make codes that differ less.
            counts.iter_mut().filter(|count| **count > 0).for_each(|count| *count = *count / 2 + 1);
        }
    }

    fn canonical(lengths: [u8; SYMBOLS]) -> Self {
        let mut code = [(0, 0); SYMBOLS];
        let mut start = 0;
        for length in (1..=LONGEST).rev() {
            for (symbol, _) in lengths.iter().enumerate().filter(|(_, known)| **known == length) {
                code[symbol] = (length, start);
                start += 1;
            }
            start /= 2;
        }
        Self(code)
    }

    /// Writes the lengths: four bits each, where 1 is an escape that stands for itself when doubled.
    pub fn put_lengths(&self, bits: &mut BitWriter) {
        for &(length, _) in &self.0 {
            if length == 1 {
                bits.put(1, 4);
            }
            bits.put(u32::from(length), 4);
        }
    }

    /// Writes a symbol that occurs.
    pub fn put(&self, symbol: u8, bits: &mut BitWriter) {
        let (length, code) = self.0[usize::from(symbol) % SYMBOLS];
        bits.put(code, u32::from(length));
    }
}

/// Lengths of a Huffman code. A symbol alone has one bit.
fn lengths(counts: &[u64; SYMBOLS]) -> [u8; SYMBOLS] {
    let mut lengths = [0; SYMBOLS];
    let mut trees: Vec<(u64, Vec<usize>)> = counts
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(symbol, &count)| (count, vec![symbol]))
        .collect();
    if let [(_, only)] = &trees[..] {
        only.iter().for_each(|&symbol| lengths[symbol] = 1);
    }
    while trees.len() > 1 {
        trees.sort_by_key(|tree| Reverse(tree.0));
        let (Some(one), Some(other)) = (trees.pop(), trees.pop()) else { break };
        let symbols = [one.1, other.1].concat();
        symbols.iter().for_each(|&symbol| lengths[symbol] += 1);
        trees.push((one.0 + other.0, symbols));
    }
    lengths
}
