//! A file mapped read-only, copies from it that fail instead of ending the process, and the routine that does them.
//!
//! A mapping of a file that shrank, or whose storage fails, raises SIGBUS where it is read. All reading is done by one routine in
//! assembler with an entry for copies and one for a byte, which touches no stack; the handler ([`super::fault`]) looks whether the signal came from inside it, and if so
//! continues at the routine's second exit, which reports the failure: as the kernel does with its own copies from user memory
//! (its exception tables).

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use vm_memory::bitmap::Bitmap;

use crate::sys::fault;
use crate::sys::memory::GuestSlice;

/// What the kernel zeroes of a page behind the end of a file ends with the page.
const PAGE: u64 = 4096;

// `rep movs` is the fastest of what was measured (docs/adr/0014), and its state is all in registers.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    ".pushsection .text.spindle_guarded_copy, \"ax\", @progbits",
    ".balign 16",
    ".globl spindle_guarded_copy",
    ".globl spindle_guarded_byte",
    ".globl spindle_guarded_copy_failed",
    ".hidden spindle_guarded_copy",
    ".hidden spindle_guarded_byte",
    ".hidden spindle_guarded_copy_failed",
    ".type spindle_guarded_copy, @function",
    "spindle_guarded_copy:",
    ".cfi_startproc",
    "mov rcx, rdx",
    "shr rcx, 3",
    "rep movsq",
    "mov ecx, edx",
    "and ecx, 7",
    "jz 2f",
    "rep movsb",
    "2:",
    "xor eax, eax",
    "ret",
    "spindle_guarded_byte:",
    "movzx eax, byte ptr [rdi]",
    "ret",
    "spindle_guarded_copy_failed:",
    "mov eax, -1",
    "ret",
    ".cfi_endproc",
    ".size spindle_guarded_copy, . - spindle_guarded_copy",
    ".popsection",
);

#[cfg(target_arch = "aarch64")]
std::arch::global_asm!(
    ".pushsection .text.spindle_guarded_copy, \"ax\", @progbits",
    ".balign 16",
    ".globl spindle_guarded_copy",
    ".globl spindle_guarded_byte",
    ".globl spindle_guarded_copy_failed",
    ".hidden spindle_guarded_copy",
    ".hidden spindle_guarded_byte",
    ".hidden spindle_guarded_copy_failed",
    ".type spindle_guarded_copy, @function",
    "spindle_guarded_copy:",
    ".cfi_startproc",
    "subs x2, x2, #64",
    "b.lo 3f",
    "2:",
    "ldp q0, q1, [x1], #32",
    "ldp q2, q3, [x1], #32",
    "stp q0, q1, [x0], #32",
    "stp q2, q3, [x0], #32",
    "subs x2, x2, #64",
    "b.hs 2b",
    "3:",
    "add x2, x2, #64",
    "4:",
    "cbz x2, 5f",
    "ldrb w3, [x1], #1",
    "strb w3, [x0], #1",
    "sub x2, x2, #1",
    "b 4b",
    "5:",
    "mov w0, #0",
    "ret",
    "spindle_guarded_byte:",
    "ldrb w0, [x0]",
    "ret",
    "spindle_guarded_copy_failed:",
    "mov w0, #-1",
    "ret",
    ".cfi_endproc",
    ".size spindle_guarded_copy, . - spindle_guarded_copy",
    ".popsection",
);

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
unsafe extern "C" {
    /// Copies `len` bytes; 0, or all ones after a fault.
    fn spindle_guarded_copy(to: *mut u8, from: *const u8, len: usize) -> u32;
    /// The byte at an address, or all ones after a fault. For one byte a string instruction does not pay.
    fn spindle_guarded_byte(at: *const u8) -> u32;
    /// The exit after a fault, right behind the instructions that may have one. Not to be called.
    fn spindle_guarded_copy_failed();
}

/// Whether there is such a routine for this processor.
const ROUTINE: bool = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

/// Faults that the handler turned into failures, of all threads.
static RESCUED: AtomicU64 = AtomicU64::new(0);

/// How many faults became failed copies so far.
#[must_use]
pub fn rescued() -> u64 {
    RESCUED.load(Ordering::Relaxed)
}

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
        if !ROUTINE || !fault::handled() {
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
        let mut left_of_block = block;
        for mut piece in pieces {
            while !piece.is_empty() {
                if left_of_block == 0 {
                    left_of_block = block;
                    offset = offset.checked_add(gap as u64).ok_or(Lost)?;
                }
                let step = piece.len().min(left_of_block);
                if step == 0 {
                    return Err(Lost);
                }
                let (now, later) = piece.split_at(step).map_err(|_| Lost)?;
                self.copy_piece(&now, offset)?;
                offset += step as u64;
                left_of_block -= step;
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
        let of_page = (last | (PAGE - 1)).min((self.len as u64).saturating_sub(1));
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
        let guard = piece.ptr_guard_mut();
        // SAFETY: the guard keeps the guest's memory mapped and writable for the length of the piece; nothing in this process
        // holds a Rust reference to it. `from` lies in the mapping with as many bytes behind it.
        let copied = unsafe { copy(guard.as_ptr(), from, piece.len()) };
        // After the copy (see `sys::dirty`), also of a copy that failed: some bytes may be there.
        piece.bitmap().mark_dirty(0, piece.len());
        if copied { Ok(()) } else { Err(Lost) }
    }

    /// The byte at `offset`. None when it cannot be read, or does not lie in the mapping.
    fn byte(&self, offset: u64) -> Option<u8> {
        let at = self.at(offset, 1).ok()?;
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        // SAFETY: `at` lies in the mapping, and may raise SIGBUS; the routine keeps to the C calling convention at both of its exits.
        return u8::try_from(unsafe { spindle_guarded_byte(at) }).ok();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        {
            let _ = at;
            None
        }
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

/// Copies into guest memory what this process has, cut off at the piece's end.
pub fn copy_from(piece: &GuestSlice<'_>, bytes: &[u8]) {
    let len = bytes.len().min(piece.len());
    let guard = piece.ptr_guard_mut();
    // SAFETY: the guard keeps the guest's memory mapped and writable for the length of the piece; nothing in this process holds a
    // Rust reference to it. `bytes` are borrowed.
    if unsafe { copy(guard.as_ptr(), bytes.as_ptr(), len) } {
        piece.bitmap().mark_dirty(0, len);
    } else {
        // No routine here, or the guest's memory is gone: then this access has it replaced, and its connection told.
        piece.copy_from(&bytes[..len]);
    }
}

/// Fills a piece with whole blocks of `block` bytes that begin `stride` bytes apart in what this process has, as many as there are.
pub fn copy_blocks_from(piece: &GuestSlice<'_>, bytes: &[u8], block: usize, stride: usize) {
    let there = if bytes.len() < block { 0 } else { (bytes.len() - block) / stride.max(1) + 1 };
    let count = there.min(piece.len() / block.max(1));
    let guard = piece.ptr_guard_mut();
    for number in 0..count {
        let from = &bytes[number * stride..][..block];
        // SAFETY: as in `copy_from`; `count` blocks fit into the piece.
        if !unsafe { copy(guard.as_ptr().add(number * block), from.as_ptr(), block) } {
            // As in `copy_from`.
            let _ = piece.subslice(number * block, block).map(|piece| piece.copy_from(from));
        }
    }
    piece.bitmap().mark_dirty(0, count * block);
}

/// Copies `len` bytes; false after a fault, when some may have been copied.
///
/// # Safety
/// `to` must be writable for `len` bytes and `from` readable, except that either may raise SIGBUS, and no Rust reference to
/// the memory at `to` may be in use but the caller's own.
unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> bool {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    // SAFETY: the caller's promise; the routine keeps to the C calling convention at both of its exits.
    return unsafe { spindle_guarded_copy(to, from, len) == 0 };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = (to, from, len);
        false
    }
}

/// Takes a thread that had a fault inside the routine out of it; false when it is somewhere else.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) fn leave(context: &mut libc::ucontext_t) -> bool {
    let (first, failed) = (spindle_guarded_copy as *const () as u64, spindle_guarded_copy_failed as *const () as u64);
    #[cfg(target_arch = "x86_64")]
    let (at, here) = {
        let at = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        let here = at.cast_unsigned();
        (at, here)
    };
    #[cfg(target_arch = "aarch64")]
    let (at, here) = {
        let at = &mut context.uc_mcontext.pc;
        let here = *at;
        (at, here)
    };
    if !(first..failed).contains(&here) {
        return false;
    }
    // The routine has nothing on the stack and no register to restore: its other exit is as good a way out.
    *at = failed as _;
    RESCUED.fetch_add(1, Ordering::Relaxed);
    true
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) fn leave(_: &mut libc::ucontext_t) -> bool {
    false
}
