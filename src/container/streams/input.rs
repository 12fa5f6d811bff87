//! A source as something to read from start to end.

use std::io::{self, BufReader, Read};

use crate::source::{ByteSource, SharedSource};

/// The bytes of a source from a place to another.
#[derive(Debug)]
pub struct Input {
    source: SharedSource,
    at: u64,
    end: u64,
}

impl Input {
    /// All of `source`, read in large steps.
    pub fn of(source: &SharedSource) -> BufReader<Self> {
        Self::part(source, 0, source.len())
    }

    /// The bytes of `source` from `at` to `end`, which lies in it.
    pub fn part(source: &SharedSource, at: u64, end: u64) -> BufReader<Self> {
        let capacity = (end - at).clamp(1, 256 << 10) as usize;
        BufReader::with_capacity(capacity, Self { source: SharedSource::clone(source), at, end })
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let step = (self.end - self.at).min(buf.len() as u64) as usize;
        self.source.read_exact_at(&mut buf[..step], self.at)?;
        self.at += step as u64;
        Ok(step)
    }
}

/// `len` bytes of `source` at `at`; never more than there are.
///
/// # Errors
/// What the source reports.
pub fn bytes(source: &dyn ByteSource, at: u64, len: u64) -> io::Result<Vec<u8>> {
    let there = source.len().checked_sub(at).ok_or(io::ErrorKind::UnexpectedEof)?;
    if len > there {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; len as usize];
    source.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}
