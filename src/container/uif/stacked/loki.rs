//! LOKI91 (Brown, Kwan, Pieprzyk, Seberry, 1991), decryption, with words in another order.

use super::{pairs, word};

const ROUNDS: usize = 16;
/// The generators of the fields in which the rows of the substitution raise to the 31st power.
const GENERATORS: [u16; 16] = [375, 379, 391, 395, 397, 415, 419, 425, 433, 445, 451, 463, 471, 477, 487, 499];
const POWER: u32 = 31;

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let table: Vec<u8> = (0..1 << 12).map(substituted).collect();
    let mut subkeys = [0; ROUNDS];
    let mut halves = [word(key, 0), word(key, 4)];
    for (at, pair) in subkeys.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let half = &mut halves[at % 2];
        *pair = [*half, half.rotate_left(12)];
        *half = half.rotate_left(25);
    }
    pairs(bytes, |[mut left, mut right]| {
        for subkey in subkeys.iter().rev() {
            (left, right) = (right, left ^ mixed(&table, right ^ subkey));
        }
        [right, left]
    });
}

/// What the substitution makes of twelve bits.
fn substituted(input: u16) -> u8 {
    let row = input >> 8 & 0xC | input & 3;
    let column = input >> 2 & 0xFF;
    let base = (column + ((17 * row) ^ 0xFF)) & 0xFF;
    (1..POWER).fold(base, |power, _| product(power, base, GENERATORS[usize::from(row)])) as u8
}

/// In the field of `modulus`.
fn product(a: u16, b: u16, modulus: u16) -> u16 {
    (0..8).rev().fold(0, |sum, bit| {
        let doubled = sum << 1;
        let reduced = if doubled & 0x100 != 0 { doubled ^ modulus } else { doubled };
        if b >> bit & 1 == 1 { reduced ^ a } else { reduced }
    })
}

fn mixed(table: &[u8], word: u32) -> u32 {
    let inputs = [word, word >> 8, word >> 16, word.rotate_right(24)];
    let bytes = inputs.map(|input| table[(input & 0xFFF) as usize]);
    let word = u32::from_le_bytes(bytes);
    // Bit 31 of the result is bit 31, then 23, 15, 7, 30, ...
    (0..32).fold(0, |permuted, at| permuted << 1 | word >> (31 - at / 4 - at % 4 * 8) & 1)
}
