//! The driver's side of a split virtqueue whose chains are written once and used again (virtio 1.2, 2.7).

use std::num::Wrapping;
use std::sync::atomic::{Ordering, fence};

use vm_memory::Bytes;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

use super::Failure;
use super::memory::{Memory, Piece};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// VIRTQ_USED_F_NO_NOTIFY, VIRTQ_AVAIL_F_NO_INTERRUPT.
const NO_NOTIFY: u16 = 1;
const NO_INTERRUPT: u16 = 1;

/// A buffer of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Buffer {
    pub at: u64,
    pub len: u32,
    /// The device may write it.
    pub write: bool,
}

/// What the driver may use, and does.
#[derive(Debug, Clone, Copy)]
pub struct Features {
    pub event_idx: bool,
    pub indirect: bool,
    /// The device calls through a descriptor instead of being polled.
    pub call: bool,
}

/// One ring. Chain `n` always starts at the same descriptor.
pub struct Ring {
    pub descriptors_at: u64,
    pub available_at: u64,
    pub used_at: u64,
    pub size: u16,
    pub kick: EventFd,
    features: Features,
    descriptors: Piece,
    available: Piece,
    used: Piece,
    /// Descriptors of the table that each chain takes.
    step: u16,
    next_available: Wrapping<u16>,
    next_used: Wrapping<u16>,
    kicked: Wrapping<u16>,
}

/// Bytes that a ring of `size` takes.
pub fn bytes(size: u16) -> u64 {
    (16 * u64::from(size) + 6 + 2 * u64::from(size) + 4 + 6 + 8 * u64::from(size)).next_multiple_of(4096)
}

impl Ring {
    /// An empty ring at `at`, for chains of at most `longest` buffers.
    ///
    /// # Errors
    /// When there is no descriptor left in this process.
    pub fn new(memory: &Memory, at: u64, size: u16, longest: u16, features: Features) -> Result<Self, Failure> {
        let entries = u64::from(size);
        let available_at = at + 16 * entries;
        let used_at = (available_at + 6 + 2 * entries).next_multiple_of(4);
        let ring = Self {
            descriptors_at: at,
            available_at,
            used_at,
            size,
            kick: EventFd::new(EFD_NONBLOCK)?,
            features,
            descriptors: memory.slice(at, 16 * usize::from(size)),
            available: memory.slice(available_at, 6 + 2 * usize::from(size)),
            used: memory.slice(used_at, 6 + 8 * usize::from(size)),
            step: if features.indirect { 1 } else { longest },
            next_available: Wrapping(0),
            next_used: Wrapping(0),
            kicked: Wrapping(0),
        };
        if !features.call {
            ring.available.store(NO_INTERRUPT, 0, Ordering::Relaxed)?;
        }
        Ok(ring)
    }

    /// Writes chain `number`, through the indirect table at `table` where those are in use.
    ///
    /// # Errors
    /// When the ring is too small for it.
    pub fn prepare(&self, memory: &Memory, number: u16, buffers: &[Buffer], table: u64) -> Result<(), Failure> {
        let head = usize::from(number) * usize::from(self.step);
        if !self.features.indirect && buffers.len() > usize::from(self.step)
            || head + usize::from(self.step) > usize::from(self.size)
        {
            return Err("so many requests in flight do not fit in a ring".into());
        }
        let base = if self.features.indirect { 0 } else { head };
        for (index, buffer) in buffers.iter().enumerate() {
            let more = if index + 1 < buffers.len() { NEXT } else { 0 };
            let write = if buffer.write { WRITE } else { 0 };
            let bytes = descriptor(buffer.at, buffer.len, write | more, (base + index + 1) as u16);
            if self.features.indirect {
                memory.write(table + 16 * index as u64, &bytes);
            } else {
                self.descriptors.write_slice(&bytes, 16 * (head + index))?;
            }
        }
        if self.features.indirect {
            self.descriptors.write_slice(&descriptor(table, 16 * buffers.len() as u32, INDIRECT, 0), 16 * head)?;
        }
        Ok(())
    }

    /// Makes chain `number` available. The device may see it now, or after [`kick`](Self::kick).
    pub fn submit(&mut self, number: u16) {
        let slot = usize::from(self.next_available.0 % self.size);
        store(&self.available, 4 + 2 * slot, number * self.step, Ordering::Relaxed);
        self.next_available += 1;
        store(&self.available, 2, self.next_available.0, Ordering::Release);
    }

    /// Tells the device of what is new, if it wants to be told (2.7.10).
    pub fn kick(&mut self) {
        if self.kicked == self.next_available {
            return;
        }
        fence(Ordering::SeqCst);
        let wanted = if self.features.event_idx {
            let event = Wrapping(load(&self.used, 4 + 8 * usize::from(self.size), Ordering::Relaxed));
            self.next_available - event - Wrapping(1) < self.next_available - self.kicked
        } else {
            load(&self.used, 0, Ordering::Relaxed) & NO_NOTIFY == 0
        };
        self.kicked = self.next_available;
        if wanted {
            // Fails only when the counter is full: then the device has been told already.
            let _ = self.kick.write(1);
        }
    }

    /// The next chain that came back: its number, and the bytes that the device says it wrote.
    pub fn take(&mut self) -> Option<(u16, u32)> {
        if load(&self.used, 2, Ordering::Acquire) == self.next_used.0 {
            return None;
        }
        let element = 4 + 8 * usize::from(self.next_used.0 % self.size);
        let head: u32 = self.used.load(element, Ordering::Relaxed).expect("an element of the used ring");
        let len: u32 = self.used.load(element + 4, Ordering::Relaxed).expect("an element of the used ring");
        self.next_used += 1;
        Some((head as u16 / self.step, len))
    }

    /// Asks to be called for the next chain; true when one is back already, and no call will come for it.
    pub fn ask_for_call(&mut self) -> bool {
        if self.features.event_idx {
            store(&self.available, 4 + 2 * usize::from(self.size), self.next_used.0, Ordering::Relaxed);
        }
        fence(Ordering::SeqCst);
        load(&self.used, 2, Ordering::Acquire) != self.next_used.0
    }
}

/// The device's side of a ring, which wants to be told of nothing unless it asks for that.
pub struct Device {
    descriptors: Piece,
    available: Piece,
    used: Piece,
    size: u16,
    next_available: Wrapping<u16>,
    next_used: Wrapping<u16>,
}

impl Device {
    /// The other side of the ring that has its parts at these places.
    pub fn new(memory: Memory, descriptors_at: u64, available_at: u64, used_at: u64, size: u16) -> Self {
        let used = memory.slice(used_at, 6 + 8 * usize::from(size));
        store(&used, 0, NO_NOTIFY, Ordering::Relaxed);
        Self {
            descriptors: memory.slice(descriptors_at, 16 * usize::from(size)),
            available: memory.slice(available_at, 6 + 2 * usize::from(size)),
            used,
            size,
            next_available: Wrapping(0),
            next_used: Wrapping(0),
        }
    }

    /// Asks to be told of the next chain, or no longer; true when there is one already.
    pub fn ask_for_kick(&self, wanted: bool) -> bool {
        store(&self.used, 0, if wanted { 0 } else { NO_NOTIFY }, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        load(&self.available, 2, Ordering::Acquire) != self.next_available.0
    }

    /// The head of the next chain.
    pub fn take(&mut self) -> Option<u16> {
        if load(&self.available, 2, Ordering::Acquire) == self.next_available.0 {
            return None;
        }
        let head = load(&self.available, 4 + 2 * usize::from(self.next_available.0 % self.size), Ordering::Relaxed);
        self.next_available += 1;
        Some(head)
    }

    /// Addresses and lengths of the three buffers of a chain, which are in an indirect table.
    pub fn buffers(&self, memory: Memory, head: u16) -> [(u64, usize); 3] {
        let mut pointer = [0; 8];
        self.descriptors.read_slice(&mut pointer, 16 * usize::from(head)).expect("a descriptor");
        let mut table = [0; 48];
        memory.read(u64::from_le_bytes(pointer), &mut table);
        [0, 16, 32].map(|at| {
            let address = u64::from_le_bytes(table[at..at + 8].try_into().expect("eight bytes"));
            let len = u32::from_le_bytes(table[at + 8..at + 12].try_into().expect("four bytes"));
            (address, len as usize)
        })
    }

    /// Returns a chain of which `len` bytes were written.
    pub fn put(&mut self, head: u16, len: u32) {
        let element = 4 + 8 * usize::from(self.next_used.0 % self.size);
        self.used.store(u32::from(head), element, Ordering::Relaxed).expect("an element of the used ring");
        self.used.store(len, element + 4, Ordering::Relaxed).expect("an element of the used ring");
        self.next_used += 1;
        store(&self.used, 2, self.next_used.0, Ordering::Release);
    }
}

fn descriptor(at: u64, len: u32, flags: u16, next: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&at.to_le_bytes());
    bytes[8..12].copy_from_slice(&len.to_le_bytes());
    bytes[12..14].copy_from_slice(&flags.to_le_bytes());
    bytes[14..].copy_from_slice(&next.to_le_bytes());
    bytes
}

fn store(piece: &Piece, at: usize, value: u16, order: Ordering) {
    piece.store(value, at, order).expect("a place in the ring");
}

fn load(piece: &Piece, at: usize, order: Ordering) -> u16 {
    piece.load(at, order).expect("a place in the ring")
}
