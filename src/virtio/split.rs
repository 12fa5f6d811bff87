//! A split virtqueue in guest memory (virtio 1.2, 2.7), looked up once for a run of chains.
//!
//! The back-end crate's own queue looks its three parts up again, and takes the guest's memory anew, for every access.
//! It still holds the positions; this reads and writes what stands between them.

use std::sync::atomic::{Ordering, fence};

use virtio_bindings::bindings::virtio_ring::VRING_AVAIL_F_NO_INTERRUPT;
use virtio_queue::{Queue, QueueT};
use vm_memory::Bytes;

use crate::sys::memory::{GuestMemory, GuestSlice, Nearby};

/// Flags and index, before the entries of either ring.
const HEAD: usize = 4;
const INDEX: usize = 2;
/// Bytes of an entry of the available and of the used ring, and of a descriptor.
const AVAILABLE: usize = 2;
const USED: usize = 8;
pub(super) const DESCRIPTOR: usize = 16;

/// The parts of one ring.
#[derive(Debug)]
pub struct Split<'m> {
    pub(super) memory: Nearby<'m>,
    pub(super) descriptors: GuestSlice<'m>,
    available: GuestSlice<'m>,
    used: GuestSlice<'m>,
    size: u16,
    event_idx: bool,
}

impl<'m> Split<'m> {
    /// Looks the parts up. None when one of them does not lie in one piece of memory.
    #[must_use]
    pub fn new(memory: &'m GuestMemory, queue: &Queue) -> Option<Self> {
        let size = usize::from(queue.size());
        let memory = Nearby::new(memory);
        // Behind the entries stands an event index, whether or not it is used.
        Some(Self {
            descriptors: memory.slice(queue.desc_table(), DESCRIPTOR * size)?,
            available: memory.slice(queue.avail_ring(), HEAD + AVAILABLE * size + 2)?,
            used: memory.slice(queue.used_ring(), HEAD + USED * size + 2)?,
            memory,
            size: queue.size(),
            event_idx: queue.event_idx_enabled(),
        })
    }

    /// Entries of each part.
    #[must_use]
    pub fn size(&self) -> u16 {
        self.size
    }

    /// Up to which position there are chains. What the driver wrote before is seen by what is read after.
    #[must_use]
    pub fn available(&self) -> u16 {
        self.load(&self.available, INDEX, Ordering::Acquire)
    }

    /// The first descriptor of the chain at a position.
    #[must_use]
    pub fn head(&self, position: u16) -> u16 {
        self.load(&self.available, HEAD + AVAILABLE * self.slot(position), Ordering::Relaxed)
    }

    /// Returns a chain at a position; the driver does not see it before [`publish`](Self::publish).
    pub fn put_used(&self, position: u16, head: u16, written: u32) {
        let entry = u64::from(head) | u64::from(written) << 32;
        // Inside the used ring, which is as long as `new` looked up: so are all accesses of this type.
        let _ = self.used.write_obj(entry.to_le(), HEAD + USED * self.slot(position));
    }

    /// Shows the driver all that was returned before `position`.
    pub fn publish(&self, position: u16) {
        let _ = self.used.store(position.to_le(), INDEX, Ordering::Release);
    }

    /// Whether the driver wants a call for what was returned from position `old` to before `new` (2.7.7.2, 2.7.10).
    #[must_use]
    pub fn wants_call(&self, old: u16, new: u16) -> bool {
        // The driver writes what it wants and then looks at the used ring once more; here it is the other way round.
        fence(Ordering::SeqCst);
        if self.event_idx {
            let event = self.load(&self.available, HEAD + AVAILABLE * usize::from(self.size), Ordering::Relaxed);
            return new.wrapping_sub(event).wrapping_sub(1) < new.wrapping_sub(old);
        }
        u32::from(self.load(&self.available, 0, Ordering::Relaxed)) & VRING_AVAIL_F_NO_INTERRUPT == 0
    }

    fn slot(&self, position: u16) -> usize {
        // The size is a power of two, or positions would jump when they wrap.
        usize::from(position & (self.size.wrapping_sub(1)))
    }

    fn load(&self, part: &GuestSlice<'_>, at: usize, order: Ordering) -> u16 {
        part.load::<u16>(at, order).map_or(0, u16::from_le)
    }
}
