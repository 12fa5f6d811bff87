//! Storage that may not answer for minutes: behind a network, or behind another process.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{StatFs, fstatfs, statfs};

/// Types of file systems (`statfs(2)`): FUSE, NFS, SMB in three versions, Ceph, AFS, Coda, 9P (a machine's share of its host's files).
const REMOTE: [u64; 9] =
    [0x6573_5546, 0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x00C3_6400, 0x5346_414F, 0x7375_7245, 0x0102_1997];

/// Whether a file is on such storage.
///
/// # Errors
/// When it is not there, or not to be looked at.
pub fn is_remote(path: &Path) -> io::Result<bool> {
    Ok(is_one(&statfs(path)?))
}

/// The same of an open file.
///
/// # Errors
/// What the system reports.
pub fn is_remote_file(file: &File) -> io::Result<bool> {
    Ok(is_one(&fstatfs(file)?))
}

fn is_one(found: &StatFs) -> bool {
    // The type is a word of the processor's; the numbers have 32 bits.
    REMOTE.contains(&(found.f_type as u64 & 0xFFFF_FFFF))
}
