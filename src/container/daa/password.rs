//! What a password makes of blocks of up to 128 bytes: it moves their nibbles to other places (formats.md, appendix A).

use std::fmt;

use crate::container::{ImageError, ImageErrorKind};

/// Bytes of a block, at most.
const BLOCK: usize = 128;
/// Nibbles of the longest block.
const NIBBLES: usize = 2 * BLOCK;

/// A table for each size of block.
pub struct Cipher {
    /// Where each nibble of a block of 1, 2, ... bytes goes.
    tables: Vec<Vec<u8>>,
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    /// The tables of a password.
    ///
    /// # Errors
    /// When it is empty.
    pub fn new(password: &[u8]) -> Result<Self, ImageError> {
        let Some(first) = password.first() else {
            return Err(ImageError::new(ImageErrorKind::WrongPassword, "the password is empty"));
        };
        let table = |bytes: usize| match 2 * bytes {
            nibbles @ ..=64 => short(*first, nibbles),
            nibbles => long(password, nibbles),
        };
        Ok(Self { tables: (1..=BLOCK).map(table).collect() })
    }

    /// Decrypts what was encrypted as a whole.
    pub fn decrypt(&self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(BLOCK) {
            let mut moved = [0_u8; BLOCK];
            for (pair, byte) in self.tables[block.len() - 1].as_chunks::<2>().0.iter().zip(&*block) {
                for (&to, nibble) in pair.iter().zip([byte & 0xF, byte >> 4]) {
                    moved[usize::from(to / 2)] |= nibble << (4 * (to % 2));
                }
            }
            let len = block.len();
            block.copy_from_slice(&moved[..len]);
        }
    }
}

/// A walk over places that are taken one after another.
struct Walk {
    at: usize,
    count: usize,
    taken: [bool; NIBBLES],
}

impl Walk {
    fn new(at: usize, count: usize) -> Self {
        Self { at, count, taken: [false; NIBBLES] }
    }

    /// Moves to the free place that is `steps` free places further, going on at `low` after the last, and takes it.
    fn advance(&mut self, steps: usize, low: usize) -> usize {
        let free =
            |taken: &[bool], from: usize, to: usize| taken[from.min(to)..to].iter().filter(|taken| !**taken).count();
        let ahead = free(&self.taken, self.at + 1, self.count);
        let (from, steps) = if steps <= ahead {
            (self.at + 1, steps)
        } else {
            // As often around as there are places.
            let around = free(&self.taken, low, self.count).max(1);
            (low, (steps - ahead - 1) % around + 1)
        };
        let mut places = (from..self.count).filter(|&place| !self.taken[place]);
        self.at = places.nth(steps - 1).unwrap_or(self.at);
        self.taken[self.at] = true;
        self.at
    }
}

fn short(first: u8, count: usize) -> Vec<u8> {
    let mut walk = Walk::new(usize::from(first >> 5).min(count - 1), count);
    (0..count).map(|_| walk.advance(11, 0) as u8).collect()
}

fn long(password: &[u8], count: usize) -> Vec<u8> {
    let first = password[0];
    let start = usize::from(first >> 5);
    let mut walk = Walk::new(start, count);
    walk.taken[start + 32] = true;
    let mut table = vec![start + 32];
    for slot in 1..count - 32 {
        let steps = password.get(slot).copied().filter(|step| *step != 0).unwrap_or(11);
        table.push(walk.advance(steps.into(), 32));
    }
    let steps = if first & 7 == 0 { 7 } else { usize::from(first & 7) };
    table.extend((0..32).map(|_| walk.advance(steps, 0)));
    let steps = usize::from(first & 24);
    if steps > 0 {
        let mut walk = Walk::new(0, count);
        table = (0..count).map(|_| table[walk.advance(steps, 0)]).collect();
    }
    table.into_iter().map(|place| place as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_moves_each_nibble_to_a_place_of_its_own() {
        for password in [&b"a"[..], b"`@", b"secret", &[0xFF; 64], &[1], &[8, 255, 3]] {
            for (table, count) in Cipher::new(password).unwrap().tables.iter().zip((2..).step_by(2)) {
                let mut places = table.clone();
                places.sort_unstable();
                assert!(places.iter().map(|&place| usize::from(place)).eq(0..count), "{password:?}, {count}");
            }
        }
    }
}
