//! Fixed-size records of a descriptor: little-endian numbers at fixed places.

use std::io;

use super::ImageError;
use crate::source::SharedSource;

/// `N` bytes from an offset that the descriptor itself may have named.
#[derive(Debug, Clone)]
pub struct Record<const N: usize>([u8; N]);

impl<const N: usize> Record<N> {
    /// A record that is not in a file as it is.
    #[must_use]
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Reads the record at `offset`.
    ///
    /// # Errors
    /// When it does not lie inside `source`, whatever the offset, or cannot be read.
    pub fn read(source: &SharedSource, offset: u64) -> Result<Self, ImageError> {
        let mut bytes = [0; N];
        source.read_exact_at(&mut bytes, offset).map_err(|error| cut_off(error, offset))?;
        Ok(Self(bytes))
    }

    /// The bytes from `at`.
    #[must_use]
    pub fn bytes<const M: usize>(&self, at: usize) -> [u8; M] {
        let mut bytes = [0; M];
        bytes.copy_from_slice(&self.0[at..at + M]);
        bytes
    }

    /// The byte at `at`.
    #[must_use]
    pub fn u8(&self, at: usize) -> u8 {
        self.0[at]
    }

    /// The number at `at`.
    #[must_use]
    pub fn u16(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    /// The number at `at`.
    #[must_use]
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    /// The number at `at`.
    #[must_use]
    pub fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.bytes(at))
    }

    /// The number at `at`.
    #[must_use]
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }
}

/// `len` bytes at `offset`, of which the caller knows no better than the file how many they are: nothing is allocated that
/// does not lie inside `source`.
///
/// # Errors
/// When they do not lie inside `source`, or cannot be read.
pub fn bytes_at(source: &SharedSource, offset: u64, len: u64) -> Result<Vec<u8>, ImageError> {
    let inside = offset.checked_add(len).is_some_and(|end| end <= source.len());
    let len = usize::try_from(len).ok().filter(|_| inside);
    let Some(len) = len else { return Err(cut_off(io::ErrorKind::UnexpectedEof.into(), offset)) };
    let mut bytes = vec![0; len];
    source.read_exact_at(&mut bytes, offset).map_err(|error| cut_off(error, offset))?;
    Ok(bytes)
}

fn cut_off(error: io::Error, offset: u64) -> ImageError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            ImageError::invalid("the descriptor is cut off or damaged: it ends before this place").at(offset)
        }
        _ => ImageError::io(error).at(offset),
    }
}

/// Records that follow one another.
#[derive(Debug)]
pub struct Cursor<'a> {
    source: &'a SharedSource,
    /// Where the next record begins.
    pub at: u64,
}

impl<'a> Cursor<'a> {
    /// Records from `at`.
    #[must_use]
    pub fn new(source: &'a SharedSource, at: u64) -> Self {
        Self { source, at }
    }

    /// The next record.
    ///
    /// # Errors
    /// As [`Record::read`].
    pub fn record<const N: usize>(&mut self) -> Result<Record<N>, ImageError> {
        let record = Record::read(self.source, self.at)?;
        self.at += N as u64;
        Ok(record)
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// As [`bytes_at`].
    pub fn bytes(&mut self, len: u64) -> Result<Vec<u8>, ImageError> {
        let bytes = bytes_at(self.source, self.at, len)?;
        self.at += len;
        Ok(bytes)
    }

    /// Passes over `len` bytes.
    pub fn skip(&mut self, len: u64) {
        self.at = self.at.saturating_add(len);
    }
}
