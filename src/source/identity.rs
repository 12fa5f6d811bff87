//! Which file it is, and whether it is still as it was.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;

use serde::{Deserialize, Serialize};

/// A file at one moment: equal values are the same file with, in all likelihood, the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    /// When its content was changed last: seconds since 1970, and nanoseconds.
    modified: (i64, i64),
}

impl FileIdentity {
    /// That of an open file.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from(&metadata))
    }

    /// Device and inode: which file it is, whatever becomes of its content, for as long as somebody has it open.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

impl From<&Metadata> for FileIdentity {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
