//! Guest memory: the types every layer above names it by.

use std::cell::Cell;
use std::sync::Arc;

use vm_memory::bitmap::BS;
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion, GuestRegionMmap, VolatileSlice};
use vmm_sys_util::eventfd::EventFd;

use super::dirty::DirtyBitmap;
use super::fault::Watched;

/// The guest's memory, as mapped from the front-end's file descriptors.
pub type GuestMemory = GuestMemoryMmap<DirtyBitmap>;

/// One contiguous piece of guest memory. Another CPU may change it at any time, so it is only ever copied.
pub type GuestSlice<'a> = VolatileSlice<'a, BS<'a, DirtyBitmap>>;

/// The guest's memory, for who looks up many pieces: most lie where the last one did.
#[derive(Debug)]
pub struct Nearby<'m> {
    memory: &'m GuestMemory,
    region: Cell<Option<&'m GuestRegionMmap<DirtyBitmap>>>,
}

impl<'m> Nearby<'m> {
    /// All of `memory`.
    #[must_use]
    pub fn new(memory: &'m GuestMemory) -> Self {
        Self { memory, region: Cell::new(None) }
    }

    /// All of it.
    #[must_use]
    pub fn memory(&self) -> &'m GuestMemory {
        self.memory
    }

    /// `len` bytes at `at`. None when they do not lie in one region.
    #[must_use]
    pub fn slice(&self, at: u64, len: usize) -> Option<GuestSlice<'m>> {
        let at = GuestAddress(at);
        let here = self.region.get().and_then(|region| Some((region, region.to_region_addr(at)?)));
        let (region, at) = match here {
            Some(here) => here,
            None => {
                let region = self.memory.find_region(at)?;
                self.region.set(Some(region));
                (region, region.to_region_addr(at)?)
            }
        };
        region.get_slice(at, len).ok()
    }
}

/// Has `gone` told when memory of a front-end, or its log, cannot be accessed any more because its file was cut off. Whoever
/// accesses it then finds zeros; without this the process would end. What is watched already stays as it is.
pub fn watch(memory: &GuestMemory, gone: &Arc<EventFd>) {
    for region in memory.iter() {
        // The slice of a region's bitmap is all of it.
        region.bitmap().watch(gone, || Watched::new(region.as_ptr(), region.size(), gone));
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
