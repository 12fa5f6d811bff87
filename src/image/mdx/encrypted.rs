//! Sectors that are encrypted one by one, and not packed (formats.md, 8.6).

use std::io;
use std::sync::Arc;

use super::crypt::Lrw;
use super::sectors::LONGEST;
use crate::source::{ByteSource, SharedSource};

/// The sectors of a file, decrypted as they are read: that is quicker than to keep them.
#[derive(Debug)]
pub struct Encrypted {
    pub file: SharedSource,
    /// Of the first sector in `file`.
    pub offset: u64,
    /// Bytes of a sector, [`LONGEST`] at most.
    pub stride: u32,
    pub sectors: u32,
    pub key: Arc<Lrw>,
}

impl Encrypted {
    /// Where the last sector ends in the file.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.len())
    }

    /// Reads whole sectors from number `first` on.
    fn read(&self, sectors: &mut [u8], first: u64) -> io::Result<()> {
        let stride = u64::from(self.stride);
        self.file.read_exact_at(sectors, self.offset.saturating_add(first * stride))?;
        for (number, sector) in (first..).zip(sectors.chunks_exact_mut(self.stride as usize)) {
            self.key.decrypt_from_sector(sector, number, self.stride);
        }
        Ok(())
    }
}

impl ByteSource for Encrypted {
    fn len(&self) -> u64 {
        u64::from(self.sectors) * u64::from(self.stride)
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        if offset.checked_add(buf.len() as u64).is_none_or(|end| end > self.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let stride = self.stride as usize;
        let (mut rest, mut at) = (buf, offset);
        while !rest.is_empty() {
            let (number, skip) = (at / stride as u64, (at % stride as u64) as usize);
            let whole = rest.len() / stride * stride;
            let now;
            if skip == 0 && whole > 0 {
                (now, rest) = rest.split_at_mut(whole);
                self.read(now, number)?;
            } else {
                let mut sector = [0; LONGEST];
                let sector = &mut sector[..stride];
                self.read(sector, number)?;
                let count = (stride - skip).min(rest.len());
                (now, rest) = rest.split_at_mut(count);
                now.copy_from_slice(&sector[skip..skip + count]);
            }
            at += now.len() as u64;
        }
        Ok(())
    }
}
