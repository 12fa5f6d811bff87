//! Reading a file straight into guest memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use vm_memory::bitmap::Bitmap;

use crate::sys::memory::GuestSlice;

/// How many pieces one system call takes; Linux allows 1024 (`UIO_MAXIOV`), a stack array wants fewer.
const MAX_PIECES: usize = 64;

/// Fills `pieces` in order from `file` at `offset`; the kernel copies each byte once, into the guest.
///
/// # Errors
/// `UnexpectedEof` when the file ends first (what was read is in place), else what `preadv` reports.
pub fn read_exact_into<'a>(
    file: &File,
    mut pieces: impl Iterator<Item = GuestSlice<'a>>,
    mut offset: u64,
) -> io::Result<()> {
    loop {
        let mut guards: [Option<vm_memory::volatile_memory::PtrGuardMut>; MAX_PIECES] = [const { None }; MAX_PIECES];
        let mut iovecs = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MAX_PIECES];
        let mut count = 0;
        let mut wanted = 0;
        // The dirty bits are set before the kernel writes: a page marked and not written is only sent twice.
        for (guard, iovec) in guards.iter_mut().zip(iovecs.iter_mut()) {
            let Some(piece) = pieces.next() else { break };
            piece.bitmap().mark_dirty(0, piece.len());
            let held = guard.insert(piece.ptr_guard_mut());
            iovec.iov_base = held.as_ptr().cast();
            iovec.iov_len = piece.len();
            wanted += piece.len();
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        fill(file, &mut iovecs[..count], offset, wanted)?;
        offset += wanted as u64;
    }
}

/// Repeats `preadv` until all of `wanted` bytes are there: a signal or a page not yet read may cut one call short.
fn fill(file: &File, iovecs: &mut [libc::iovec], mut offset: u64, mut wanted: usize) -> io::Result<()> {
    let mut first = 0;
    while wanted > 0 {
        let position = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let left = &iovecs[first..];
        // SAFETY: every iovec in `left` describes guest memory whose guard the caller holds across this call; the
        // kernel writes only inside it, and nothing in this process holds a Rust reference to guest memory.
        let got = unsafe { libc::preadv(file.as_raw_fd(), left.as_ptr(), left.len() as libc::c_int, position) };
        if got < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        let mut got = got as usize;
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        wanted -= got;
        offset += got as u64;
        while got > 0 {
            let iovec = &mut iovecs[first];
            let step = got.min(iovec.iov_len);
            // SAFETY: `step` is at most the length of the piece, so the address stays in it or one past its end.
            iovec.iov_base = unsafe { iovec.iov_base.cast::<u8>().add(step) }.cast();
            iovec.iov_len -= step;
            got -= step;
            if iovec.iov_len == 0 {
                first += 1;
            }
        }
        while first < iovecs.len() && iovecs[first].iov_len == 0 {
            first += 1;
        }
    }
    Ok(())
}

/// Closes descriptors that a library gave up the ownership of (`into_raw_fd`) without closing them.
///
/// The caller must be the only one that still knows them, which nothing can check.
pub fn close_all(descriptors: Vec<RawFd>) {
    for descriptor in descriptors {
        // SAFETY: the caller states that nobody else owns the descriptor; a wrong number closes some other file, which
        // is a fault but no undefined behaviour of this module's.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}
