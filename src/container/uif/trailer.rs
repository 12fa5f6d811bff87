//! `bbis`, the end of the file, which may be there a second time under a password.

use super::cipher::DesKey;
use crate::container::record::Record;
use crate::container::{ImageError, ImageErrorKind, OpenContext};
use crate::source::SharedSource;

pub const TRAILER: usize = 64;
pub const MAGIC: [u8; 4] = *b"bbis";
/// Stands where the list of data should, before the encrypted trailer.
const WRAPPED: [u8; 4] = *b"bsdr";
/// Bytes from there to what it stands before.
const WRAPPER: u64 = 8 + TRAILER as u64;

/// What the trailer says.
#[derive(Debug, Clone)]
pub struct Trailer {
    pub version: u16,
    /// 8: plain blocks; 9: a file of another image format.
    pub kind: u16,
    pub sectors: u32,
    /// Bytes of a sector, and those used in the last one, 0 for all.
    pub sector: u32,
    pub last: u32,
    /// Where the list of data lies.
    pub list: u64,
    pub keys: [u8; 4],
}

impl Trailer {
    /// The trailer that counts: where there is a password, that under it.
    pub fn read(source: &SharedSource, cx: &OpenContext<'_>) -> Result<Self, ImageError> {
        let at = source.len().saturating_sub(TRAILER as u64);
        let outer = Self::parse(&Record::<TRAILER>::read(source, at)?).ok_or_else(|| {
            ImageError::invalid("the file does not end as a UIF does: it is cut off or damaged").at(at)
        })?;
        if Record::<4>::read(source, outer.list)?.bytes(0) != WRAPPED {
            return Ok(outer);
        }
        let wrapped: [u8; TRAILER] = Record::<TRAILER>::read(source, outer.list + 8)?.bytes(0);
        cx.with_password(|password| {
            let mut bytes = wrapped;
            DesKey::new(password.get(..31).unwrap_or(password)).decrypt(&mut bytes);
            let wrong = || ImageError::new(ImageErrorKind::WrongPassword, "the password does not open the image");
            let inner = Self::parse(&Record::new(bytes)).ok_or_else(wrong)?;
            Ok(Self { list: inner.list.saturating_add(WRAPPER), ..inner })
        })
    }

    fn parse(record: &Record<TRAILER>) -> Option<Self> {
        (record.bytes(0) == MAGIC).then(|| Self {
            version: record.u16(8),
            kind: record.u16(10),
            sectors: record.u32(16),
            sector: record.u32(20),
            last: record.u32(24),
            list: record.u64(28),
            keys: record.bytes(56),
        })
    }

    /// Decoded bytes.
    pub fn total(&self) -> u64 {
        let whole = u64::from(self.sectors) * u64::from(self.sector);
        if self.last == 0 || self.last > self.sector { whole } else { whole - u64::from(self.sector - self.last) }
    }
}
