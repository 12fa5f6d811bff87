//! An allocator that counts, for `tests/alloc.rs`; no program uses it. It is here because an allocator is unsafe code. Slots of a
//! [slab](super::slab) are counted as well, as what they replace would be.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Bytes that are given and not taken back, and the most of them.
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LEFT_OUT: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, counting what it gives.
#[derive(Debug)]
pub struct Counting;

/// Allocations so far, of all threads that are not left out.
#[must_use]
pub fn allocations() -> usize {
    COUNT.load(Ordering::Relaxed)
}

/// Bytes that all threads hold now.
#[must_use]
pub fn live() -> usize {
    LIVE.load(Ordering::SeqCst)
}

/// The most bytes that all threads held at a time while `run` ran, beyond what they held before.
pub fn peak_of(run: impl FnOnce()) -> usize {
    let before = live();
    PEAK.store(before, Ordering::SeqCst);
    run();
    PEAK.load(Ordering::SeqCst) - before
}

/// Counts nothing that the calling thread allocates from now on.
pub fn leave_out_this_thread() {
    LEFT_OUT.set(true);
}

fn count() {
    if !LEFT_OUT.get() {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

pub(super) fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::SeqCst) + bytes;
    PEAK.fetch_max(live, Ordering::SeqCst);
}

pub(super) fn shrink(bytes: usize) {
    LIVE.fetch_sub(bytes, Ordering::SeqCst);
}

// SAFETY: everything is the system allocator's; counting touches no memory but numbers that need no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        grow(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        grow(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        grow(size);
        shrink(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}
