//! How DAEMON Tools hides a descriptor and protects data (formats.md, 8.2 to 8.4): keys in a header that a password opens,
//! AES-256 in two modes.

use std::array;
use std::fmt;

use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use aes::{Aes256, Block};
use pbkdf2::pbkdf2_hmac_array;
use ripemd::Ripemd160;

use super::super::record::Record;
use crate::disc::edc::edc;

/// Bytes of the header that has the keys.
pub const KEY_HEADER: usize = 512;
/// Bytes of it that are not encrypted.
const SALT: usize = 64;
const MAGIC: u32 = 0x5452_5545;
/// Bytes of the keys.
const KEYS: usize = 256;
const ROUNDS: u32 = 2000;
/// Bytes of one block of AES.
const BLOCK: usize = 16;

/// What a header of keys says.
pub struct KeyHeader {
    pub keys: Keys,
    /// Bytes of the descriptor as it is stored.
    pub packed: u32,
    /// Bytes of the descriptor.
    pub unpacked: u32,
}

/// A key of AES-256 and the 16 bytes that its mode takes beside it.
pub struct Keys {
    key: [u8; 32],
    beside: [u8; 16],
}

/// How a header is encrypted.
#[derive(Debug, Clone, Copy)]
pub enum Mode {
    /// That of the descriptor.
    WhitenedCbc,
    /// That of the data.
    Lrw,
}

impl KeyHeader {
    /// The header that `password` opens; nothing where it is another, or the header damaged.
    pub fn open(header: &Record<KEY_HEADER>, password: &[u8], mode: Mode) -> Option<Self> {
        let salt: [u8; SALT] = header.bytes(0);
        let derived: [u8; 64] = pbkdf2_hmac_array::<Ripemd160, 64>(password, &salt, ROUNDS);
        let keys = Keys::at_the_start_of(&derived);
        let mut plain: [u8; KEY_HEADER] = header.bytes(0);
        match mode {
            Mode::WhitenedCbc => keys.decrypt_whitened_cbc(&mut plain[SALT..]),
            Mode::Lrw => Lrw::new(&keys).decrypt(&mut plain[SALT..], 1),
        }
        let plain = Record::<KEY_HEADER>::new(plain);
        let data: [u8; KEYS] = plain.bytes(80);
        let opened = plain.u32(68) == MAGIC && plain.u16(74) == KEYS as u16 && plain.u32(64) == crc32fast::hash(&data);
        opened.then(|| Self { keys: Keys::at_the_start_of(&data), packed: plain.u32(336), unpacked: plain.u32(340) })
    }
}

/// The password that a header itself has in its salt: that of every descriptor, and of data without protection.
pub fn password_in(header: &Record<KEY_HEADER>) -> [u8; SALT] {
    let salt: [u8; SALT] = header.bytes(0);
    let mut state = edc(&salt) ^ 0x5673_72FF;
    let mut password = [0; SALT];
    for (to, from) in password.chunks_exact_mut(4).zip(salt.chunks_exact(4)) {
        state = state.wrapping_mul(0x35E8_5A6D).wrapping_add(0x1548_DCE9);
        let word = u32::from_le_bytes([from[0], from[1], from[2], from[3]]) ^ state ^ 0xEC56_4717;
        let word = word.to_le_bytes().map(|byte| if byte == 0 { 0x5F } else { byte });
        to.copy_from_slice(&word);
    }
    password
}

impl Keys {
    fn at_the_start_of<const N: usize>(bytes: &[u8; N]) -> Self {
        Self { key: array::from_fn(|at| bytes[32 + at]), beside: array::from_fn(|at| bytes[at]) }
    }

    /// CBC in which the second half of the initial value is laid over both halves of every block before it is decrypted. Bytes
    /// after the last whole block stay as they are.
    pub fn decrypt_whitened_cbc(&self, bytes: &mut [u8]) {
        let cipher = Aes256::new(&self.key.into());
        let mut before = self.beside;
        for chunk in bytes.chunks_exact_mut(BLOCK) {
            let whitened: [u8; BLOCK] = array::from_fn(|at| chunk[at] ^ self.beside[8 + at % 8]);
            let mut block = Block::from(whitened);
            cipher.decrypt_block(&mut block);
            chunk.iter_mut().zip(block.iter().zip(before)).for_each(|(to, (plain, before))| *to = plain ^ before);
            before = whitened;
        }
    }
}

/// AES-256 in LRW mode (Liskov, Rivest, Wagner; IEEE P1619, draft 0.00): every block has an index, which is multiplied with a
/// second key.
pub struct Lrw {
    cipher: Aes256,
    second: u128,
    /// What the product changes by when an index goes up by one and so many low bits of it were set.
    steps: [u128; 65],
}

impl Lrw {
    /// The cipher of `keys`.
    pub fn new(keys: &Keys) -> Self {
        let second = u128::from_be_bytes(keys.beside);
        let (mut power, mut sum) = (second, 0);
        let steps = array::from_fn(|_| {
            sum ^= power;
            power = doubled(power);
            sum
        });
        Self { cipher: Aes256::new(&keys.key.into()), second, steps }
    }

    /// Decrypts `bytes`, whose first block has the index `first`. Bytes after the last whole block stay as they are.
    pub fn decrypt(&self, bytes: &mut [u8], first: u64) {
        let (blocks, _) = Array::slice_as_chunks_mut(bytes);
        self.lay_over(blocks, first);
        self.cipher.decrypt_blocks(blocks);
        self.lay_over(blocks, first);
    }

    /// Decrypts what is stored of the sector `number`, and maybe of others after it, where each has `stride` bytes: the blocks
    /// of 16 bytes that lie in one are counted from 1 on, what does not fill a block is not.
    pub fn decrypt_from_sector(&self, bytes: &mut [u8], number: u64, stride: u32) {
        self.decrypt(bytes, 1 + number * u64::from(stride / BLOCK as u32));
    }

    fn lay_over(&self, blocks: &mut [Block], first: u64) {
        let (mut index, mut product) = (first, self.product(first));
        for block in blocks {
            block.iter_mut().zip(product.to_be_bytes()).for_each(|(byte, over)| *byte ^= over);
            product ^= self.steps[index.trailing_ones() as usize];
            index = index.wrapping_add(1);
        }
    }

    fn product(&self, index: u64) -> u128 {
        let mut power = self.second;
        let mut product = 0;
        for bit in 0..u64::BITS {
            if index >> bit & 1 != 0 {
                product ^= power;
            }
            power = doubled(power);
        }
        product
    }
}

impl fmt::Debug for Lrw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lrw")
    }
}

/// Times x, modulo x^128 + x^7 + x^2 + x + 1.
fn doubled(power: u128) -> u128 {
    power << 1 ^ if power >> 127 != 0 { 0x87 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            key: array::from_fn(|at| at as u8 * 7 + 1),
            beside: array::from_fn(|at| (at as u8 ^ 0x5A).wrapping_mul(29)),
        }
    }

    /// Bit by bit, from the definition of the field.
    fn multiplied(a: u128, b: u128) -> u128 {
        (0..128).rev().fold(0, |sum, bit| doubled(sum) ^ if b >> bit & 1 != 0 { a } else { 0 })
    }

    #[test]
    fn the_product_of_every_index_is_that_of_the_field() {
        let lrw = Lrw::new(&keys());
        for first in [0, 1, 2, 0xFF, 0x1_0000, u64::from(u32::MAX) - 3, u64::MAX - 10] {
            let mut blocks = [Block::default(); 9];
            lrw.lay_over(&mut blocks, first);
            for (index, block) in (first..).zip(&blocks) {
                assert_eq!(block[..], multiplied(lrw.second, u128::from(index)).to_be_bytes(), "{index}");
            }
        }
    }

    #[test]
    fn a_run_can_be_decrypted_from_any_block_on() {
        let lrw = Lrw::new(&keys());
        let mut whole: [u8; 2352] = array::from_fn(|at| at as u8);
        let mut part = whole;
        lrw.decrypt(&mut whole, 1);
        lrw.decrypt(&mut part[160..], 11);
        assert_eq!(whole[160..], part[160..]);
        assert_ne!(whole[..160], part[..160]);
        let mut tail: [u8; 21] = [9; 21];
        lrw.decrypt(&mut tail, 1);
        assert_eq!(tail[16..], [9; 5]);
    }

    /// Vectors of IEEE P1619, draft 0.00, with keys of 256 bits: key, second key, index, encrypted block.
    #[test]
    fn the_published_vectors_decrypt() {
        let number = |hex: &str| u128::from_str_radix(hex, 16).unwrap().to_be_bytes();
        for (high, low, beside, index, encrypted) in [
            (
                "f8d476ffd646ee6c2384cb1c77d6195d",
                "fef1a9f37bbc8d21a79c21f8cb900289",
                "a845348ec8c5b5f126f50e76fefd1b1e",
                1,
                "bd06b8e1db98899ec498e491cf1c702b",
            ),
            (
                "fb7615b23d80891dd470980bc79584c8",
                "b2fb64ce6097878d17fce45a49e830b7",
                "6e7817e72d5e12d46064047af12f9e0c",
                2 << 32,
                "5b908ec1abdd675f3d698a9553c89ce5",
            ),
        ] {
            let mut key = [0; 32];
            key[..16].copy_from_slice(&number(high));
            key[16..].copy_from_slice(&number(low));
            let mut block = number(encrypted);
            Lrw::new(&Keys { key, beside: number(beside) }).decrypt(&mut block, index);
            assert_eq!(&block, b"0123456789ABCDEF");
        }
    }
}
