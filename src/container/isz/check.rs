//! The checksums of an ISZ, for who wants to verify it.

use std::io;
use std::sync::Arc;

use crc32fast::Hasher;

use crate::container::Check;
use crate::source::SharedSource;

/// Bytes that are read at a time.
const STEP: u64 = 1 << 20;

/// A CRC-32 over all of a source.
#[derive(Debug)]
pub struct Crc {
    name: &'static str,
    source: SharedSource,
    expected: u32,
}

impl Crc {
    pub fn new(name: &'static str, source: &SharedSource, expected: u32) -> Self {
        Self { name, source: Arc::clone(source), expected }
    }
}

impl Check for Crc {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn bytes(&self) -> u64 {
        self.source.len()
    }

    fn run(&self, progress: &dyn Fn(u64)) -> io::Result<bool> {
        let len = self.source.len();
        let mut crc = Hasher::new();
        let mut buf = vec![0; STEP.min(len) as usize];
        let mut at = 0;
        while at < len {
            let step = STEP.min(len - at);
            let bytes = &mut buf[..step as usize];
            self.source.read_exact_at(bytes, at)?;
            crc.update(bytes);
            progress(step);
            at += step;
        }
        Ok(crc.finalize() == self.expected)
    }
}
