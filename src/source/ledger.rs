//! What the cache of decoded blocks is decoding, and in which order what it keeps came.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::blocks::Blocks;
use super::cache::GROUP;
use super::gone::Gone;
use super::shelf::{Key, Shelves, Taken};
use super::unit::{Kind, Unit};

/// What the cache takes of its capacity until more would have been of use.
const MODEST: usize = 16 << 20;
/// The longest unit that is short beside that.
const SHORT: usize = MODEST / 16;
/// How many pieces that have been used are spared at most before one must go.
const MOST_SPARED: usize = 64;

/// A unit that waits for a thread that decodes it ahead.
pub struct Job {
    pub unit: Unit,
    pub blocks: Arc<dyn Blocks>,
}

/// The state of a cache, beside the pieces themselves, which are on the shelves.
///
/// Bytes of the pieces and those promised are never more than the limit, which is never more than the capacity.
pub struct Ledger {
    capacity: usize,
    /// What it takes now of its capacity.
    pub limit: usize,
    /// What the pieces on the shelves cost.
    pub bytes: usize,
    /// Bytes of the pieces that are, or will be, decoded ahead: room that is kept free for them.
    pub promised: usize,
    /// Somebody decodes it, or will.
    pub pending: HashSet<Key>,
    /// The keys of what is on the shelves, the next that may have to go first.
    pub order: VecDeque<Key>,
    /// What had to go, and would not have had to with all of the capacity.
    gone: Gone,
    pub jobs: VecDeque<Job>,
    /// Threads that have been started.
    pub running: usize,
    /// The threads end.
    pub closed: bool,
}

impl Ledger {
    /// Nothing is kept, and nothing is being decoded.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            limit: capacity.min(MODEST),
            bytes: 0,
            promised: 0,
            pending: HashSet::new(),
            order: VecDeque::new(),
            gone: Gone::default(),
            jobs: VecDeque::new(),
            running: 0,
            closed: false,
        }
    }

    /// Takes all of the capacity from now on, if `unit`, which is not there, shows that it is of use.
    pub fn grow_for(&mut self, unit: &Unit) {
        if self.limit < self.capacity && (unit.len > SHORT || self.gone.has(unit.key)) {
            self.limit = self.capacity;
            self.gone = Gone::default();
        }
    }

    /// Takes back the jobs that no thread has taken yet for parts of `unit`; whether there were any.
    pub fn withdraw(&mut self, unit: &Unit) -> bool {
        let Self { jobs, pending, promised, .. } = self;
        let before = jobs.len();
        jobs.retain(|job| {
            let part = matches!(unit.kind, Kind::Group { .. }) && unit.relatives().any(|key| key == job.unit.key);
            if part {
                *promised -= job.unit.len;
                pending.remove(&job.unit.key);
            }
            !part
        });
        jobs.len() < before
    }

    /// Drops pieces until `len` more bytes fit, or none is left: the oldest that has not been used since it came or was last spared.
    pub fn make_room(&mut self, len: usize, shelves: &Shelves) {
        let mut spared = 0;
        while self.bytes + self.promised + len > self.limit {
            // After many that are used the first of them goes: what follows them may be what was decoded ahead and is wanted next.
            let all_are_used = spared == MOST_SPARED;
            let next = if all_are_used { self.order.len() - spared } else { 0 };
            let Some(key) = self.order.remove(next) else { break };
            spared -= usize::from(all_are_used);
            match shelves.take(key, !all_are_used) {
                Taken::Missing => {}
                Taken::Spared => {
                    spared += 1;
                    self.order.push_back(key);
                }
                Taken::Piece(piece) => {
                    self.bytes -= piece.cost();
                    if self.limit < self.capacity {
                        self.gone.add(key, self.capacity / GROUP);
                    }
                }
            }
        }
    }

    /// Drops what is kept and what is awaited of the source `id`.
    pub fn forget(&mut self, id: u64, shelves: &Shelves) {
        let waiting = self.jobs.iter().filter(|job| job.unit.key.source == id).map(|job| job.unit.len);
        self.promised -= waiting.sum::<usize>();
        self.jobs.retain(|job| job.unit.key.source != id);
        self.pending.retain(|key| key.source != id);
        let mut freed = 0;
        self.order.retain(|key| {
            if key.source == id
                && let Taken::Piece(piece) = shelves.take(*key, false)
            {
                freed += piece.cost();
            }
            key.source != id
        });
        self.bytes -= freed;
        if self.order.is_empty() {
            self.limit = self.capacity.min(MODEST);
            self.gone = Gone::default();
        }
    }
}
