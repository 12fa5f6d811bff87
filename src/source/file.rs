//! Bytes of an open file.

use std::fs::{File, OpenOptions};
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{OFlags, fcntl_getfl};

use super::around::Around;
use super::mapped::Mapped;
use super::{ByteSource, Scatter, Spaced, advance, check_range, read_one_by_one, waits};
use crate::sys;
use crate::sys::file::Wait;
use crate::sys::guarded::{Lost, Mapping};

/// How far behind the last read another still comes in order.
const IN_ORDER: u64 = 2 << 20;

/// A regular file or a block device. A range is read with a positional read, and when it is read again copied from a
/// mapping (docs/adr/0014).
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
    /// Not for block devices, nor where the file system has no mappings.
    mapped: Option<Mapped>,
    /// Where the last positional read ended.
    next: AtomicU64,
    around: Around,
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
        let flags = fcntl_getfl(&file)?;
        if flags.contains(OFlags::PATH) || flags & OFlags::RWMODE == OFlags::WRONLY {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not open for reading"));
        }
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        let regular = kind.is_file();
        let len = if regular {
            metadata.len()
        } else if kind.is_block_device() {
            rustix::fs::seek(&file, rustix::fs::SeekFrom::End(0))?
        } else if kind.is_dir() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is a folder, not a file"));
        } else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is neither a regular file nor a block device"));
        };
        let mapped = if regular { Mapped::new(&file, len) } else { None };
        Ok(Self { file, len, mapped, next: AtomicU64::new(0), around: Around::new(len) })
    }

    /// The file itself.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// See [`Mapped::copy`].
    fn copy_mapped(&self, range: Range<u64>, copy: impl FnOnce(&Mapping) -> Result<(), Lost>) -> bool {
        self.mapped.as_ref().is_some_and(|mapped| mapped.copy(&self.file, range, copy))
    }

    /// Reads a range with `read`. What is not in the page cache is fetched with what lies [`Around`] it.
    fn read_positional(&self, range: Range<u64>, mut read: impl FnMut(Wait) -> io::Result<()>) -> io::Result<()> {
        match read(Wait::Never) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Unsupported) => {
                waits::happened();
                self.around.waited(range.clone());
                // Of reads in order the kernel sees to itself, and better.
                if range.start != self.next.load(Ordering::Relaxed) {
                    self.fetch(range.clone());
                }
                read(Wait::ForStorage)?;
            }
            Err(error) => return Err(error),
            Ok(()) => {
                waits::did_not_happen();
                self.around.found(range.start);
            }
        }
        self.next.store(range.end, Ordering::Relaxed);
        if let Some(mapped) = &self.mapped {
            mapped.was_read(range);
        }
        Ok(())
    }

    /// Has the kernel read a range, with what is to be fetched [`Around`] it, and does not wait for that.
    fn fetch(&self, range: Range<u64>) {
        if let Some(Range { start, end }) = self.around.fetch_for(range) {
            // A hint: where it cannot be given, the read itself waits.
            let _ = rustix::fs::fadvise(&self.file, start, NonZeroU64::new(end - start), rustix::fs::Advice::WillNeed);
        }
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, buf: &mut [u8], offset: u64) -> io::Result<()> {
        check_range(offset, buf.len(), self.len)?;
        let range = offset..advance(offset, buf.len())?;
        if self.copy_mapped(range.clone(), |mapping| mapping.copy_to(buf, offset)) {
            return Ok(());
        }
        self.read_positional(range, |wait| match wait {
            Wait::ForStorage => self.file.read_exact_at(buf, offset),
            Wait::Never => sys::file::read_cached(&self.file, buf, offset),
        })
    }

    fn read_scatter_at(&self, out: Scatter<'_>, offset: u64) -> io::Result<()> {
        check_range(offset, out.len(), self.len)?;
        if self.copy_at(out, offset) {
            return Ok(());
        }
        let range = offset..advance(offset, out.len())?;
        self.read_positional(range, |wait| sys::file::read_exact_into(&self.file, out.pieces(), offset, wait))
    }

    fn copy_at(&self, out: Scatter<'_>, offset: u64) -> bool {
        let Some(end) = offset.checked_add(out.len() as u64).filter(|end| *end <= self.len) else { return false };
        self.copy_mapped(offset..end, |mapping| mapping.copy_into(out.pieces(), offset))
    }

    fn read_blocks_at(&self, out: Scatter<'_>, blocks: Spaced, offset: u64) -> io::Result<()> {
        let Spaced { block, gap } = blocks;
        if gap == 0 || gap > sys::file::MAX_GAP || out.len() <= block {
            return read_one_by_one(self, out, blocks, offset);
        }
        let len = blocks.span(out.len());
        check_range(offset, len, self.len)?;
        let range = offset..advance(offset, len)?;
        let strides = (block, gap);
        if self.copy_mapped(range.clone(), |mapping| mapping.copy_blocks_into(out.pieces(), strides, offset)) {
            return Ok(());
        }
        self.read_positional(range, |wait| sys::file::read_blocks_into(&self.file, out.pieces(), strides, offset, wait))
    }

    fn read_ahead(&self, range: Range<u64>) {
        let range = range.start.min(self.len)..range.end.min(self.len);
        // What comes in order behind the last read is the kernel's to fetch.
        let next = self.next.load(Ordering::Relaxed);
        let in_order = (next..next.saturating_add(IN_ORDER)).contains(&range.start);
        let known = || self.mapped.as_ref().is_some_and(|mapped| mapped.knows(range.clone()));
        if !range.is_empty() && !in_order && !known() {
            self.fetch(range);
        }
    }
}

#[cfg(test)]
mod tests {
    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;
    use crate::sys::copy::rescued;
    use crate::sys::memory::anonymous;

    /// A file that is cut off, at every kind of place: what is left comes, what is gone is an error, and nothing else happens.
    #[test]
    fn a_file_that_shrinks_under_its_mapping_loses_what_is_gone_and_no_more() {
        let stored: Vec<u8> = (0..64 * 4096_usize).map(|at| (at % 255 + 1) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        let memory = anonymous(0x2_0000).unwrap();
        // Two blocks of a disc, and what is copied in several streams and a rest.
        let cuts = [0, 1, 4095, 4096, 100_000, 131_072, 64 * 4096 - 1];
        for (len, cut) in [2048, 70_000].into_iter().flat_map(|len| cuts.map(|cut| (len, cut))) {
            std::fs::write(file.path(), &stored).unwrap();
            let source = FileSource::open(file.path()).unwrap();
            let read_all = |left: usize| {
                for at in (0..stored.len()).step_by(len) {
                    let wanted = &stored[at..stored.len().min(at + len)];
                    let piece = [memory.get_slice(GuestAddress(0), wanted.len()).unwrap()];
                    let scattered = source.read_scatter_at(Scatter::new(&piece), at as u64);
                    let mut buf = vec![0; wanted.len()];
                    let buffered = source.read_exact_at(&mut buf, at as u64);
                    if at + wanted.len() <= left {
                        scattered.unwrap();
                        buffered.unwrap();
                        assert!(buf == wanted);
                        memory.read_slice(&mut buf, GuestAddress(0)).unwrap();
                        assert!(buf == wanted);
                    } else {
                        assert_eq!(scattered.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{at} of {left}");
                        assert_eq!(buffered.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{at} of {left}");
                    }
                }
            };
            read_all(stored.len());
            read_all(stored.len());
            let before = rescued();
            file.as_file().set_len(cut as u64).unwrap();
            read_all(cut);
            // Of the pages behind the cut, each was tried from the mapping.
            if cut.div_ceil(4096) < 64 {
                assert!(rescued() > before, "cut off at {cut}");
            }
            // It comes back, and so do its bytes.
            std::fs::write(file.path(), &stored).unwrap();
            read_all(stored.len());
            read_all(stored.len());
        }
    }

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
            let starts = (0..wanted.len()).step_by(cut);
            let pieces =
                starts.map(|at| memory.get_slice(GuestAddress(at as u64), cut.min(wanted.len() - at)).unwrap());
            let pieces: Vec<_> = pieces.collect();
            // From the file, then from the mapping.
            for _ in 0..2 {
                memory.write_slice(&vec![0; wanted.len()], GuestAddress(0)).unwrap();
                source.read_blocks_at(Scatter::new(&pieces), spaced, 16).unwrap();
                let mut given = vec![0; wanted.len()];
                memory.read_slice(&mut given, GuestAddress(0)).unwrap();
                assert!(given == wanted, "pieces of {cut} bytes");
            }
        }
        let all = [memory.get_slice(GuestAddress(0), wanted.len()).unwrap()];
        let past = source.read_blocks_at(Scatter::new(&all), spaced, 17).unwrap_err();
        assert_eq!(past.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// Whole blocks around what was named are fetched, nothing of the rest, and nothing when the range is not there.
    #[test]
    fn what_is_named_ahead_comes_into_memory() {
        const BLOCK: u64 = 32 << 10;
        let stored: Vec<u8> = (0..4 * BLOCK).map(|at| (at / 3) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &stored).unwrap();
        file.as_file().sync_all().unwrap();
        // Of which nothing is known from a mapping, as of a block device.
        let source = FileSource { mapped: None, ..FileSource::open(file.path()).unwrap() };
        // How many bytes came from storage for this thread. (To look whether they are in memory would fetch them.)
        let fetched = |run: &dyn Fn()| {
            let count = || {
                let counts = std::fs::read_to_string("/proc/thread-self/io").unwrap();
                counts.lines().find_map(|line| line.strip_prefix("read_bytes: ")?.parse::<u64>().ok()).unwrap()
            };
            rustix::fs::fadvise(&source.file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
            let before = count();
            run();
            count() - before
        };
        // A file system without storage behind it never drops anything.
        let dropped = fetched(&|| source.file.read_exact_at(&mut [0; 1], 0).unwrap()) > 0;
        // Behind the end, and where the kernel fetches by itself.
        source.next.store(0, Ordering::Relaxed);
        for range in [u64::MAX - 5..u64::MAX, 4 * BLOCK..5 * BLOCK, 0..BLOCK] {
            assert_eq!(fetched(&|| source.read_ahead(range.clone())), 0, "{range:?}");
        }
        source.next.store(IN_ORDER * 2, Ordering::Relaxed);
        let some = fetched(&|| source.read_ahead(2 * BLOCK + 6000..2 * BLOCK + 6001));
        assert_eq!(some, if dropped { BLOCK } else { 0 });
        for at in (0..4 * BLOCK).step_by(2048) {
            let mut buf = [0; 2048];
            source.read_exact_at(&mut buf, at).unwrap();
            assert_eq!(buf, stored[at as usize..][..2048]);
        }
    }
}
