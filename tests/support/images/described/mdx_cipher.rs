//! The ciphers of DAEMON Tools' files, the way that encrypts, after sections 8.2 to 8.6 of the formats' description.

use aes::Aes256;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use ripemd::Ripemd160;

use super::put::Put;
use super::source_sector::edc;

/// Keys of a descriptor or of the data: their header holds them under a password.
pub struct Keys(pub [u8; 256]);

/// What locks keys.
#[derive(Debug, Clone, Copy)]
pub enum Lock<'a> {
    /// Those of a descriptor, under the password that follows from the salt.
    Descriptor,
    /// Those of data, under the same.
    Salt,
    /// Those of data, under somebody's password.
    Password(&'a [u8]),
}

fn encrypted(cipher: &Aes256, block: [u8; 16]) -> [u8; 16] {
    let mut block = block.into();
    cipher.encrypt_block(&mut block);
    block.into()
}

fn aes(key: &[u8]) -> Aes256 {
    Aes256::new_from_slice(key).unwrap()
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    (u128::from_be_bytes(a) ^ u128::from_be_bytes(b)).to_be_bytes()
}

/// One run of CBC whose ciphertext is whitened with the second half of the initial value.
fn whitened_cbc(key: &[u8], initial: &[u8], run: &mut [u8]) {
    let cipher = aes(key);
    let white = [&initial[8..16], &initial[8..16]].concat().try_into().unwrap();
    let mut previous: [u8; 16] = initial.try_into().unwrap();
    for block in run.as_chunks_mut::<16>().0 {
        previous = encrypted(&cipher, xor(*block, previous));
        *block = xor(previous, white);
    }
}

/// LRW from block `index` on; what is left of the last 16 bytes stays as it is.
fn lrw(key: &[u8], tweak: &[u8], index: u128, run: &mut [u8]) {
    let cipher = aes(key);
    let tweak = u128::from_be_bytes(tweak.try_into().unwrap());
    for (index, block) in (index..).zip(run.as_chunks_mut::<16>().0) {
        let whitening = product(tweak, index).to_be_bytes();
        *block = xor(encrypted(&cipher, xor(*block, whitening)), whitening);
    }
}

/// In GF(2^128) modulo x^128 + x^7 + x^2 + x + 1.
fn product(mut a: u128, mut b: u128) -> u128 {
    let mut sum = 0;
    while b != 0 {
        if b & 1 == 1 {
            sum ^= a;
        }
        a = a << 1 ^ if a >> 127 == 1 { 0x87 } else { 0 };
        b >>= 1;
    }
    sum
}

/// The password that a header has when nobody gave one.
fn password_of(salt: &[u8; 64]) -> Vec<u8> {
    let mut m = edc(salt) ^ 0x5673_72FF;
    let words = salt.as_chunks::<4>().0.iter().map(|word| {
        m = m.wrapping_mul(0x35E8_5A6D).wrapping_add(0x1548_DCE9);
        u32::from_le_bytes(*word) ^ m ^ 0xEC56_4717
    });
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.into_iter().map(|byte| if byte == 0 { 0x5F } else { byte }).collect()
}

impl Keys {
    /// Any keys, told apart by `seed`.
    pub fn new(seed: u8) -> Self {
        Self(std::array::from_fn(|at| (at as u8).wrapping_mul(167).wrapping_add(seed)))
    }

    /// The 512 bytes that hold them, and the sizes of a descriptor.
    pub fn header(&self, lock: Lock, [compressed, whole]: [u32; 2]) -> Vec<u8> {
        let salt: [u8; 64] = std::array::from_fn(|at| (at as u8).wrapping_mul(73).wrapping_add(self.0[0]));
        let mut header = salt.to_vec();
        header.le32s(&[crc32fast::hash(&self.0), 0x5452_5545, 0x0100_0001, 0]);
        header.put(&self.0);
        header.le32s(&[compressed, whole]);
        header.zeros(168);
        let mut derived = [0; 152];
        let password = match lock {
            Lock::Descriptor | Lock::Salt => password_of(&salt),
            Lock::Password(password) => password.to_vec(),
        };
        pbkdf2::pbkdf2_hmac::<Ripemd160>(&password, &salt, 2000, &mut derived);
        match lock {
            Lock::Descriptor => whitened_cbc(&derived[32..64], &derived[..16], &mut header[64..]),
            Lock::Salt | Lock::Password(_) => lrw(&derived[32..64], &derived[..16], 1, &mut header[64..]),
        }
        header
    }

    /// A descriptor, which is a multiple of 16 bytes.
    pub fn encrypt_descriptor(&self, descriptor: &mut [u8]) {
        descriptor.chunks_mut(512).for_each(|run| whitened_cbc(&self.0[32..64], &self.0[..16], run));
    }

    /// What is stored of the sectors from `first` on, of `size` bytes each.
    pub fn encrypt_data(&self, first: usize, size: usize, stored: &mut [u8]) {
        lrw(&self.0[32..64], &self.0[..16], 1 + (first * (size & !15) / 16) as u128, stored);
    }
}
