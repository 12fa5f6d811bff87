//! Data sectors as they are on the disc, where every byte after the sync pattern is mixed with a fixed sequence.

use std::io;

use crate::disc::scramble::unscramble;
use crate::disc::sector::RAW;
use crate::source::{ByteSource, SharedSource};

/// Whole sectors from a source of scrambled ones, one after another from its start.
#[derive(Debug)]
pub struct Unscrambled(pub SharedSource);

impl ByteSource for Unscrambled {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buf, offset)?;
        let mut at = (offset % RAW as u64) as usize;
        let mut rest = buf;
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut((RAW - at).min(rest.len()));
            unscramble(now, at);
            (rest, at) = (later, 0);
        }
        Ok(())
    }
}
