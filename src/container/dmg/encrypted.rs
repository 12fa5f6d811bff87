//! Encrypted DMG, version 2: blocks of an image under AES, its keys under a password.

use std::fmt;
use std::io;
use std::sync::Arc;

use aes::cipher::{Block as CipherBlock, BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use hmac::{Hmac, Mac};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;

use super::super::{ImageError, ImageErrorKind, OpenContext};
use super::{u32_at, u64_at};
use crate::source::blocks::MAX_BLOCK;
use crate::source::{Block, BlockSource, Blocks, SharedSource};

pub const MAGIC: [u8; 12] = *b"encrcdsa\0\0\0\x02";
const HEADER: usize = 76;
/// Keys of an image, and rounds of a password for all of them together, at most: real ones have a few, and up to some hundred thousand.
const MOST_KEYS: u32 = 64;
const MOST_ROUNDS: u64 = 4_000_000;
const LONGEST_BLOB: usize = 512;
const RECORD: usize = 104;
const HMAC_KEY: usize = 20;
const AES: u32 = 0x8000_0001;
const TRIPLE_DES: u32 = 0x11;

/// The image that is in the encrypted `source`.
pub fn open(source: &SharedSource, cx: &OpenContext<'_>) -> Result<SharedSource, ImageError> {
    let mut header = [0; HEADER];
    source.read_exact_at(&mut header, 0).map_err(|_| ImageError::invalid("the file ends inside its header"))?;
    let number = |at| u32_at(&header, at);
    let key_len = match (number(16), number(20), number(24)) {
        (5, AES, bits @ (128 | 256)) => bits as usize / 8,
        _ => return Err(ImageError::unsupported("a DMG encrypted in a way that is not known").at(16)),
    };
    let (block, len, at) = (number(52), u64_at(&header, 56), u64_at(&header, 64));
    if block == 0 || !block.is_multiple_of(16) || block > MAX_BLOCK {
        let message = format!("encrypted blocks of {block} bytes: the file is damaged");
        return Err(ImageError::new(ImageErrorKind::Limit, message).at(52));
    }
    let padded = len.checked_next_multiple_of(u64::from(block));
    let end = padded.and_then(|len| at.checked_add(len));
    if len == 0 || len.div_ceil(u64::from(block)) > 1 << 32 {
        return Err(ImageError::invalid("the encrypted image is empty or too long").at(56));
    }
    if end.ok_or_else(|| ImageError::invalid("the encrypted image is too long").at(56))? > source.len() {
        cx.warn("the file is cut off: what is missing cannot be read");
    }
    let records = records(source, number(72))?;
    let keys = cx.with_password(|password| {
        let found = records.iter().find_map(|record| record.open(password, key_len));
        found.ok_or_else(|| ImageError::new(ImageErrorKind::WrongPassword, "the password is wrong"))
    })?;
    let blocks = Encrypted { source: Arc::clone(source), at, len, block, keys };
    Ok(Arc::new(BlockSource::new(Arc::new(blocks), Arc::clone(cx.cache))))
}

/// What a password opens.
#[derive(Debug)]
struct Record {
    rounds: u32,
    salt: Vec<u8>,
    iv: [u8; 16],
    algorithm: u32,
    blob: Vec<u8>,
}

fn records(source: &SharedSource, count: u32) -> Result<Vec<Record>, ImageError> {
    if count > MOST_KEYS {
        return Err(ImageError::new(ImageErrorKind::Limit, format!("{count} keys: the file is damaged")).at(72));
    }
    let (mut records, mut all_rounds) = (Vec::new(), 0);
    for number in 0..u64::from(count) {
        let entry_at = HEADER as u64 + number * 20;
        let cut_off = || ImageError::invalid("the keys lie past the end of the file").at(entry_at);
        let mut entry = [0; 20];
        source.read_exact_at(&mut entry, entry_at).map_err(|_| cut_off())?;
        if u32_at(&entry, 0) != 1 {
            continue;
        }
        let (at, mut fixed) = (u64_at(&entry, 4), [0; RECORD]);
        source.read_exact_at(&mut fixed, at).map_err(|_| cut_off())?;
        let blob_at = at.checked_add(RECORD as u64).ok_or_else(cut_off)?;
        let (rounds, salt, blob) = (u32_at(&fixed, 8), u32_at(&fixed, 12) as usize, u32_at(&fixed, 100) as usize);
        let algorithm = u32_at(&fixed, 88);
        let cipher_block = if algorithm == TRIPLE_DES { 8 } else { 16 };
        let known = u32_at(&fixed, 0) == 0x67 && u32_at(&fixed, 84) == 192 && matches!(algorithm, TRIPLE_DES | AES);
        if !known {
            return Err(ImageError::unsupported("a DMG whose key is protected in a way that is not known").at(at));
        }
        if salt > 32 || rounds == 0 || blob > LONGEST_BLOB || blob % cipher_block != 0 {
            return Err(ImageError::invalid("the record of the password is damaged").at(at));
        }
        all_rounds += u64::from(rounds);
        if all_rounds > MOST_ROUNDS {
            let message = format!(
                "a password that takes {all_rounds} rounds: the file is damaged (at most {MOST_ROUNDS} are made)"
            );
            return Err(ImageError::new(ImageErrorKind::Limit, message).at(at));
        }
        let mut blob = vec![0; blob];
        source.read_exact_at(&mut blob, blob_at).map_err(|_| cut_off())?;
        let mut iv = [0; 16];
        iv.copy_from_slice(&fixed[52..68]);
        records.push(Record { rounds, salt: fixed[16..16 + salt].to_vec(), iv, algorithm, blob });
    }
    if records.is_empty() {
        return Err(ImageError::unsupported("a DMG that no password opens").at(72));
    }
    Ok(records)
}

impl Record {
    /// The keys of the image, where this is the password.
    fn open(&self, password: &[u8], key_len: usize) -> Option<Keys> {
        let mut key = [0; 24];
        pbkdf2_hmac::<Sha1>(password, &self.salt, self.rounds, &mut key);
        let mut blob = self.blob.clone();
        if self.algorithm == TRIPLE_DES {
            decrypt_cbc(&TdesEde3::new_from_slice(&key).ok()?, &self.iv, &mut blob);
        } else {
            decrypt_cbc(&Aes192::new_from_slice(&key).ok()?, &self.iv, &mut blob);
        }
        let padding = usize::from(*blob.last()?);
        let plain = blob.get(..blob.len().checked_sub(padding)?).filter(|plain| plain.ends_with(b"CKIE\0"))?;
        let (key, rest) = plain.split_at_checked(key_len)?;
        let cipher = match key_len {
            16 => Cipher::Aes128(Box::new(Aes128::new_from_slice(key).ok()?)),
            _ => Cipher::Aes256(Box::new(Aes256::new_from_slice(key).ok()?)),
        };
        Some(Keys { cipher, hmac: *rest.first_chunk()? })
    }
}

enum Cipher {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

/// The keys of an image. They are not shown.
struct Keys {
    cipher: Cipher,
    hmac: [u8; HMAC_KEY],
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

#[derive(Debug)]
struct Encrypted {
    source: SharedSource,
    at: u64,
    len: u64,
    block: u32,
    keys: Keys,
}

impl Blocks for Encrypted {
    fn total_len(&self) -> u64 {
        self.len
    }

    fn locate(&self, offset: u64) -> io::Result<Block> {
        let index = offset / u64::from(self.block);
        let start = index * u64::from(self.block);
        Ok(Block { index, start, len: (self.len - start).min(u64::from(self.block)) as u32 })
    }

    fn even(&self) -> Option<u32> {
        Some(self.block)
    }

    fn decode(&self, block: &Block, out: &mut [u8]) -> io::Result<()> {
        let mut bytes = vec![0; self.block as usize];
        self.source.read_exact_at(&mut bytes, self.at + block.start)?;
        let number = (block.index as u32).to_be_bytes();
        let mac = Hmac::<Sha1>::new_from_slice(&self.keys.hmac).map_err(|_| io::ErrorKind::InvalidData)?;
        let iv = mac.chain_update(number).finalize().into_bytes();
        match &self.keys.cipher {
            Cipher::Aes128(cipher) => decrypt_cbc(&**cipher, &iv, &mut bytes),
            Cipher::Aes256(cipher) => decrypt_cbc(&**cipher, &iv, &mut bytes),
        }
        out.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
        Ok(())
    }
}

/// Cipher block chaining with the start of `iv`.
fn decrypt_cbc<C: BlockCipherDecrypt>(cipher: &C, iv: &[u8], bytes: &mut [u8]) {
    let mut before = CipherBlock::<C>::default();
    before.iter_mut().zip(iv).for_each(|(to, byte)| *to = *byte);
    for chunk in bytes.chunks_exact_mut(C::block_size()) {
        let mut block = CipherBlock::<C>::default();
        block.copy_from_slice(chunk);
        let packed = block.clone();
        cipher.decrypt_block(&mut block);
        chunk.iter_mut().zip(block.iter().zip(&before)).for_each(|(to, (plain, before))| *to = plain ^ before);
        before = packed;
    }
}
