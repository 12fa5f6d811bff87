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
    /// Why the chain breaks the rules; what was found before that stands above.
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
    /// Follows the chain to its end. Never longer than [`MAX_DESCRIPTORS`] steps.
    pub fn walk<M>(memory: &'m GuestMemory, chain: DescriptorChain<M>) -> Self
    where
        M: Deref<Target = GuestMemory>,
    {
        let mut walked = Self::default();
        let mut complete = false;
        for (count, descriptor) in chain.enumerate() {
            complete = !descriptor.has_next();
            if count >= MAX_DESCRIPTORS {
                walked.fault = Some(Fault::TooLong);
                return walked;
            }
            let pieces = if descriptor.is_write_only() {
                &mut walked.writable
            } else if walked.writable.is_empty() {
                &mut walked.readable
            } else {
                walked.fault = Some(Fault::Order);
                return walked;
            };
            let before = pieces.len();
            for slice in GuestMemoryBackend::get_slices(memory, descriptor.addr(), descriptor.len() as usize) {
                match slice {
                    Ok(slice) => pieces.push(slice),
                    Err(_) => {
                        // Half of a buffer is no buffer.
                        pieces.truncate(before);
                        walked.fault = Some(Fault::OutsideMemory);
                        return walked;
                    }
                }
            }
        }
        if !complete {
            walked.fault = Some(Fault::Truncated);
        }
        walked
    }
}
