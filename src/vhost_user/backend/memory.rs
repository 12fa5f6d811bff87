//! The guest's memory: which one it is now, and what becomes of rings that are looked at while they lie in none.

use std::io;
use std::sync::PoisonError;
use std::sync::atomic::{Ordering, fence};

use rustix::fs::FileType;
use vm_memory::{GuestAddressSpace, GuestMemoryBackend, GuestMemoryLoadGuard, GuestMemoryRegion};

use super::super::descriptor::look_at;
use super::Backend;
use crate::sys::dirty::Going;
use crate::sys::memory::{GuestMemory, watch};

/// The guest's memory as it was when somebody took it. To take it costs more than to ask whether it still is so.
pub(in crate::vhost_user) struct MemoryNow {
    memory: GuestMemoryLoadGuard<GuestMemory>,
    changes: u64,
}

impl MemoryNow {
    pub fn get(&self) -> &GuestMemory {
        &self.memory
    }
}

impl Backend {
    /// The guest's memory.
    pub(in crate::vhost_user) fn memory_now(&self) -> MemoryNow {
        // In this order: what is older than its number is taken again for nothing, what is newer than that never missed.
        let changes = self.memory_changes.load(Ordering::Acquire);
        MemoryNow { memory: self.memory.memory(), changes }
    }

    /// Whether the guest still has no other memory than that. What a driver was told of before is seen after this.
    pub(in crate::vhost_user) fn is_now(&self, memory: &MemoryNow) -> bool {
        self.memory_changes.load(Ordering::Acquire) == memory.changes
    }

    /// A ring, or what its next chain names, lies outside of the memory as it was then: it is looked at again when that changes, or has
    /// changed already.
    pub(in crate::vhost_user) fn is_without_memory(&self, memory: &MemoryNow) {
        self.complain("the guest gave a ring, or a request, outside its memory");
        self.without_memory.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !self.is_now(memory) {
            self.look_at_all_again();
        }
    }

    /// The front-end has given the guest's memory anew.
    ///
    /// # Errors
    /// When a region is longer than its file, which ends the connection, or the log of dirty pages cannot be taken along.
    pub(super) fn replace_memory(&self, now: &GuestMemory) -> io::Result<()> {
        watch(now, &self.memory_gone);
        now.iter().try_for_each(is_all_there)?;
        self.go_on_marking(now)?;
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).replace(now.clone());
        self.memory_changes.fetch_add(1, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.without_memory.swap(false, Ordering::Relaxed) {
            self.look_at_all_again();
        }
        Ok(())
    }

    /// Has the pages of the guest's new memory marked where those of the last were. QEMU takes regions away one by one, and for a moment
    /// there may be none.
    fn go_on_marking(&self, now: &GuestMemory) -> io::Result<()> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        *log = Going::of(&self.memory.memory()).or(log.take());
        log.as_ref().map_or(Ok(()), |log| log.on(now))
    }
}

/// Refuses a region whose file ends before it does: what is beyond would be zeros to the guest, and an error of its disc. Files that
/// have no length, as those of devices, are taken at their word.
fn is_all_there(region: &impl GuestMemoryRegion) -> io::Result<()> {
    let Some(place) = region.file_offset() else { return Ok(()) };
    let file = look_at(place.file())?;
    let end = place.start().saturating_add(region.len());
    if file.kind == FileType::RegularFile && end > file.len {
        let (at, len) = (region.start_addr().0, file.len);
        let reason = format!("the front-end's memory at {at:#x} ends at byte {end} of a file of {len} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    }
    Ok(())
}
