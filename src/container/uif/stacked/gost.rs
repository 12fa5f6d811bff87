//! GOST 28147-89, with 28 rounds, and bytes that are widened with their sign.

use super::{pairs, word};

/// By nibble, the lowest first.
const BOXES: [[u8; 16]; 8] = [
    [13, 2, 8, 4, 6, 15, 11, 1, 10, 9, 3, 14, 5, 0, 12, 7],
    [4, 11, 2, 14, 15, 0, 8, 13, 3, 12, 9, 7, 5, 10, 6, 1],
    [12, 1, 10, 15, 9, 2, 6, 8, 0, 13, 3, 4, 14, 7, 5, 11],
    [2, 12, 4, 1, 7, 10, 11, 6, 8, 5, 3, 15, 13, 0, 14, 9],
    [7, 13, 14, 3, 0, 6, 9, 10, 1, 2, 8, 5, 11, 12, 4, 15],
    [10, 0, 9, 14, 6, 3, 15, 5, 1, 13, 12, 7, 11, 4, 2, 8],
    [15, 1, 8, 14, 6, 11, 3, 4, 9, 7, 2, 13, 12, 0, 5, 10],
    [14, 4, 13, 1, 2, 15, 11, 8, 3, 10, 6, 12, 5, 9, 0, 7],
];
const ORDER: [usize; 28] = [0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 3, 2, 1, 0, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0];

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    pairs(bytes, |[mut first, mut second]| {
        for at in ORDER {
            (first, second) = (second ^ mixed(first.wrapping_add(word(key, 4 * at))), first);
        }
        [second, first]
    });
}

fn mixed(word: u32) -> u32 {
    let byte = |at: usize| {
        let [low, high] = [2 * at, 2 * at + 1].map(|nibble| BOXES[nibble][(word >> (4 * nibble)) as usize & 0xF]);
        i32::from((high << 4 | low).cast_signed()).cast_unsigned() << (8 * at)
    };
    (byte(0) | byte(1) | byte(2) | byte(3)).rotate_left(11)
}
