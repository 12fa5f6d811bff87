//! A descriptor chain as pieces of guest memory (virtio 1.2, 2.7).

use std::ops::Deref;

use smallvec::SmallVec;
use virtio_queue::DescriptorChain;
use vm_memory::GuestMemoryBackend;

use crate::sys::memory::{GuestMemory, GuestSlice};

/// Longest chain that is served. A queue has at most 1024 entries, and no driver may make a longer chain.
const MAX_DESCRIPTORS: usize = 1024;

/// Pieces that fit without an allocation: the 126 segments that the device's configuration space promises, two heads,
/// and room for segments that cross a boundary of memory regions.
type Pieces<'m> = SmallVec<[GuestSlice<'m>; 136]>;

/// A chain, walked once.
#[derive(Debug, Default)]
pub struct Chain<'m> {
    /// What the device may read, in order.
    pub readable: Pieces<'m>,
    /// What the device may write, in order.
    pub writable: Pieces<'m>,
    /// The first rule that it breaks; the buffers that break none stand above.
    pub fault: Option<Fault>,
}

/// How a chain breaks the rules of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends although its last descriptor names a next one: a loop, an index outside the table, a bad indirect table.
    Truncated,
    /// A buffer lies outside the guest's memory.
    OutsideMemory,
    /// A device-readable buffer follows a device-writable one (2.7.4.2).
    Order,
    /// More descriptors than any queue has.
    TooLong,
}

impl<'m> Chain<'m> {
    /// Follows the chain to its end. Never longer than [`MAX_DESCRIPTORS`] steps. A buffer at fault is left out and the
    /// rest looked at all the same: the response, which usually comes last, can then say that the request failed.
    pub fn walk<M>(memory: &'m GuestMemory, chain: DescriptorChain<M>) -> Self
    where
        M: Deref<Target = GuestMemory>,
    {
        let mut walked = Self::default();
        let mut complete = false;
        for (count, descriptor) in chain.enumerate() {
            complete = !descriptor.has_next();
            if count >= MAX_DESCRIPTORS {
                walked.fault.get_or_insert(Fault::TooLong);
                return walked;
            }
            let pieces = if descriptor.is_write_only() {
                &mut walked.writable
            } else if walked.writable.is_empty() {
                &mut walked.readable
            } else {
                walked.fault.get_or_insert(Fault::Order);
                continue;
            };
            let before = pieces.len();
            for slice in GuestMemoryBackend::get_slices(memory, descriptor.addr(), descriptor.len() as usize) {
                let Ok(slice) = slice else {
                    // Half of a buffer is no buffer.
                    pieces.truncate(before);
                    walked.fault.get_or_insert(Fault::OutsideMemory);
                    break;
                };
                pieces.push(slice);
            }
        }
        if !complete {
            walked.fault.get_or_insert(Fault::Truncated);
        }
        walked
    }
}
