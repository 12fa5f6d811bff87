//! Guest memory: the types every layer above names it by.

use vhost_user_backend::bitmap::BitmapMmapRegion;
use vm_memory::bitmap::BS;
use vm_memory::{GuestAddress, GuestMemoryMmap, VolatileSlice};

/// Remembers which pages the back-end wrote, for live migration.
pub type DirtyBitmap = BitmapMmapRegion;

/// The guest's memory, as mapped from the front-end's file descriptors.
pub type GuestMemory = GuestMemoryMmap<DirtyBitmap>;

/// One contiguous piece of guest memory. Another CPU may change it at any time, so it is only ever copied.
pub type GuestSlice<'a> = VolatileSlice<'a, BS<'a, DirtyBitmap>>;

/// Anonymous memory that behaves like a guest's: for callers that have no guest, such as tests.
///
/// # Errors
/// When `bytes` cannot be mapped.
pub fn anonymous(bytes: usize) -> std::io::Result<GuestMemory> {
    GuestMemory::from_ranges(&[(GuestAddress(0), bytes)]).map_err(std::io::Error::other)
}
