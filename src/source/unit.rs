//! What is decoded and kept as one.

use super::blocks::Block;
use super::frames::Frames;
use super::shelf::{KEEPING, Key};

/// A block, or a group of blocks of one length.
#[derive(Debug, Clone, Copy)]
pub struct Unit {
    pub key: Key,
    /// Offset of its first decoded byte.
    pub start: u64,
    pub len: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// The block of this number, and the group that it is in, if its source has groups.
    Block { index: u64, group: Option<Key> },
    /// A group of blocks from this one on, and the frames that it is to be arranged by.
    Group { first: u64, count: u64, frames: Option<Frames> },
}

impl Unit {
    /// The block that it is.
    pub fn block(&self, index: u64) -> Block {
        Block { index, start: self.start, len: self.len as u32 }
    }

    /// What it will count in the capacity of the cache, about.
    pub fn cost(&self) -> usize {
        self.len + KEEPING
    }

    /// All units that have blocks of this one, besides itself.
    pub fn relatives(&self) -> impl Iterator<Item = Key> {
        let source = self.key.source;
        let (group, blocks) = match self.kind {
            Kind::Block { group, .. } => (group, 0..0),
            Kind::Group { first, count, .. } => (None, first..first + count),
        };
        group.into_iter().chain(blocks.map(move |index| Key::block(source, index)))
    }
}
