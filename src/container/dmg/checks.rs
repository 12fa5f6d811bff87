//! The checksums of a DMG.

use std::io;

use super::super::Check;
use super::u32_at;
use crate::source::SharedSource;

/// A CRC-32 of bytes.
#[derive(Debug)]
pub struct Crc {
    name: &'static str,
    bytes: SharedSource,
    stored: u32,
}

impl Crc {
    pub fn new(name: &'static str, bytes: SharedSource, stored: u32) -> Self {
        Self { name, bytes, stored }
    }

    /// The CRC-32 in a checksum record, where it is of that kind.
    pub fn stored(record: &[u8]) -> Option<u32> {
        (u32_at(record, 0) == 2 && u32_at(record, 4) == 32).then(|| u32_at(record, 8))
    }
}

impl Check for Crc {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn bytes(&self) -> u64 {
        self.bytes.len()
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let mut buf = vec![0; 1 << 20];
        let (mut at, mut crc) = (0, crc32fast::Hasher::new());
        while at < self.bytes.len() {
            let step = (self.bytes.len() - at).min(buf.len() as u64) as usize;
            self.bytes.read_exact_at(&mut buf[..step], at)?;
            crc.update(&buf[..step]);
            at += step as u64;
            progress(step as u64);
        }
        Ok(crc.finalize() == self.stored)
    }
}
