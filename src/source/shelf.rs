//! Where decoded pieces are found: a table in parts, each with its own lock.
//!
//! A lock is held to find, add or remove one entry, never while anything is decoded, copied or freed: who finds a piece waits for
//! nobody longer than for that.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::SharedSource;
use super::frames::Frames;
use super::room::Room;

/// What keeping a piece takes beside its bytes: itself, its places here and in the order of going, and what an allocator adds to each.
pub const KEEPING: usize = 256;

/// One or more blocks that follow one another, as they are kept.
#[derive(Debug)]
pub struct Piece {
    /// Offset of its first decoded byte.
    pub start: u64,
    /// Decoded bytes.
    pub len: usize,
    pub content: Content,
}

/// The bytes of a piece.
#[derive(Debug)]
pub enum Content {
    /// In memory, arranged where there are frames.
    Decoded(Room, Option<Frames>),
    /// All of them lie in this source from this byte on.
    Stored(SharedSource, u64),
}

impl Piece {
    /// What it counts in the capacity of the cache.
    pub fn cost(&self) -> usize {
        match &self.content {
            Content::Decoded(bytes, _) => bytes.cost() + KEEPING,
            Content::Stored(..) => KEEPING,
        }
    }
}

/// A piece's name: the source that it is of, and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    pub source: u64,
    number: u64,
}

impl Key {
    /// Block `index` by itself.
    pub fn block(source: u64, index: u64) -> Self {
        Self { source, number: index << 1 }
    }

    /// Group `index` of several blocks.
    pub fn group(source: u64, index: u64) -> Self {
        Self { source, number: index << 1 | 1 }
    }

    fn shelf(self) -> usize {
        ((self.number >> 1).wrapping_add(self.source) % SHELVES as u64) as usize
    }
}

/// Parts of the table.
const SHELVES: usize = 16;

/// Pieces by their keys.
pub struct Shelves([Mutex<HashMap<Key, Place, Multiply>>; SHELVES]);

struct Place {
    piece: Arc<Piece>,
    /// It was found since it came, or since it was last spared; or nobody has read it yet.
    used: bool,
}

impl Shelves {
    pub fn new() -> Self {
        let multiply = Multiply(RandomState::new().hash_one(0) | 1);
        Self(std::array::from_fn(|_| Mutex::new(HashMap::with_hasher(multiply))))
    }

    fn shelf(&self, key: Key) -> MutexGuard<'_, HashMap<Key, Place, Multiply>> {
        self.0[key.shelf()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The piece, which counts as used by that.
    pub fn find(&self, key: Key) -> Option<Arc<Piece>> {
        let mut shelf = self.shelf(key);
        let place = shelf.get_mut(&key)?;
        place.used = true;
        Some(Arc::clone(&place.piece))
    }

    /// Whether the piece is there.
    pub fn has(&self, key: Key) -> bool {
        self.shelf(key).contains_key(&key)
    }

    /// Adds a piece; returns the one that was there. One that came `ahead` of its reader is spared once, as if it had been used: it is about to be.
    pub fn put(&self, key: Key, piece: Arc<Piece>, ahead: bool) -> Option<Arc<Piece>> {
        self.shelf(key).insert(key, Place { piece, used: ahead }).map(|place| place.piece)
    }

    /// Removes a piece, or returns nothing and spares it when it has been used and `spare` is set.
    pub fn take(&self, key: Key, spare: bool) -> Taken {
        let mut shelf = self.shelf(key);
        match shelf.get_mut(&key) {
            None => Taken::Missing,
            Some(place) if spare && place.used => {
                place.used = false;
                Taken::Spared
            }
            Some(_) => shelf.remove(&key).map_or(Taken::Missing, |place| Taken::Piece(place.piece)),
        }
    }
}

/// What [`Shelves::take`] did.
pub enum Taken {
    Missing,
    Spared,
    Piece(Arc<Piece>),
}

/// Hashes keys by one multiplication with a number that nobody outside knows: a guest chooses what it reads, and should not be able
/// to choose what falls together.
#[derive(Clone, Copy)]
struct Multiply(u64);

struct Product {
    state: u64,
    by: u64,
}

impl BuildHasher for Multiply {
    type Hasher = Product;

    fn build_hasher(&self) -> Product {
        Product { state: 0, by: self.0 }
    }
}

impl Hasher for Product {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, number: u64) {
        let product = u128::from(self.state.rotate_left(32) ^ number ^ self.by) * u128::from(self.by);
        self.state = product as u64 ^ (product >> 64) as u64;
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::super::MemorySource;
    use super::*;

    #[test]
    fn what_came_ahead_of_its_reader_is_spared_once_and_what_was_used_is() {
        let shelves = Shelves::new();
        let key = |index| Key::block(0, index);
        for (index, ahead) in [(0, false), (1, true), (2, false)] {
            let content = Content::Stored(Arc::new(MemorySource::new([])), 0);
            shelves.put(key(index), Arc::new(Piece { start: 0, len: 0, content }), ahead);
        }
        shelves.find(key(2)).unwrap();
        assert!(matches!(shelves.take(key(0), true), Taken::Piece(_)));
        for index in [1, 2] {
            assert!(matches!(shelves.take(key(index), true), Taken::Spared));
            assert!(matches!(shelves.take(key(index), true), Taken::Piece(_)));
        }
        assert!(matches!(shelves.take(key(0), false), Taken::Missing));
    }
}
