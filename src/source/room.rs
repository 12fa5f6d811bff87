//! Where decoded bytes are kept.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use zerocopy::FromZeros;

use crate::sys::slab::{Slab, Slot};

/// What new room is filled with where that is tested.
const UNWRITTEN: u8 = 0xA5;

/// Bytes of one piece.
#[derive(Debug)]
pub enum Room {
    /// In the cache's memory.
    Slot(Slot),
    /// By themselves: those of a length that slots are not for.
    Own(Box<[u8]>),
}

impl Room {
    /// `len` bytes for the source `owner` to write, zeros or its own of before: in a slot, if they fill more than half of one.
    ///
    /// # Errors
    /// `OutOfMemory`, instead of the end of the process.
    pub fn new(slab: Option<&Arc<Slab>>, len: usize, owner: u64) -> io::Result<Self> {
        let slab = slab.filter(|slab| len > slab.slot() / 2);
        let slot = slab.and_then(|slab| slab.take(len, owner)).map(Self::Slot);
        let own = || <[u8]>::new_box_zeroed_with_elems(len).map(Self::Own).map_err(|_| out_of_memory(len));
        let mut room = slot.map_or_else(own, Ok)?;
        if cfg!(debug_assertions) {
            // A decoder that left bytes unwritten would go unnoticed among zeros.
            room.fill(UNWRITTEN);
        }
        Ok(room)
    }

    /// Bytes of memory that it takes.
    pub fn cost(&self) -> usize {
        match self {
            Self::Slot(slot) => slot.room(),
            Self::Own(bytes) => bytes.len(),
        }
    }
}

/// There is no memory for `len` bytes of a block.
pub fn out_of_memory(len: usize) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, format!("there is no memory for a block of {len} bytes"))
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Slot(slot) => slot,
            Self::Own(bytes) => bytes,
        }
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Slot(slot) => slot,
            Self::Own(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_for_what_fills_them_and_for_nothing_else() {
        let slab = Slab::new(1, 4096).unwrap();
        let small = Room::new(Some(&slab), 2048, 0).unwrap();
        let first = Room::new(Some(&slab), 2049, 0).unwrap();
        let second = Room::new(Some(&slab), 2049, 0).unwrap();
        let long = Room::new(Some(&slab), 4097, 0).unwrap();
        assert_eq!([&small, &first, &second, &long].map(Room::cost), [2048, 4096, 2049, 4097]);
        assert_eq!([&small, &first, &second, &long].map(|room| room.len()), [2048, 2049, 2049, 4097]);
    }

    #[test]
    fn no_memory_is_an_error() {
        let error = Room::new(None, isize::MAX as usize, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::OutOfMemory);
        assert!(error.to_string().starts_with("there is no memory for a block of "), "{error}");
    }
}
