//! A descriptor chain as pieces of guest memory (virtio 1.2, 2.7).

use smallvec::SmallVec;
use virtio_bindings::bindings::virtio_ring::{VRING_DESC_F_INDIRECT, VRING_DESC_F_NEXT, VRING_DESC_F_WRITE};
use vm_memory::{Bytes, GuestAddress, GuestMemoryBackend, VolatileMemory};

use super::split::{DESCRIPTOR, Split};
use crate::sys::memory::{GuestMemory, GuestSlice, Nearby, prefetch};

/// Longest chain that is served. A queue has at most 1024 entries, and no driver may make a longer chain.
const MAX_DESCRIPTORS: usize = 1024;

/// Pieces that fit without an allocation: the 126 segments that the device's configuration space promises, the response,
/// and room for segments that cross a boundary of memory regions.
type Writable<'m> = SmallVec<[GuestSlice<'m>; 136]>;
/// The same of what the device reads: the request, and for few commands data.
type Readable<'m> = SmallVec<[GuestSlice<'m>; 8]>;

/// A chain, walked once. It is large: one value is used for many chains.
#[derive(Debug, Default)]
pub struct Chain<'m> {
    /// What the device may read, in order.
    pub readable: Readable<'m>,
    /// What the device may write, in order.
    pub writable: Writable<'m>,
    /// The first rule that it breaks.
    pub fault: Option<Fault>,
    /// Something is missing of what the device may write, and what comes after it is left out.
    ends_early: bool,
}

/// How a chain breaks the rules of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends although its last descriptor names a next one: a loop, an index outside the table, a bad indirect table.
    Truncated,
    /// A buffer, or an indirect table, lies outside the guest's memory.
    OutsideMemory,
    /// A device-readable buffer follows a device-writable one (2.7.4.2).
    Order,
    /// More descriptors than any queue has.
    TooLong,
}

/// One entry of a table, as the driver wrote it.
#[derive(Debug, Clone, Copy)]
struct Descriptor {
    at: u64,
    len: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    fn is(self, flag: u32) -> bool {
        u32::from(self.flags) & flag != 0
    }
}

/// Where descriptors lie: the ring's own table, or one that a descriptor names.
struct Table<'m> {
    memory: &'m GuestMemory,
    at: u64,
    entries: usize,
    /// The same in one piece, unless it crosses a boundary of memory regions.
    piece: Option<GuestSlice<'m>>,
}

impl<'m> Table<'m> {
    fn new(memory: &Nearby<'m>, at: u64, entries: usize) -> Self {
        Self { memory: memory.memory(), at, entries, piece: memory.slice(at, entries * DESCRIPTOR) }
    }

    /// Reads an entry once: the guest may change it at any time.
    fn read(&self, index: u16) -> Result<Descriptor, Fault> {
        let start = usize::from(index) * DESCRIPTOR;
        let words = match &self.piece {
            _ if usize::from(index) >= self.entries => return Err(Fault::Truncated),
            Some(piece) => piece.get_ref::<[u64; 2]>(start).ok().map(|entry| entry.load()),
            None => self.at.checked_add(start as u64).and_then(|at| self.memory.read_obj(GuestAddress(at)).ok()),
        };
        let [at, rest] = words.ok_or(Fault::OutsideMemory)?.map(u64::from_le);
        Ok(Descriptor { at, len: rest as u32, flags: (rest >> 32) as u16, next: (rest >> 48) as u16 })
    }
}

impl<'m> Chain<'m> {
    /// Follows the chain that starts at descriptor `head` to its end, in place of what this value held before. Never more
    /// than [`MAX_DESCRIPTORS`] steps. A buffer at fault is left out and the rest looked at all the same: the response can then say
    /// that the request failed. What stands above is the beginning of what the device may read, and of what it may write.
    pub fn walk(&mut self, ring: &Split<'m>, head: u16) {
        self.readable.clear();
        self.writable.clear();
        (self.fault, self.ends_early) = (None, false);
        let mut table = Table {
            memory: ring.memory.memory(),
            at: 0,
            entries: usize::from(ring.size()),
            piece: Some(ring.descriptors),
        };
        let mut steps_left = table.entries;
        let mut indirect = false;
        let mut total = 0_u32;
        let mut count = 0;
        let mut index = head;
        loop {
            let found = if steps_left == 0 { Err(Fault::Truncated) } else { table.read(index) };
            let descriptor = match found {
                Ok(descriptor) => descriptor,
                Err(fault) => {
                    self.fault.get_or_insert(fault);
                    return;
                }
            };
            if descriptor.is(VRING_DESC_F_INDIRECT) {
                // 2.7.5.3.1: a table holds no table. Its length is that of whole entries.
                let (entries, rest) = (descriptor.len as usize / DESCRIPTOR, descriptor.len as usize % DESCRIPTOR);
                if indirect || rest != 0 || entries > usize::from(u16::MAX) {
                    break;
                }
                table = Table::new(&ring.memory, descriptor.at, entries);
                (indirect, steps_left, index) = (true, entries, 0);
                continue;
            }
            // 2.7.4.2: no more than 2^32 bytes in total.
            match total.checked_add(descriptor.len) {
                Some(sum) => total = sum,
                None => break,
            }
            if count >= MAX_DESCRIPTORS {
                self.fault.get_or_insert(Fault::TooLong);
                return;
            }
            count += 1;
            self.add(&ring.memory, descriptor);
            if !descriptor.is(VRING_DESC_F_NEXT) {
                return;
            }
            index = descriptor.next;
            steps_left -= 1;
        }
        self.fault.get_or_insert(Fault::Truncated);
    }

    /// Whether it cannot be answered for now: memory is missing, and what is there has no room for a response. Its driver, which gets
    /// it back without one, may take what stood there before for one.
    #[must_use]
    pub fn is_out_of_reach(&self) -> bool {
        self.fault == Some(Fault::OutsideMemory) && self.writable.is_empty()
    }

    /// Has the processor fetch the request and the place of the response, which the driver's processor holds.
    pub fn prefetch(&self) {
        for piece in [self.readable.first(), self.writable.first()].into_iter().flatten() {
            prefetch(piece);
        }
    }

    fn add(&mut self, memory: &Nearby<'m>, descriptor: Descriptor) {
        let writable = descriptor.is(VRING_DESC_F_WRITE);
        if !writable && !self.writable.is_empty() {
            self.fault.get_or_insert(Fault::Order);
            return;
        }
        // Behind what is missing nothing is where it belongs. No readable one comes behind a writable one: the first fault is one of theirs.
        if if writable { self.ends_early } else { self.fault.is_some() } {
            return;
        }
        let before = if writable { self.writable.len() } else { self.readable.len() };
        let (at, len) = (descriptor.at, descriptor.len as usize);
        // Nearly always in one region.
        if len > 0
            && let Some(slice) = memory.slice(at, len)
        {
            if writable {
                self.writable.push(slice);
            } else {
                self.readable.push(slice);
            }
            return;
        }
        for slice in GuestMemoryBackend::get_slices(memory.memory(), GuestAddress(at), len) {
            let Ok(slice) = slice else {
                // Half of a buffer is no buffer.
                if writable {
                    self.writable.truncate(before);
                    self.ends_early = true;
                } else {
                    self.readable.truncate(before);
                }
                self.fault.get_or_insert(Fault::OutsideMemory);
                return;
            };
            if writable { self.writable.push(slice) } else { self.readable.push(slice) }
        }
    }
}
