//! Names of pieces that are no longer kept.

use std::collections::{HashSet, VecDeque};

use super::shelf::Key;

/// The last pieces that had to go.
#[derive(Default)]
pub struct Gone {
    keys: HashSet<Key>,
    /// The one that went first comes first.
    order: VecDeque<Key>,
}

impl Gone {
    /// Remembers a piece, and no more than `most`.
    pub fn add(&mut self, key: Key, most: usize) {
        if self.keys.insert(key) {
            self.order.push_back(key);
        }
        while self.order.len() > most {
            self.order.pop_front().inspect(|key| _ = self.keys.remove(key));
        }
    }

    /// Whether the piece is among them.
    pub fn has(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_are_remembered() {
        let mut gone = Gone::default();
        for index in [1, 2, 3, 2, 4, 5] {
            gone.add(Key::block(0, index), 3);
        }
        let known = (0..7).filter(|index| gone.has(Key::block(0, *index))).collect::<Vec<_>>();
        assert_eq!(known, [3, 4, 5]);
        assert!(!gone.has(Key::group(0, 4)) && !gone.has(Key::block(1, 4)));
    }
}
