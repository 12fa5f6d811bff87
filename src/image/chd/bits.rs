//! Bits, the most significant of a byte first.

use std::io;

use crate::container::damaged;

/// A place in a run of bits.
#[derive(Debug, Clone, Copy)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Bits<'a> {
    /// From bit `at` of `bytes` on.
    pub fn new(bytes: &'a [u8], at: u64) -> Self {
        Self { bytes, at }
    }

    /// Bits that lie before the place.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The next `count` bits, at most 32, without moving; zeros after the end.
    pub fn peek(&self, count: u32) -> u32 {
        let first = (self.at / 8) as usize;
        let mut eight = [0; 8];
        if let Some(whole) = self.bytes.get(first..first + 8) {
            eight.copy_from_slice(whole);
        } else if let Some(rest) = self.bytes.get(first..) {
            eight[..rest.len()].copy_from_slice(rest);
        }
        let shifted = u64::from_be_bytes(eight) << (self.at % 8);
        (shifted >> 32 >> (32 - count.min(32))) as u32
    }

    /// Moves over `count` bits.
    pub fn skip(&mut self, count: u32) -> io::Result<()> {
        self.at += u64::from(count);
        if self.at > self.bytes.len() as u64 * 8 {
            return Err(damaged("packed bits end too early"));
        }
        Ok(())
    }

    /// The next `count` bits, at most 32.
    pub fn take(&mut self, count: u32) -> io::Result<u32> {
        let bits = self.peek(count);
        self.skip(count)?;
        Ok(bits)
    }
}
