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
/// Jobs that wait, at most: they are looked through under the lock.
const MOST_JOBS: usize = 1024;
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

    /// Adds a job for `unit`, which nobody decodes yet, and keeps room free for it. False when there is none now.
    pub fn add_job(&mut self, unit: Unit, blocks: &Arc<dyn Blocks>, shelves: &Shelves) -> bool {
        // Half of the room is left to what has been read already.
        if self.promised + unit.cost() > self.limit / 2 || self.jobs.len() == MOST_JOBS {
            return false;
        }
        self.make_room(unit.cost(), shelves);
        self.promised += unit.cost();
        self.pending.insert(unit.key);
        self.jobs.push_back(Job { unit, blocks: Arc::clone(blocks) });
        true
    }

    /// Takes back the jobs that no thread has taken yet for blocks of the group `unit`; whether there were any.
    pub fn withdraw(&mut self, unit: &Unit) -> bool {
        let Self { jobs, pending, promised, .. } = self;
        let before = jobs.len();
        jobs.retain(|job| {
            let part = matches!(job.unit.kind, Kind::Block { group: Some(group), .. } if group == unit.key);
            if part {
                *promised -= job.unit.cost();
                pending.remove(&job.unit.key);
            }
            !part
        });
        jobs.len() < before
    }

    /// Drops pieces until `len` more bytes fit, or none is left: the oldest that has not been used since it came or was last spared.
    pub fn make_room(&mut self, len: usize, shelves: &Shelves) {
        // The last so many of the order were spared here. One that a reader finds again meanwhile is not spared again.
        let mut spared = 0;
        while self.bytes + self.promised + len > self.limit {
            // After many that are used the first of them goes: what follows them may be what was decoded ahead and is wanted next.
            let all_are_used = spared == MOST_SPARED.min(self.order.len());
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
        let waiting = self.jobs.iter().filter(|job| job.unit.key.source == id).map(|job| job.unit.cost());
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;
    use crate::source::room::Room;
    use crate::source::shelf::{Content, KEEPING, Piece};

    const LEN: usize = 1000;

    /// Keeps a piece of [`LEN`] bytes.
    fn keep(ledger: &mut Ledger, shelves: &Shelves, key: Key) {
        let content = Content::Decoded(Room::new(None, LEN, 0).unwrap(), None);
        let piece = Arc::new(Piece { start: 0, len: LEN, content });
        ledger.make_room(piece.cost(), shelves);
        ledger.bytes += piece.cost();
        ledger.order.push_back(key);
        assert!(shelves.put(key, piece, false).is_none());
    }

    #[test]
    fn pieces_that_are_found_while_room_is_made_go_all_the_same() {
        // One fewer than are spared in a row, and found again all the time.
        const PIECES: u64 = MOST_SPARED as u64 - 1;
        let shelves = Shelves::new();
        let mut ledger = Ledger::new(PIECES as usize * (LEN + KEEPING));
        let newest = AtomicU64::new(0);
        let find_all = || {
            let newest = newest.load(Ordering::Relaxed);
            (0..=PIECES).for_each(|back| _ = shelves.find(Key::block(0, newest.wrapping_sub(back))));
        };
        thread::scope(|scope| {
            let keeper = scope.spawn(|| {
                for index in 0..20_000 {
                    newest.store(index, Ordering::Relaxed);
                    find_all();
                    keep(&mut ledger, &shelves, Key::block(0, index));
                    assert!(ledger.bytes <= ledger.limit && ledger.order.len() as u64 <= PIECES);
                }
                ledger.make_room(ledger.limit, &shelves);
            });
            while !keeper.is_finished() {
                find_all();
            }
        });
        assert_eq!((ledger.bytes, ledger.order.len()), (0, 0));
    }

    #[test]
    fn no_more_jobs_wait_than_can_be_looked_through() {
        #[derive(Debug)]
        struct Nothing;
        impl Blocks for Nothing {
            fn total_len(&self) -> u64 {
                0
            }
            fn locate(&self, _: u64) -> std::io::Result<crate::source::Block> {
                unreachable!()
            }
            fn decode(&self, _: &crate::source::Block, _: &mut [u8]) -> std::io::Result<()> {
                unreachable!()
            }
        }
        let blocks: Arc<dyn Blocks> = Arc::new(Nothing);
        let (shelves, mut ledger) = (Shelves::new(), Ledger::new(MODEST));
        let group = Key::group(0, 0);
        let unit = |index| {
            let kind = Kind::Block { index, group: Some(group) };
            Unit { key: Key::block(0, index), start: 16 * index, len: 16, kind }
        };
        let added = (0..).take_while(|index| ledger.add_job(unit(*index), &blocks, &shelves)).count();
        assert_eq!((added, ledger.promised), (MOST_JOBS, MOST_JOBS * unit(0).cost()));
        let kind = Kind::Group { first: 0, count: 4096, frames: None };
        assert!(ledger.withdraw(&Unit { key: group, start: 0, len: 1 << 16, kind }));
        assert_eq!((ledger.jobs.len(), ledger.promised, ledger.pending.len()), (0, 0, 0));
    }
}
