//! The encryption of chunks: each is decrypted for itself.

use std::fmt;

use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};

use crate::container::{ImageError, ImageErrorKind};

/// A cipher with its key.
pub enum Cipher {
    /// The password over and over.
    Simple(Vec<u8>),
    /// AES without chaining, whatever EZB's description says; what is left after the last whole block is in clear.
    Aes128(Box<Aes128>),
    Aes192(Box<Aes192>),
    Aes256(Box<Aes256>),
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    /// The cipher of the header's `kind`, 1 to 4.
    pub fn new(kind: u8, password: &[u8]) -> Result<Self, ImageError> {
        if password.is_empty() {
            return Err(ImageError::new(ImageErrorKind::WrongPassword, "the password is empty"));
        }
        Ok(match kind {
            1 => Self::Simple(password.to_vec()),
            2 => Self::Aes128(Box::new(Aes128::new(&key(password).into()))),
            3 => Self::Aes192(Box::new(Aes192::new(&key(password).into()))),
            _ => Self::Aes256(Box::new(Aes256::new(&key(password).into()))),
        })
    }

    /// Decrypts a chunk.
    pub fn decrypt(&self, chunk: &mut [u8]) {
        match self {
            Self::Simple(password) => {
                chunk.iter_mut().zip(password.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
            }
            Self::Aes128(cipher) => cipher.decrypt_blocks(blocks(chunk)),
            Self::Aes192(cipher) => cipher.decrypt_blocks(blocks(chunk)),
            Self::Aes256(cipher) => cipher.decrypt_blocks(blocks(chunk)),
        }
    }
}

/// The password, cut or filled up with zeros.
fn key<const N: usize>(password: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    key.iter_mut().zip(password).for_each(|(key, &byte)| *key = byte);
    key
}

fn blocks(chunk: &mut [u8]) -> &mut [aes::Block] {
    Array::slice_as_chunks_mut(chunk).0
}
