//! A file mapped read-only, and copies from it. A mapping of a file that shrank, or whose storage fails, raises SIGBUS where it is
//! read: all reading is done by [`super::copy`].

use std::fs::File;
use std::io;
use std::sync::atomic::{Ordering, fence};

use vm_memory::bitmap::Bitmap;

use super::copy::{self, copy, copy_blocks};
use super::fault;
use super::memory::GuestSlice;
use super::page::page_size;

/// Page faults so far for which the calling thread waited for storage.
#[must_use]
pub fn faults_from_storage() -> i64 {
    // SAFETY: a structure of numbers, for which zeros are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is writable for the time of the call. A failure leaves zeros there.
    unsafe { libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) };
    usage.ru_majflt
}

/// The bytes cannot be had from the mapping. A positional read tells which are missing, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost;

/// A whole file, mapped read-only and shared with the page cache.
#[derive(Debug)]
pub struct Mapping {
    start: *const u8,
    len: usize,
}

// SAFETY: the mapping is read-only, belongs to the process and is only ever read by the guarded routine.
unsafe impl Send for Mapping {}
// SAFETY: as above: there is no state that threads could disturb.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of `file`.
    ///
    /// # Errors
    /// When the operating system or this processor's port cannot: some file systems have no mappings.
    pub fn new(file: &File, len: u64) -> io::Result<Self> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if !copy::IS_THERE || !fault::handled() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // SAFETY: a new mapping at an address of the kernel's choice; it aliases no memory of Rust's.
        let start = unsafe {
            let file = std::os::fd::AsRawFd::as_raw_fd(file);
            libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { start: start.cast(), len })
    }

    /// Copies into guest memory, in order, from `offset`.
    ///
    /// # Errors
    /// [`Lost`] when any byte cannot be read, or the range does not lie in the mapping; some may have been copied by then.
    pub fn copy_into<'a>(&self, pieces: impl Iterator<Item = GuestSlice<'a>>, mut offset: u64) -> Result<(), Lost> {
        for piece in pieces {
            self.copy_piece(&piece, offset)?;
            offset += piece.len() as u64;
        }
        Ok(())
    }

    /// The same with blocks of `block` bytes that lie `gap` bytes apart, the first at `offset`.
    ///
    /// # Errors
    /// As [`copy_into`](Self::copy_into); also for blocks of nothing.
    pub fn copy_blocks_into<'a>(
        &self,
        pieces: impl Iterator<Item = GuestSlice<'a>>,
        (block, gap): (usize, usize),
        mut offset: u64,
    ) -> Result<(), Lost> {
        let stride = block.checked_add(gap).filter(|_| block > 0).ok_or(Lost)?;
        let mut left_of_block = block;
        for mut piece in pieces {
            while !piece.is_empty() {
                if left_of_block == 0 {
                    left_of_block = block;
                    offset = offset.checked_add(gap as u64).ok_or(Lost)?;
                }
                let whole = if left_of_block == block { piece.len() / block } else { 0 };
                let step = if whole > 0 { whole * block } else { piece.len().min(left_of_block) };
                let (now, later) = piece.split_at(step).map_err(|_| Lost)?;
                if whole > 0 {
                    let gaps = gap.checked_mul(whole - 1).ok_or(Lost)?;
                    let from = self.at(offset, step.checked_add(gaps).ok_or(Lost)?)?;
                    // SAFETY: as in `fill`; the blocks and the gaps between them lie in the mapping.
                    fill(&now, |to| unsafe { copy_blocks(to, from, whole, block, stride) })?;
                    offset += (step + gaps) as u64;
                    left_of_block = 0;
                } else {
                    self.copy_piece(&now, offset)?;
                    offset += step as u64;
                    left_of_block -= step;
                }
                piece = later;
            }
        }
        Ok(())
    }

    /// Copies into a buffer of this process.
    ///
    /// # Errors
    /// As [`copy_into`](Self::copy_into).
    pub fn copy_to(&self, buf: &mut [u8], offset: u64) -> Result<(), Lost> {
        let from = self.at(offset, buf.len())?;
        // SAFETY: `buf` is writable and borrowed alone, `from` lies in the mapping with as many bytes behind it.
        if unsafe { copy(buf.as_mut_ptr(), from, buf.len()) } { Ok(()) } else { Err(Lost) }
    }

    /// Whether bytes copied before now, of which the last lies before `end`, may be zeros that stand for nothing.
    ///
    /// A file that is cut off inside a page has zeros from there to the page's end, without a fault. If a copy ends in
    /// that page, then all bytes from the cut to the end of the copy and of the page are zero: one other byte shows that nothing
    /// was cut off. A copy that does not end there had a fault.
    #[must_use]
    pub fn may_be_cut_before(&self, end: u64) -> bool {
        let Some(last) = end.checked_sub(1) else { return false };
        let of_page = (last | (page_size() as u64 - 1)).min((self.len as u64).saturating_sub(1));
        [last, of_page].into_iter().all(|at| self.byte(at).is_none_or(|byte| byte == 0))
    }

    /// Whether the byte at `offset` can be read now, after everything that was copied before: then the file was not cut off in front of
    /// its page when that was copied. The kernel takes pages behind a cut away before it zeroes the rest of the one that it is in.
    #[must_use]
    pub fn reaches(&self, offset: u64) -> bool {
        // What was copied was read before this is.
        fence(Ordering::Acquire);
        self.byte(offset).is_some()
    }

    fn copy_piece(&self, piece: &GuestSlice<'_>, offset: u64) -> Result<(), Lost> {
        let from = self.at(offset, piece.len())?;
        // SAFETY: as in `fill`; `from` lies in the mapping with as many bytes behind it.
        fill(piece, |to| unsafe { copy(to, from, piece.len()) })
    }

    /// The byte at `offset`. None when it cannot be read, or does not lie in the mapping.
    fn byte(&self, offset: u64) -> Option<u8> {
        let at = self.at(offset, 1).ok()?;
        // SAFETY: `at` lies in the mapping, and may raise SIGBUS.
        unsafe { copy::byte(at) }
    }

    /// The address of `count` bytes from `offset`.
    fn at(&self, offset: u64, count: usize) -> Result<*const u8, Lost> {
        let offset = usize::try_from(offset).map_err(|_| Lost)?;
        match offset.checked_add(count) {
            // SAFETY: the place is inside the mapping, or one past its end with a count of zero.
            Some(end) if end <= self.len => Ok(unsafe { self.start.add(offset) }),
            _ => Err(Lost),
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no copy borrows it any more.
        unsafe { libc::munmap(self.start.cast_mut().cast(), self.len) };
    }
}

/// Writes to a piece of guest memory with a routine that may fail.
fn fill(piece: &GuestSlice<'_>, copy: impl FnOnce(*mut u8) -> bool) -> Result<(), Lost> {
    // The guard keeps the guest's memory mapped and writable for the length of the piece; nothing in this process holds a Rust
    // reference to it.
    let guard = piece.ptr_guard_mut();
    let copied = copy(guard.as_ptr());
    // After the copy (see `sys::dirty`), also of a copy that failed: some bytes may be there.
    piece.bitmap().mark_dirty(0, piece.len());
    if copied { Ok(()) } else { Err(Lost) }
}

/// Copies into guest memory what this process has, cut off at the piece's end.
pub fn copy_from(piece: &GuestSlice<'_>, bytes: &[u8]) {
    let len = bytes.len().min(piece.len());
    let Ok(piece) = piece.subslice(0, len) else { return };
    // SAFETY: as in `fill`; `bytes` are borrowed.
    if fill(&piece, |to| unsafe { copy(to, bytes.as_ptr(), len) }).is_err() {
        // No routine here, or the guest's memory is gone: then this access has it replaced, and its connection told.
        piece.copy_from(&bytes[..len]);
    }
}

/// Fills a piece with whole blocks of `block` bytes that begin `stride` bytes apart in what this process has, as many as there are.
pub fn copy_blocks_from(piece: &GuestSlice<'_>, bytes: &[u8], block: usize, stride: usize) {
    let there = if bytes.len() < block { 0 } else { (bytes.len() - block) / stride.max(1) + 1 };
    let count = there.min(piece.len() / block.max(1));
    let Ok(piece) = piece.subslice(0, count * block) else { return };
    // SAFETY: as in `fill`; `bytes` are borrowed, and so many blocks lie in them.
    if fill(&piece, |to| unsafe { copy_blocks(to, bytes.as_ptr(), count, block, stride) }).is_err() {
        // As in `copy_from`.
        for number in 0..count {
            let from = &bytes[number * stride..][..block];
            let _ = piece.subslice(number * block, block).map(|piece| piece.copy_from(from));
        }
    }
}
