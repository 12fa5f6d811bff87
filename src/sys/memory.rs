//! Guest memory: the types every layer above names it by.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use vhost_user_backend::bitmap::{AtomicBitmapMmap, BitmapMmapRegion, BitmapReplace};
use vm_memory::bitmap::{BS, Bitmap, BitmapSlice, NewBitmap, WithBitmapSlice};
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, VolatileSlice};
use vmm_sys_util::eventfd::EventFd;

use super::fault::{Watched, in_log};

/// The guest's memory, as mapped from the front-end's file descriptors.
pub type GuestMemory = GuestMemoryMmap<DirtyBitmap>;

/// One contiguous piece of guest memory. Another CPU may change it at any time, so it is only ever copied.
pub type GuestSlice<'a> = VolatileSlice<'a, BS<'a, DirtyBitmap>>;

/// Remembers which pages the back-end wrote, for live migration: of one memory region, once the front-end asks for it.
///
/// The crate's own bitmap counts its owners anew for each piece of memory that is looked up, and takes a lock for each that is
/// written: some forty locked instructions for a READ. Here a piece borrows, and as long as there is no log, a flag says so.
///
/// It belongs to its region, and so has what else is to be kept for as long as that is mapped: see [`watch`].
#[derive(Debug, Clone, Default)]
pub struct DirtyBitmap(Arc<Log>);

#[derive(Debug, Default)]
struct Log {
    /// Set once `pages` has a log to write to.
    started: AtomicBool,
    pages: BitmapMmapRegion,
    /// Who is told when the region or the log is gone.
    gone: OnceLock<Arc<EventFd>>,
    watched: OnceLock<Watched>,
}

/// The part of a [`DirtyBitmap`] from some byte of its region on.
#[derive(Debug, Clone, Copy)]
pub struct DirtySlice<'a> {
    log: &'a Log,
    start: usize,
}

impl<'a> WithBitmapSlice<'a> for DirtyBitmap {
    type S = DirtySlice<'a>;
}

impl Bitmap for DirtyBitmap {
    fn mark_dirty(&self, offset: usize, len: usize) {
        self.slice_at(0).mark_dirty(offset, len);
    }

    fn dirty_at(&self, offset: usize) -> bool {
        self.slice_at(0).dirty_at(offset)
    }

    fn slice_at(&self, offset: usize) -> DirtySlice<'_> {
        DirtySlice { log: &self.0, start: offset }
    }
}

impl NewBitmap for DirtyBitmap {
    fn with_len(_len: usize) -> Self {
        Self::default()
    }
}

impl BitmapReplace for DirtyBitmap {
    type InnerBitmap = AtomicBitmapMmap;

    fn replace(&self, bitmap: AtomicBitmapMmap) {
        self.0.pages.replace(bitmap);
        self.0.started.store(true, Ordering::SeqCst);
    }
}

impl<'b> WithBitmapSlice<'b> for DirtySlice<'_> {
    type S = Self;
}

impl BitmapSlice for DirtySlice<'_> {}

impl Bitmap for DirtySlice<'_> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        if self.log.started.load(Ordering::Acquire) {
            self.log.mark_dirty(self.start.saturating_add(offset), len);
        }
    }

    fn dirty_at(&self, offset: usize) -> bool {
        self.log.pages.dirty_at(self.start.saturating_add(offset))
    }

    fn slice_at(&self, offset: usize) -> Self {
        Self { log: self.log, start: self.start.saturating_add(offset) }
    }
}

impl Log {
    #[cold]
    fn mark_dirty(&self, offset: usize, len: usize) {
        match self.gone.get() {
            Some(gone) => in_log(gone, || self.pages.mark_dirty(offset, len)),
            None => self.pages.mark_dirty(offset, len),
        }
    }
}

/// Has `gone` told when memory of a front-end, or its log, cannot be accessed any more because its file was cut off. Whoever
/// accesses it then finds zeros; without this the process would end. What is watched already stays as it is.
pub fn watch(memory: &GuestMemory, gone: &Arc<EventFd>) {
    for region in memory.iter() {
        let log = &region.bitmap().log;
        if log.watched.get().is_none()
            && let Some(watched) = Watched::new(region.as_ptr(), region.size(), gone)
        {
            let _ = (log.gone.set(Arc::clone(gone)), log.watched.set(watched));
        }
    }
}

/// Has the processor fetch the first bytes of a piece, which another one wrote last and this one will write.
pub fn prefetch(piece: &GuestSlice<'_>) {
    /// Lines of the processor's caches.
    const LINE: usize = 64;
    #[cfg(target_arch = "x86_64")]
    for at in (0..piece.len().min(2 * LINE)).step_by(LINE) {
        let from = piece.ptr_guard().as_ptr().wrapping_add(at);
        // SAFETY: a hint that touches nothing, has no fault for any address, and does nothing on processors that lack it.
        unsafe { std::arch::asm!("prefetchw [{}]", in(reg) from, options(nostack, preserves_flags, readonly)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (piece, LINE);
}

/// Anonymous memory that behaves like a guest's: for callers that have no guest, such as tests.
///
/// # Errors
/// When `bytes` cannot be mapped.
pub fn anonymous(bytes: usize) -> std::io::Result<GuestMemory> {
    GuestMemory::from_ranges(&[(GuestAddress(0), bytes)]).map_err(std::io::Error::other)
}
