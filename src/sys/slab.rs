//! Memory that is used again and again: slots of one length in one mapping.

use std::fmt;
use std::io;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::slice;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vm_memory::MmapRegion;

use super::counting;

/// A huge page: the kernel gives so much at a time, where it can, for one fault and one entry of the processor's tables.
const HUGE: usize = 2 << 20;
/// So many slots stay with the process when none is in use.
const KEPT: usize = 16;

/// Slots of one length. Memory is the system's until a slot is first taken, and again when none is.
pub struct Slab {
    /// Longer than the slots by a huge page, so that they can begin with one.
    map: MmapRegion<()>,
    /// Where in the mapping the first slot begins.
    start: usize,
    slot: usize,
    count: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Numbers of slots that were in use and no longer are. The last comes first: it may still be in the processor's caches.
    free: Vec<usize>,
    /// Whose bytes each slot has that was in use since its memory was the system's; later ones were not.
    owners: Vec<u64>,
}

/// A slot, whose bytes nobody else has. It goes back to its slab when it is dropped.
pub struct Slot {
    slab: Arc<Slab>,
    number: usize,
    len: usize,
}

impl Slab {
    /// `count` slots of `slot` bytes.
    ///
    /// # Errors
    /// When the system has no room for them in this process.
    pub fn new(count: usize, slot: usize) -> io::Result<Arc<Self>> {
        let len = count.checked_mul(slot).and_then(|len| len.checked_add(HUGE)).ok_or(io::ErrorKind::OutOfMemory)?;
        let map = MmapRegion::new(len).map_err(io::Error::other)?;
        // SAFETY: a hint of how to keep a mapping that is whole and ours. Not every kernel knows it.
        unsafe { libc::madvise(map.as_ptr().cast(), len, libc::MADV_HUGEPAGE) };
        // Where no such place is told, any is right.
        let start = Some(map.as_ptr().align_offset(HUGE)).filter(|&start| start <= HUGE).unwrap_or(0);
        Ok(Arc::new(Self { map, start, slot, count, state: Mutex::default() }))
    }

    /// Bytes of a slot.
    pub fn slot(&self) -> usize {
        self.slot
    }

    /// A slot of which `len` bytes are used; none when all are in use, or `len` is more than a slot has. Its bytes are zero, or what
    /// `owner` last left in it.
    pub fn take(self: &Arc<Self>, len: usize, owner: u64) -> Option<Slot> {
        if len > self.slot {
            return None;
        }
        let mut state = self.state();
        let (number, before) = match state.free.pop() {
            Some(number) => (number, mem::replace(state.owners.get_mut(number)?, owner)),
            None if state.owners.len() < self.count => {
                state.owners.push(owner);
                // What the system gives is zero already.
                (state.owners.len() - 1, owner)
            }
            None => return None,
        };
        drop(state);
        counting::grow(self.slot);
        let mut slot = Slot { slab: Arc::clone(self), number, len: self.slot };
        if before != owner {
            slot.fill(0);
        }
        slot.len = len;
        Some(slot)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self, number: usize) {
        let mut guard = self.state();
        let state = &mut *guard;
        state.free.push(number);
        if state.free.len() == state.owners.len() && state.owners.len() > KEPT {
            // SAFETY: anonymous memory reads as zeros afterwards. No slot is in use, and none can be taken while the state is locked.
            let gone = unsafe { libc::madvise(self.map.as_ptr().cast(), self.map.size(), libc::MADV_DONTNEED) };
            if gone == 0 {
                *state = State::default();
            }
        }
    }
}

impl fmt::Debug for Slab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slab({} of {} bytes)", self.count, self.slot)
    }
}

impl Slot {
    /// Where its bytes are: inside the mapping, as `number` is less than the slab's count and `len` no more than a slot.
    fn place(&self) -> *mut u8 {
        self.slab.map.as_ptr().wrapping_add(self.slab.start + self.number * self.slab.slot)
    }

    /// Bytes that it takes, used or not.
    pub fn room(&self) -> usize {
        self.slab.slot
    }
}

impl Deref for Slot {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: see `place`. The mapping is readable, its bytes have values from the start, and it lives as long as the slab, which this
        // keeps. Each number is taken once until it is given back, so writers are who has this one exclusively.
        unsafe { slice::from_raw_parts(self.place(), self.len) }
    }
}

impl DerefMut for Slot {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; and nobody else has this slot while it is borrowed exclusively.
        unsafe { slice::from_raw_parts_mut(self.place(), self.len) }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        counting::shrink(self.slab.slot);
        self.slab.give_back(self.number);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every slot is somebody's own, and nobody finds what another left, at whatever length.
    #[test]
    fn slots_are_apart_and_begin_with_zeros_or_their_owners_bytes() {
        const SLOT: usize = 3 << 10;
        let slab = Slab::new(40, SLOT).unwrap();
        // While one is in use the memory of the others stays as well.
        let one = slab.take(1, 0).unwrap();
        for (round, owner) in (1..).zip([7, 8, 8, 9, 7]) {
            let mut slots: Vec<_> = (0..39).map(|number| slab.take(SLOT - number, owner).unwrap()).collect();
            assert!(slab.take(1, owner).is_none(), "there are no more");
            let used = slots.iter().filter(|slot| slot.iter().any(|&byte| byte != 0)).count();
            assert_eq!(used, if round == 3 { 39 } else { 0 }, "round {round}");
            for (number, slot) in slots.iter_mut().enumerate() {
                assert_eq!(slot.len(), SLOT - number);
                slot.fill(round * 40 + number as u8);
            }
            for (number, slot) in slots.iter().enumerate() {
                assert!(slot.iter().all(|&byte| byte == round * 40 + number as u8));
            }
        }
        assert_eq!(slab.state().owners.len(), 40);
        drop(one);
        assert_eq!(slab.state().owners.len(), 0);
        assert!(slab.take(SLOT + 1, 0).is_none());
    }

    #[test]
    fn memory_goes_back_when_no_slot_is_in_use() {
        const SLOT: usize = 64 << 10;
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
        };
        let slab = Slab::new(1024, SLOT).unwrap();
        let before = resident();
        let slots: Vec<_> = (0..1024)
            .map(|_| {
                let mut slot = slab.take(SLOT, 0).unwrap();
                slot.fill(1);
                slot
            })
            .collect();
        let during = resident();
        assert!(during >= before + (60 << 20), "{before}, {during}");
        drop(slots);
        assert!(resident() + (50 << 20) < during, "{during}, {}", resident());
    }
}
