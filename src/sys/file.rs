//! Reading a file straight into guest memory.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use smallvec::SmallVec;
use vm_memory::bitmap::Bitmap;

use crate::sys::memory::GuestSlice;

/// How many pieces one system call takes; Linux allows 1024 (`UIO_MAXIOV`), the stack wants fewer.
const MAX_PIECES: usize = 64;
/// The same for blocks with gaps between them, each of which is a piece too.
const MAX_STRIDED: usize = 128;
/// The longest gap that is read and thrown away.
pub const MAX_GAP: usize = 1024;

/// What a read does about bytes that are not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// It waits for storage.
    ForStorage,
    /// It fails with `WouldBlock`, or with `Unsupported` where the file system or the kernel cannot tell (RWF_NOWAIT).
    Never,
}

type Guard = vm_memory::volatile_memory::PtrGuardMut;

/// The pieces of one system call. Guest memory stays mapped for as long as this lives.
struct Batch<'a, const MOST: usize> {
    pieces: SmallVec<[(GuestSlice<'a>, Guard); MOST]>,
    iovecs: SmallVec<[libc::iovec; MOST]>,
    wanted: usize,
}

impl<'a, const MOST: usize> Batch<'a, MOST> {
    fn new() -> Self {
        Self { pieces: SmallVec::new(), iovecs: SmallVec::new(), wanted: 0 }
    }

    fn has_room_for(&self, more: usize) -> bool {
        self.iovecs.len() + more <= MOST
    }

    fn push(&mut self, piece: GuestSlice<'a>) {
        let guard = piece.ptr_guard_mut();
        self.push_raw(guard.as_ptr(), piece.len());
        self.pieces.push((piece, guard));
    }

    /// `at` must be memory that the kernel may write for as long as the batch lives.
    fn push_raw(&mut self, at: *mut u8, len: usize) {
        self.iovecs.push(libc::iovec { iov_base: at.cast(), iov_len: len });
        self.wanted += len;
    }

    /// Fills all of it from `offset`; returns how many bytes that were.
    fn read(&mut self, file: &File, offset: u64, wait: Wait) -> io::Result<usize> {
        let filled = fill(file, &mut self.iovecs, offset, self.wanted, wait);
        // After the kernel has written (see `sys::dirty`), also where it failed: some bytes may be there.
        self.pieces.iter().for_each(|(piece, _)| piece.bitmap().mark_dirty(0, piece.len()));
        filled.map(|()| self.wanted)
    }
}

/// Fills `pieces` in order from `file` at `offset`; the kernel copies each byte once, into the guest.
///
/// # Errors
/// `UnexpectedEof` when the file ends first (what was read is in place), else what `preadv2` reports. Bytes may be in place then too.
pub fn read_exact_into<'a>(
    file: &File,
    mut pieces: impl Iterator<Item = GuestSlice<'a>>,
    mut offset: u64,
    wait: Wait,
) -> io::Result<()> {
    loop {
        let mut batch = Batch::<'_, MAX_PIECES>::new();
        while batch.has_room_for(1)
            && let Some(piece) = pieces.next()
        {
            batch.push(piece);
        }
        if batch.iovecs.is_empty() {
            return Ok(());
        }
        offset += batch.read(file, offset, wait)? as u64;
    }
}

/// Fills `pieces` in order with blocks of `block` bytes that lie `gap` bytes apart, the first at `offset`. The gaps are read too
/// and thrown away: one system call for many blocks costs less than one for each.
///
/// # Errors
/// As [`read_exact_into`]; `InvalidInput` for blocks of nothing, or a gap of more than [`MAX_GAP`] bytes.
pub fn read_blocks_into<'a>(
    file: &File,
    mut pieces: impl Iterator<Item = GuestSlice<'a>>,
    (block, gap): (usize, usize),
    mut offset: u64,
    wait: Wait,
) -> io::Result<()> {
    if block == 0 || gap > MAX_GAP {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut waste = [MaybeUninit::<u8>::uninit(); MAX_GAP];
    let mut left_of_block = block;
    let mut rest = pieces.next();
    while rest.is_some() {
        let mut batch = Batch::<'_, MAX_STRIDED>::new();
        while batch.has_room_for(2)
            && let Some(piece) = rest
        {
            let step = piece.len().min(left_of_block);
            let (now, later) = piece.split_at(step).map_err(io::Error::other)?;
            batch.push(now);
            left_of_block -= step;
            rest = if later.is_empty() { pieces.next() } else { Some(later) };
            if left_of_block == 0 {
                left_of_block = block;
                // Behind the last block there need be nothing.
                if rest.is_some() {
                    batch.push_raw(waste.as_mut_ptr().cast(), gap);
                }
            }
        }
        offset += batch.read(file, offset, wait)? as u64;
    }
    Ok(())
}

/// Fills `buf` from `file` at `offset` with what is in memory, as [`Wait::Never`] says.
///
/// # Errors
/// As [`read_exact_into`].
pub fn read_cached(file: &File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        let mut rest = [IoSliceMut::new(&mut buf[done..])];
        match rustix::io::preadv2(file, &mut rest, offset + done as u64, rustix::io::ReadWriteFlags::NOWAIT) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(got) => done += got,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Repeats `preadv2` until all of `wanted` bytes are there: a signal or a page not yet read may cut one call short.
fn fill(file: &File, iovecs: &mut [libc::iovec], mut offset: u64, mut wanted: usize, wait: Wait) -> io::Result<()> {
    let flags = if wait == Wait::Never { libc::RWF_NOWAIT } else { 0 };
    let mut first = 0;
    while wanted > 0 {
        let position = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let left = &iovecs[first..];
        // SAFETY: every iovec in `left` describes guest memory whose guard the caller holds across this call, or bytes
        // that the caller owns and never reads; the kernel writes only inside them, and nothing in this process holds a
        // Rust reference to guest memory.
        let got = unsafe { libc::preadv2(file.as_raw_fd(), left.as_ptr(), left.len() as libc::c_int, position, flags) };
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

/// Owns descriptors that a library gave up the ownership of (`into_raw_fd`) without closing them.
///
/// The caller must be the only one that still knows them, which nothing can check.
#[must_use]
pub fn owned(descriptors: Vec<RawFd>) -> Vec<OwnedFd> {
    // SAFETY: the caller states that nobody else owns the descriptor; a wrong number closes some other file, which
    // is a fault but no undefined behaviour of this module's.
    descriptors.into_iter().map(|descriptor| unsafe { OwnedFd::from_raw_fd(descriptor) }).collect()
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend};

    use super::*;
    use crate::sys::memory::anonymous;

    /// More pieces than one system call takes, of lengths that fit nowhere.
    #[test]
    fn pieces_are_filled_in_order_and_nothing_beside_them() {
        let stored: Vec<u8> = (0..20_000_u32).map(|at| (at % 251) as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &stored).unwrap();
        let memory = anonymous(0x1_0000).unwrap();
        let pieces: Vec<_> = (0..100_u64).map(|at| memory.get_slice(GuestAddress(at * 200), 150).unwrap()).collect();
        read_exact_into(file.as_file(), pieces.iter().cloned(), 7, Wait::ForStorage).unwrap();
        for (at, wanted) in (0..100_u64).zip(stored[7..].chunks(150)) {
            let mut given = [0; 200];
            memory.read_slice(&mut given, GuestAddress(at * 200)).unwrap();
            assert_eq!((&given[..150], &given[150..]), (wanted, &[0; 50][..]));
        }
        read_blocks_into(file.as_file(), pieces.into_iter().take(40), (100, 20), 11, Wait::ForStorage).unwrap();
        let wanted: Vec<u8> = stored[11..].chunks(120).flat_map(|block| &block[..100]).copied().take(6000).collect();
        for (at, wanted) in (0..40_u64).zip(wanted.chunks(150)) {
            let mut given = [0; 150];
            memory.read_slice(&mut given, GuestAddress(at * 200)).unwrap();
            assert_eq!(given, wanted);
        }
        let end = memory.get_slice(GuestAddress(0), 150).unwrap();
        let past = read_exact_into(file.as_file(), [end].into_iter(), 19_900, Wait::ForStorage).unwrap_err();
        assert_eq!(past.kind(), io::ErrorKind::UnexpectedEof);
    }

    /// The kernel gives this file a page at a time, as some file systems do theirs.
    #[test]
    fn reads_that_are_cut_short_go_on_where_they_were() {
        const LEN: usize = 30_000;
        let file = File::open("/proc/kallsyms").unwrap();
        let mut stored = vec![0; LEN + 7];
        io::Read::read_exact(&mut &file, &mut stored).unwrap();
        let memory = anonymous(0x1_0000).unwrap();
        // Pieces that a read ends inside of, and at the end of.
        for cut in [1000, 1024, 7000, LEN] {
            memory.write_slice(&[0; LEN], GuestAddress(0)).unwrap();
            let piece = |at: usize| memory.get_slice(GuestAddress(at as u64), cut.min(LEN - at)).unwrap();
            let pieces = (0..LEN).step_by(cut).map(piece);
            read_exact_into(&file, pieces, 7, Wait::ForStorage).unwrap();
            let mut given = vec![0; LEN];
            memory.read_slice(&mut given, GuestAddress(0)).unwrap();
            assert!(given == stored[7..], "pieces of {cut} bytes");
        }
    }

    #[test]
    fn descriptors_that_nobody_owns_are_closed() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        drop(owned(vec![writer.into_raw_fd()]));
        // The end of the pipe.
        assert_eq!(io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
    }
}
