//! What a front-end's descriptor is, found out without waiting: it may be a file of a file system that the front-end serves itself.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, StatxFlags, statx};

/// What is known of it.
#[derive(Debug)]
pub(super) struct Found {
    /// An eventfd has none that is known.
    pub kind: FileType,
    /// Its length in bytes, of a regular file.
    pub len: u64,
}

/// Looks at a descriptor. The kernel answers by what it knows and asks nobody.
///
/// # Errors
/// What the system reports.
pub(super) fn look_at(file: impl AsFd) -> io::Result<Found> {
    let found = statx(file, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE | StatxFlags::SIZE)?;
    Ok(Found { kind: FileType::from_raw_mode(found.stx_mode.into()), len: found.stx_size })
}
