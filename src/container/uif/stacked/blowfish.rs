//! Blowfish (Schneier, 1993), decryption, with subkeys that begin as zeros, and words mixed in every round.

use super::{pairs, pi};

const ROUNDS: usize = 16;
const KEY: usize = 16;
const MIXED: u32 = 0x0028_799A;
const MIXED_AFTER: u32 = 0x3FBE_82A9;

struct Schedule {
    p: [u32; ROUNDS + 2],
    s: Vec<u32>,
}

pub fn decrypt(key: &[u8; 32], bytes: &mut [u8]) {
    let schedule = Schedule::new(key);
    pairs(bytes, |words| schedule.decrypt(words));
}

impl Schedule {
    fn new(key: &[u8; 32]) -> Self {
        // The first digits are the subkeys of the cipher as published.
        let s = pi::words()[ROUNDS + 2..].to_vec();
        let mut schedule = Self { p: [0; ROUNDS + 2], s };
        let mut key = key[..KEY].iter().cycle();
        for subkey in &mut schedule.p {
            *subkey = (0..4).fold(0, |word, _| {
                let byte = key.next().copied().unwrap_or_default();
                word << 8 | i32::from(byte.cast_signed()).cast_unsigned()
            });
        }
        let mut words = [0; 2];
        for at in (0..schedule.p.len()).step_by(2) {
            words = schedule.encrypt(words);
            schedule.p[at..at + 2].copy_from_slice(&words);
        }
        for at in (0..schedule.s.len()).step_by(2) {
            words = schedule.encrypt(words);
            schedule.s[at..at + 2].copy_from_slice(&words);
        }
        schedule
    }

    fn mixed(&self, word: u32) -> u32 {
        let [a, b, c, d] = word.to_be_bytes().map(usize::from);
        let s = &self.s;
        ((s[a].wrapping_add(s[256 + b]) ^ s[512 + c]).wrapping_add(s[768 + d])) ^ MIXED
    }

    fn crypt(&self, [mut left, mut right]: [u32; 2], subkeys: impl Iterator<Item = u32>) -> [u32; 2] {
        let mut subkeys = subkeys;
        for subkey in subkeys.by_ref().take(ROUNDS) {
            left ^= subkey;
            (left, right) = (right ^ self.mixed(left) ^ MIXED_AFTER, left);
        }
        // The last swap is undone.
        (left, right) = (right, left);
        right ^= subkeys.next().unwrap_or_default();
        left ^= subkeys.next().unwrap_or_default();
        [left, right]
    }

    fn encrypt(&self, words: [u32; 2]) -> [u32; 2] {
        self.crypt(words, self.p.into_iter())
    }

    fn decrypt(&self, words: [u32; 2]) -> [u32; 2] {
        self.crypt(words, self.p.into_iter().rev())
    }
}
