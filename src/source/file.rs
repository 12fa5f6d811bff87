//! Bytes of an open file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::{ByteSource, Scatter, check_range};
use crate::sys;

/// A regular file or a block device, read with positional reads.
///
/// Not mapped: a file that shrinks under a mapping kills the process with SIGBUS, a positional read returns an error
/// (docs/adr/0003).
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens `path` read-only.
    ///
    /// # Errors
    /// What the operating system says, or `InvalidInput` for what is neither a regular file nor a block device.
    pub fn open(path: &Path) -> io::Result<Self> {
        // O_NONBLOCK: opening a FIFO nobody writes to must not hang before its type is looked at.
        let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)?;
        Self::from_file(file)
    }

    /// Takes an open file, such as one whose descriptor a client passed.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_file(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        let len = if kind.is_file() {
            metadata.len()
        } else if kind.is_block_device() {
            rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?
        } else if kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is a folder, not a file"));
        } else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither a regular file nor a block device"));
        };
        Ok(Self { file, len })
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len)?;
        self.file.read_exact_at(buf, offset)
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        check_range(offset, out.len(), self.len)?;
        sys::file::read_exact_into(&self.file, out.pieces(), offset)
    }
}
