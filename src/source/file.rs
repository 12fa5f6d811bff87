//! Bytes of an open file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::{ByteSource, Scatter, Spaced, check_range, read_one_by_one};
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

    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        let Spaced { block, gap } = blocks;
        if gap == 0 || gap > sys::file::MAX_GAP || out.len() <= block {
            return read_one_by_one(self, out, blocks, offset);
        }
        let gaps = gap.saturating_mul((out.len() - 1) / block);
        check_range(offset, out.len().saturating_add(gaps), self.len)?;
        sys::file::read_blocks_into(&self.file, out.pieces(), (block, gap), offset)
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;
    use crate::sys::memory::anonymous;

    /// 200 blocks of 2,048 bytes in sectors of 2,352, from byte 16 on, into pieces that end anywhere.
    #[test]
    fn spaced_blocks_come_as_one_by_one_and_need_nothing_behind_the_last() {
        const BLOCKS: usize = 200;
        let stored: Vec<u8> = (0..BLOCKS * 2352).map(|at| (at / 7 + at % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &stored[..stored.len() - 288]).unwrap();
        let source = FileSource::open(file.path()).unwrap();
        let wanted: Vec<u8> = stored.chunks(2352).flat_map(|sector| &sector[16..16 + 2048]).copied().collect();

        let memory = anonymous(0x10_0000).unwrap();
        let spaced = Spaced { block: 2048, gap: 304 };
        for cut in [1000, 2048, 3000, 4096, wanted.len()] {
            memory.write_slice(&vec![0; wanted.len()], GuestAddress(0)).unwrap();
            let starts = (0..wanted.len()).step_by(cut);
            let pieces =
                starts.map(|at| memory.get_slice(GuestAddress(at as u64), cut.min(wanted.len() - at)).unwrap());
            let pieces: Vec<_> = pieces.collect();
            source.read_blocks_at(Scatter::new(&pieces), spaced, 16).unwrap();
            let mut given = vec![0; wanted.len()];
            memory.read_slice(&mut given, GuestAddress(0)).unwrap();
            assert!(given == wanted, "pieces of {cut} bytes");
        }
        let all = [memory.get_slice(GuestAddress(0), wanted.len()).unwrap()];
        let past = source.read_blocks_at(Scatter::new(&all), spaced, 17).unwrap_err();
        assert_eq!(past.kind(), io::ErrorKind::UnexpectedEof);
    }
}
