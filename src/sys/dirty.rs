//! The log of dirty pages: which pages of the guest's memory this process wrote while the machine migrates.
//!
//! A page is marked after it was written, never before. The front-end takes a mark out of the log and then sends the page: where
//! the mark came first, the page may have been sent before the bytes were in it, and nothing says that it must be sent again. The
//! last look at the log comes after the rings have been stopped, when no write is without its mark.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use vhost_user_backend::bitmap::{AtomicBitmapMmap, BitmapReplace, MemRegionBitmap, MmapLogReg};
use vm_memory::bitmap::{Bitmap, BitmapSlice, NewBitmap, WithBitmapSlice};
use vm_memory::{Address, GuestMemoryBackend, GuestMemoryRegion};
use vmm_sys_util::eventfd::EventFd;

use super::fault::{Watched, in_log};
use super::memory::GuestMemory;

/// Bytes that one bit of a log stands for (`VHOST_LOG_PAGE`).
const PAGE: usize = 4096;

/// Remembers which pages the back-end wrote, for live migration: of one memory region, once the front-end asks for it.
///
/// The crate's own bitmap counts its owners anew for each piece of memory that is looked up, and takes a lock for each that is
/// written: some forty locked instructions for a READ. Here a piece borrows, and as long as there is no log, a flag says so.
///
/// It belongs to its region, and so has what else is to be kept for as long as that is mapped: see
/// [`watch`](super::memory::watch).
#[derive(Debug, Clone, Default)]
pub struct DirtyBitmap(Arc<Log>);

#[derive(Debug, Default)]
struct Log {
    /// Whether there are `pages` to mark, and they are wanted.
    active: AtomicBool,
    pages: RwLock<Option<Pages>>,
    /// Who is told when the region or the log is gone.
    gone: OnceLock<Arc<EventFd>>,
    watched: OnceLock<Watched>,
}

/// The bits of one region in the log of the whole guest.
#[derive(Debug)]
pub struct Pages {
    log: Arc<MmapLogReg>,
    /// The region's first page in it, and how many there are.
    first: usize,
    count: usize,
}

/// The part of a [`DirtyBitmap`] from some byte of its region on.
#[derive(Debug, Clone, Copy)]
pub struct DirtySlice<'a> {
    log: &'a Log,
    start: usize,
}

impl MemRegionBitmap for Pages {
    fn new<R: GuestMemoryRegion>(region: &R, log: Arc<MmapLogReg>) -> io::Result<Self> {
        // The crate's own, which is made for nothing else here, says whether the log has bits for the whole region.
        AtomicBitmapMmap::new(region, Arc::clone(&log))?;
        let pages = |bytes: u64| usize::try_from(bytes / PAGE as u64).map_err(io::Error::other);
        let (start, end) = (region.start_addr().raw_value(), region.last_addr().raw_value());
        let first = pages(start)?;
        Ok(Self { log, first, count: pages(end)? + 1 - first })
    }
}

impl Pages {
    fn bits(&self, offset: usize, len: usize) -> impl Iterator<Item = (usize, u8)> {
        let pages = if len == 0 { 0..0 } else { offset / PAGE..offset.saturating_add(len - 1) / PAGE + 1 };
        let (first, count) = (self.first, self.count);
        pages.take_while(move |page| *page < count).map(move |page| ((first + page) / 8, 1 << ((first + page) % 8)))
    }

    fn mark(&self, offset: usize, len: usize) {
        for (byte, bit) in self.bits(offset, len) {
            self.log[byte].fetch_or(bit, Ordering::Relaxed);
        }
    }
}

impl Log {
    #[cold]
    fn mark(&self, offset: usize, len: usize) {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        let mark = || pages.iter().for_each(|pages| pages.mark(offset, len));
        match self.gone.get() {
            Some(gone) => in_log(gone, mark),
            None => mark(),
        }
    }

    fn take(&self, pages: Pages) {
        self.pages.write().unwrap_or_else(PoisonError::into_inner).replace(pages);
    }

    fn memory(&self) -> Option<Arc<MmapLogReg>> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.as_ref().map(|pages| Arc::clone(&pages.log))
    }
}

impl DirtySlice<'_> {
    /// Remembers who watches the region, and is told when it or its log is gone. Once for each region.
    pub(super) fn watch(&self, gone: &Arc<EventFd>, watched: impl FnOnce() -> Option<Watched>) {
        if self.log.watched.get().is_none()
            && let Some(watched) = watched()
        {
            let _ = (self.log.gone.set(Arc::clone(gone)), self.log.watched.set(watched));
        }
    }
}

/// Marks pages from now on, or no more (`VHOST_F_LOG_ALL`), where the front-end has given a log.
pub fn log(memory: &GuestMemory, active: bool) {
    for region in memory.iter() {
        let log = &region.bitmap().log;
        log.active.store(active && log.memory().is_some(), Ordering::SeqCst);
    }
}

/// The log that a memory is marked in, for the memory that comes after it: a front-end that maps memory anew while the machine migrates
/// does not name the log again.
#[derive(Debug)]
pub struct Going {
    log: Arc<MmapLogReg>,
    active: bool,
}

impl Going {
    /// That of `memory`, if it has one.
    pub fn of(memory: &GuestMemory) -> Option<Self> {
        let logs = || memory.iter().map(|region| region.bitmap().log);
        let log = logs().find_map(Log::memory)?;
        Some(Self { log, active: logs().any(|log| log.active.load(Ordering::SeqCst)) })
    }

    /// Has those regions marked in it that are not marked in any.
    ///
    /// # Errors
    /// When it is in use and has no bits for one of them.
    pub fn on(&self, memory: &GuestMemory) -> io::Result<()> {
        for region in memory.iter().filter(|region| region.bitmap().log.memory().is_none()) {
            match Pages::new(region, Arc::clone(&self.log)) {
                Ok(pages) => region.bitmap().log.take(pages),
                Err(error) if self.active => return Err(error),
                // The log of a migration that is over.
                Err(_) => {}
            }
        }
        log(memory, self.active);
        Ok(())
    }
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
    type InnerBitmap = Pages;

    /// Nobody marks in the log before any more when this returns.
    fn replace(&self, pages: Pages) {
        self.0.take(pages);
        self.0.active.store(true, Ordering::SeqCst);
    }
}

impl<'b> WithBitmapSlice<'b> for DirtySlice<'_> {
    type S = Self;
}

impl BitmapSlice for DirtySlice<'_> {}

impl Bitmap for DirtySlice<'_> {
    fn mark_dirty(&self, offset: usize, len: usize) {
        if self.log.active.load(Ordering::Acquire) {
            self.log.mark(self.start.saturating_add(offset), len);
        }
    }

    fn dirty_at(&self, offset: usize) -> bool {
        let pages = self.log.pages.read().unwrap_or_else(PoisonError::into_inner);
        let bit = pages.as_ref().and_then(|pages| pages.bits(self.start.saturating_add(offset), 1).next());
        pages.as_ref().zip(bit).is_some_and(|(pages, (byte, bit))| pages.log[byte].load(Ordering::Relaxed) & bit != 0)
    }

    fn slice_at(&self, offset: usize) -> Self {
        Self { log: self.log, start: self.start.saturating_add(offset) }
    }
}
