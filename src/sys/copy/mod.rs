//! Copies from and to memory whose file may no longer have it: they fail instead of ending the process.
//!
//! Such memory raises SIGBUS where it is touched. All copying is done by one routine in assembler, which touches no stack; the handler
//! ([`super::fault`]) looks whether the signal came from inside it, and if so continues at the routine's second exit, which reports the
//! failure: as the kernel does with its own copies from user memory (its exception tables). Processors without a routine have
//! no copies.

use std::sync::atomic::{AtomicU64, Ordering};

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "none.rs")]
mod routine;

pub(super) use self::routine::IS_THERE;
use self::routine::{spindle_copy, spindle_copy_byte, streams};

/// What processors fetch at a time.
const LINE: usize = 64;
/// Long copies are made in so many streams at once: processors fetch ahead inside pages and, of one stream, wait at the beginning of each.
const STREAMS: usize = 4;
/// The least that a stream is long, or apart from the next. No two then read the same page in one round, see [`copy_blocks`].
const SHORTEST: usize = 4096;

/// Faults that the handler turned into failures, of all threads.
static RESCUED: AtomicU64 = AtomicU64::new(0);

/// How many faults became failed copies so far.
#[must_use]
pub fn rescued() -> u64 {
    RESCUED.load(Ordering::Relaxed)
}

/// Copies `len` bytes; false after a fault, when some may have been copied.
///
/// # Safety
/// `to` must be writable for `len` bytes and `from` readable, except that either may raise SIGBUS, and no Rust reference to
/// the memory at `to` may be in use but the caller's own.
pub(super) unsafe fn copy(to: *mut u8, from: *const u8, len: usize) -> bool {
    // All but less than four lines is four blocks.
    let block = len / STREAMS / LINE * LINE;
    let Some(streams) = (block >= SHORTEST).then(streams).flatten() else {
        // SAFETY: the caller's promise.
        return unsafe { in_order(to, from, len) };
    };
    let done = block * STREAMS;
    // SAFETY: the caller's promise, of two parts.
    unsafe { streams(to, from, block, block, block) && in_order(to.add(done), from.add(done), len - done) }
}

/// Copies `count` blocks of `block` bytes, one behind the other, that begin `stride` bytes apart; false after a fault, when some may have
/// been copied.
///
/// What is read of a file that is cut off meanwhile is right, or there is a fault, or it ends in the page with the cut. For zeros that come
/// from the cut, in whichever stream, are followed by a read of the same place of the next stream, in a later page, which is gone; in
/// the last stream, by its own reads up to the end. The same holds for [`copy`].
///
/// # Safety
/// As [`copy`], for `count * block` bytes to write, and to read from the first block's beginning to the last one's end.
pub(super) unsafe fn copy_blocks(to: *mut u8, from: *const u8, count: usize, block: usize, stride: usize) -> bool {
    let each = count / STREAMS;
    let are_long = block.is_multiple_of(LINE) && each.saturating_mul(block.min(stride)) >= SHORTEST;
    let streams = are_long.then(streams).flatten();
    let done = streams.map_or(0, |_| each * STREAMS);
    streams.is_none_or(|streams| {
        (0..each).all(|number| {
            // SAFETY: the caller's promise: block `number` of each stream.
            unsafe { streams(to.add(number * block), from.add(number * stride), block, each * block, each * stride) }
        })
    }) && (done..count).all(|number| {
        // SAFETY: the caller's promise: one block.
        unsafe { in_order(to.add(number * block), from.add(number * stride), block) }
    })
}

/// The byte at an address; None after a fault.
///
/// # Safety
/// It must be readable, except that it may raise SIGBUS.
pub(super) unsafe fn byte(at: *const u8) -> Option<u8> {
    // SAFETY: as in `in_order`.
    u8::try_from(unsafe { spindle_copy_byte(at) }).ok()
}

/// [`copy`] from the first byte to the last.
///
/// # Safety
/// As there.
unsafe fn in_order(to: *mut u8, from: *const u8, len: usize) -> bool {
    // SAFETY: the caller's promise; the routine keeps to the C calling convention at both of its exits.
    unsafe { spindle_copy(to, from, len) == 0 }
}

/// Takes a thread that had a fault inside the routine out of it; false when it is somewhere else.
pub(super) fn leave(context: &mut libc::ucontext_t) -> bool {
    let left = routine::leave(context);
    RESCUED.fetch_add(left.into(), Ordering::Relaxed);
    left
}

/// Copies four streams of `len` bytes, a multiple of [`LINE`] and not 0, which begin so many bytes apart at both ends; false after a fault,
/// when some may have been copied. Each round begins with the first stream and ends with the last.
///
/// # Safety
/// Each stream as in [`copy`].
type Streams = unsafe fn(to: *mut u8, from: *const u8, len: usize, to_apart: usize, from_apart: usize) -> bool;

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len as u32).map(|at| (at.wrapping_mul(0x9E37_79B9) >> 24) as u8).collect()
    }

    #[test]
    fn copies_of_any_length_from_anywhere_are_right() {
        let from = pattern(300_000);
        let shortest_in_streams = SHORTEST * STREAMS;
        let around = |len: usize| len.saturating_sub(65)..len + 66;
        let lens = (0..200).chain(around(shortest_in_streams)).chain(around(65_536)).chain([270_000]);
        for (turn, len) in lens.enumerate() {
            let (skip_from, skip_to) = (turn * 7 % 130, turn * 13 % 70);
            let mut to = vec![0xEE; skip_to + len + 40];
            // SAFETY: both are as long as that.
            assert!(unsafe { copy(to.as_mut_ptr().add(skip_to), from.as_ptr().add(skip_from), len) });
            assert_eq!(to[skip_to..][..len], from[skip_from..][..len], "{len} bytes");
            assert!(to[..skip_to].iter().chain(&to[skip_to + len..]).all(|byte| *byte == 0xEE), "{len} bytes");
        }
    }

    #[test]
    fn blocks_of_any_length_and_distance_are_right() {
        let from = pattern(300_000);
        for (block, stride) in [(2048, 2352), (2048, 2448), (2048, 2048), (2336, 2352), (64, 96), (8192, 9000), (1, 3)]
        {
            for count in 0..33 {
                let (skip, len) = (16, count * block);
                let mut to = vec![0xEE; len + 40];
                // SAFETY: both are as long as that.
                assert!(unsafe { copy_blocks(to.as_mut_ptr().add(8), from.as_ptr().add(skip), count, block, stride) });
                let wanted: Vec<u8> =
                    (0..count).flat_map(|number| from[skip + number * stride..][..block].to_vec()).collect();
                assert!(to[8..][..len] == wanted, "{count} of {block} in {stride}");
                assert!(
                    to[..8].iter().chain(&to[8 + len..]).all(|byte| *byte == 0xEE),
                    "{count} of {block} in {stride}"
                );
            }
        }
    }
}
