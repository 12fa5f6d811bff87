//! RC5-32/10/5 (Rivest, 1994), decryption, with a word mixed in every round.

use super::pairs;

const ROUNDS: usize = 10;
const KEY: usize = 5;
const P: u32 = 0xB7E1_5163;
const Q: u32 = 0x9E37_79B9;
const MIXED: u32 = 0x63A7_2EFB;

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let subkeys = subkeys(key);
    pairs(bytes, |[mut a, mut b]| {
        for round in (1..=ROUNDS).rev() {
            b = b.wrapping_sub(subkeys[2 * round + 1]).rotate_right(a & 31) ^ a;
            a = (a.wrapping_sub(subkeys[2 * round]) ^ MIXED).rotate_right(b & 31) ^ b;
        }
        [a.wrapping_sub(subkeys[0]), b.wrapping_sub(subkeys[1])]
    });
}

fn subkeys(key: &[u8; 32]) -> [u32; 2 * ROUNDS + 2] {
    let mut words = [0_u32; KEY.div_ceil(4)];
    for (at, &byte) in key[..KEY].iter().enumerate() {
        words[at / 4] |= u32::from(byte) << (8 * (at % 4));
    }
    let mut subkeys = [P; 2 * ROUNDS + 2];
    for at in 1..subkeys.len() {
        subkeys[at] = subkeys[at - 1].wrapping_add(Q);
    }
    let (mut a, mut b) = (0_u32, 0_u32);
    for step in 0..3 * subkeys.len() {
        let subkey = &mut subkeys[step % (2 * ROUNDS + 2)];
        *subkey = subkey.wrapping_add(a).wrapping_add(b).rotate_left(3);
        a = *subkey;
        let sum = a.wrapping_add(b);
        let word = &mut words[step % KEY.div_ceil(4)];
        *word = word.wrapping_add(sum).rotate_left(sum & 31);
        b = *word;
    }
    subkeys
}
