//! Bytes held in memory.

use std::fmt;
use std::io;

use super::{ByteSource, Scatter, check_range};

/// A source over a vector: small decoded tables, and tests.
pub struct MemorySource(Vec<u8>);

impl MemorySource {
    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for MemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemorySource({} bytes)", self.0.len())
    }
}

impl ByteSource for MemorySource {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len())?;
        buf.copy_from_slice(&self.0[offset as usize..][..buf.len()]);
        Ok(())
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        check_range(offset, out.len(), self.len())?;
        out.copy_from(&self.0[offset as usize..][..out.len()]);
        Ok(())
    }
}
