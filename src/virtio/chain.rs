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
    /// The first rule that it breaks; the buffers that break none stand above.
    pub fault: Option<Fault>,
}

/// How a chain breaks the rules of the standard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It ends although its last descriptor names a next one: a loop, an index outside the table, a bad indirect table.
    Truncated,
    /// A buffer lies outside the guest's memory, or an indirect table.
    OutsideMemory,
    /// The same of the first buffer that the device may read, in which the request begins.
    NoRequest,
    /// The same of the first that it may write, in which the response begins, or of a table that would name it.
    NoResponse,
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

    /// Reads an entry once: the guest may change it at any time. None outside the table, or outside memory.
    fn read(&self, index: u16) -> Option<Descriptor> {
        let start = usize::from(index) * DESCRIPTOR;
        let words = match &self.piece {
            _ if usize::from(index) >= self.entries => return None,
            Some(piece) => piece.get_ref::<[u64; 2]>(start).ok()?.load(),
            None => self.memory.read_obj(GuestAddress(self.at.checked_add(start as u64)?)).ok()?,
        };
        let [at, rest] = words.map(u64::from_le);
        Some(Descriptor { at, len: rest as u32, flags: (rest >> 32) as u16, next: (rest >> 48) as u16 })
    }
}

impl<'m> Chain<'m> {
    /// Follows the chain that starts at descriptor `head` to its end, in place of what this value held before. Never more
    /// than [`MAX_DESCRIPTORS`] steps. A buffer at fault is left out and the rest looked at all the same: the response can then
    /// say that the request failed.
    pub fn walk(&mut self, ring: &Split<'m>, head: u16) {
        self.readable.clear();
        self.writable.clear();
        self.fault = None;
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
            let found = if steps_left == 0 { None } else { table.read(index) };
            let Some(descriptor) = found else { break };
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
        if steps_left > 0 && usize::from(index) < table.entries && table.read(index).is_none() {
            self.lack(self.writable.is_empty().then_some(Fault::NoResponse));
        }
        self.fault.get_or_insert(Fault::Truncated);
    }

    /// Memory is missing: of what counts more than others, if it does.
    #[cold]
    fn lack(&mut self, what: Option<Fault>) {
        // Whatever else is wrong, there is nobody to be told of it.
        if what == Some(Fault::NoResponse) {
            self.fault = what;
        }
        self.fault.get_or_insert(what.unwrap_or(Fault::OutsideMemory));
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
                let first = if writable {
                    self.writable.truncate(before);
                    Fault::NoResponse
                } else {
                    self.readable.truncate(before);
                    Fault::NoRequest
                };
                self.lack((before == 0).then_some(first));
                return;
            };
            if writable { self.writable.push(slice) } else { self.readable.push(slice) }
        }
    }
}
