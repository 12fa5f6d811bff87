//! Digests of files and of the tracks on a disc.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::progress::Progress;
use crate::disc::{Disc, SectorError, Track};
use crate::source::PageBuffer;

/// The SHA-256 of a track's user data from index 1 on (see [`Disc::each_user_data`]), in hexadecimal.
///
/// # Errors
/// For the first sector that cannot be read.
pub fn track(disc: &Disc, track: &Track, progress: &Progress) -> Result<String, SectorError> {
    let mut hash = Sha256::new();
    disc.each_user_data(track, |bytes| {
        hash.update(bytes);
        progress.add(bytes.len() as u64);
        Ok::<_, SectorError>(())
    })?;
    Ok(hex(&hash.finalize()))
}

/// The digest of the file at `path`, in hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn file<D: Digest>(path: &Path, progress: &Progress) -> io::Result<String> {
    let mut digest = D::new();
    let mut file = File::open(path)?;
    let mut buffer = PageBuffer::new(128 << 10);
    loop {
        let buf = buffer.bytes();
        match file.read(buf)? {
            0 => return Ok(hex(&digest.finalize())),
            count => {
                digest.update(&buf[..count]);
                progress.add(count as u64);
            }
        }
    }
}

/// Bytes in hexadecimal, lower case.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
