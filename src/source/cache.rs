//! The cache of decoded blocks that all compressed images share, and the threads that decode ahead.
//!
//! What is there is found on the shelves, without the lock of what is being decoded. Only who finds nothing takes that one.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::blocks::{Blocks, each_block, located};
use super::gone::Gone;
use super::room::Room;
use super::shelf::{Content, Key, Piece, Shelves, Taken};
use super::unit::{Kind, Unit};
use crate::sys::slab::Slab;

/// Bytes that the cache holds unless told otherwise.
pub const DEFAULT_CACHE: usize = 64 << 20;
/// Threads that decode ahead, at most.
const MOST_WORKERS: usize = 4;
/// How far ahead blocks are decoded, in bytes, where the cache is large enough.
const AHEAD: usize = 4 << 20;
/// Bytes of a group, at most: so long that finding it costs little beside copying it, so short that who waits for one of its blocks
/// does not wait long for the others.
const GROUP: usize = 64 << 10;
/// Slots beside those of the capacity, for what is being decoded or read.
const IN_HANDS: usize = 16;
/// What it takes of its capacity until more would have been of use.
const MODEST: usize = 16 << 20;
/// The longest unit that is short beside that.
const SHORT: usize = MODEST / 16;
/// How many pieces that have been used are spared at most before one must go.
const MOST_SPARED: usize = 64;

/// Decoded blocks, up to a number of bytes; those that have not been used for long give way.
///
/// No block is decoded twice at the same time: who comes second waits. A block that failed is not remembered: the next
/// reader tries again. Threads start with the first read-ahead, sleep when there is nothing to do, and end with the cache.
///
/// What is kept and what is decoded ahead is never more than the capacity; beside it are the pieces that readers have in their
/// hands at that moment, one each. Of a larger capacity it takes 16 MiB until a piece is wanted again that all of it would still have, or
/// blocks are long: who reads a disc once from end to end gains nothing by more, and new memory takes time.
pub struct BlockCache {
    shared: Arc<Shared>,
    workers: AtomicUsize,
}

struct Shared {
    capacity: usize,
    /// Memory for pieces of about the length of a group. None where the system has no room for it: then each piece has its own.
    slab: Option<Arc<Slab>>,
    shelves: Shelves,
    state: Mutex<State>,
    /// A piece has been decoded, or failed.
    decoded: Condvar,
    /// There is a job, or the cache is gone.
    work: Condvar,
}

struct Job {
    unit: Unit,
    blocks: Arc<dyn Blocks>,
}

/// What is being decoded, and in which order pieces came.
#[derive(Default)]
struct State {
    /// Somebody decodes it, or will.
    pending: HashSet<Key>,
    /// The keys of what is on the shelves, the next that may have to go first.
    order: VecDeque<Key>,
    /// What the pieces on the shelves cost.
    bytes: usize,
    /// What it takes now of its capacity.
    limit: usize,
    /// What had to go, and would not have had to with all of the capacity.
    gone: Gone,
    /// Bytes of the pieces that are, or will be, decoded ahead: room that is kept free for them.
    promised: usize,
    jobs: VecDeque<Job>,
    /// Threads that have been started.
    running: usize,
    closed: bool,
}

impl State {
    /// Takes all of the capacity from now on, if `unit`, which is not there, shows that it is of use.
    fn grow_for(&mut self, unit: &Unit, capacity: usize) {
        if self.limit < capacity && (unit.len > SHORT || self.gone.has(unit.key)) {
            self.limit = capacity;
            self.gone = Gone::default();
        }
    }

    /// Takes back the jobs that no thread has taken yet for parts of `unit`; whether there were any.
    fn withdraw(&mut self, unit: &Unit) -> bool {
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
}

impl BlockCache {
    /// A cache of `capacity` bytes. 0 keeps nothing: every read decodes.
    #[must_use]
    pub fn new(capacity: usize) -> Arc<Self> {
        Self::with_workers(capacity, Self::usual_workers())
    }

    /// A cache whose read-ahead uses `workers` threads; with none there is no read-ahead.
    #[must_use]
    pub fn with_workers(capacity: usize, workers: usize) -> Arc<Self> {
        let shared = Shared {
            capacity,
            slab: Slab::new(capacity / GROUP + IN_HANDS, GROUP).ok(),
            shelves: Shelves::new(),
            state: Mutex::new(State { limit: capacity.min(MODEST), ..State::default() }),
            decoded: Condvar::new(),
            work: Condvar::new(),
        };
        Arc::new(Self { shared: Arc::new(shared), workers: AtomicUsize::new(workers) })
    }

    /// A cache that starts no thread, so reads nothing ahead, until it is [released](Self::release).
    #[must_use]
    pub fn held_back(capacity: usize) -> Arc<Self> {
        Self::with_workers(capacity, 0)
    }

    /// From now on it reads ahead as [`new`](Self::new) does.
    pub fn release(&self) {
        self.workers.store(Self::usual_workers(), Ordering::Relaxed);
    }

    fn usual_workers() -> usize {
        thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
    }

    fn workers(&self) -> usize {
        self.workers.load(Ordering::Relaxed)
    }

    /// How many blocks of `len` bytes make a group; 1 where groups are of no use.
    pub(super) fn group(&self, len: u32) -> u64 {
        (GROUP.min(self.shared.capacity / 16) / (len as usize).max(1)).max(1) as u64
    }

    /// The piece, if it is there.
    pub(super) fn ready(&self, key: Key) -> Option<Arc<Piece>> {
        self.shared.shelves.find(key)
    }

    /// Whether the piece is there.
    pub(super) fn knows(&self, key: Key) -> bool {
        self.shared.shelves.has(key)
    }

    /// A piece with the bytes of `unit`: itself, or the group that it is in.
    ///
    /// # Errors
    /// What decoding reports; a decoder that panics is `InvalidData`.
    pub(super) fn get(&self, blocks: &Arc<dyn Blocks>, unit: &Unit) -> io::Result<Arc<Piece>> {
        let Shared { shelves, decoded, .. } = &*self.shared;
        let mut state = self.shared.lock();
        loop {
            let group = if let Kind::Block { group, .. } = unit.kind { group } else { None };
            if let Some(piece) = shelves.find(unit.key).or_else(|| shelves.find(group?)) {
                return Ok(piece);
            }
            let busy = state.pending.contains(&unit.key) || unit.relatives().any(|key| state.pending.contains(&key));
            if !busy {
                state.grow_for(unit, self.shared.capacity);
                state.pending.insert(unit.key);
                break;
            }
            // A job that no thread has taken yet is quicker done here.
            let ours = |job: &Job| job.unit.key == unit.key || Some(job.unit.key) == group;
            if let Some(at) = state.jobs.iter().position(ours)
                && let Some(job) = state.jobs.remove(at)
            {
                state.promised -= job.unit.len;
                drop(state);
                return self.shared.decode(&**blocks, &job.unit, 0);
            }
            if state.withdraw(unit) {
                continue;
            }
            // Somebody decodes it now. Who waits for a job instead may wait for ever: all threads can be held up by storage, or by
            // what this reader decodes itself.
            state = decoded.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        drop(state);
        self.shared.decode(&**blocks, unit, 0)
    }

    /// Has `unit` decoded by another thread, unless it is there or on its way. False when there is no room for it now.
    pub(super) fn prefetch(&self, blocks: &Arc<dyn Blocks>, unit: Unit) -> bool {
        if self.shared.shelves.has(unit.key) {
            return true;
        }
        let mut state = self.shared.lock();
        let known = self.shared.shelves.has(unit.key) || state.pending.contains(&unit.key);
        if known || unit.relatives().any(|key| state.pending.contains(&key)) {
            return true;
        }
        state.grow_for(&unit, self.shared.capacity);
        // Half of the room is left to what has been read already.
        if self.workers() == 0 || state.promised + unit.len > state.limit / 2 {
            return false;
        }
        state.pending.insert(unit.key);
        state.promised += unit.len;
        self.shared.make_room(&mut state, 0);
        state.jobs.push_back(Job { unit, blocks: Arc::clone(blocks) });
        if state.running < self.workers() {
            state.running += 1;
            let shared = Arc::clone(&self.shared);
            let spawned = thread::Builder::new().name("decode".to_owned()).spawn(move || shared.work());
            if spawned.is_err() {
                // Without a thread the readers decode for themselves.
                state.running -= 1;
                state.jobs.pop_back();
                state.promised -= unit.len;
                state.pending.remove(&unit.key);
                return false;
            }
        } else {
            self.shared.work.notify_one();
        }
        true
    }

    /// How many units of `len` bytes to decode ahead.
    pub(super) fn ahead(&self, len: usize) -> usize {
        if self.workers() == 0 {
            return 0;
        }
        let bytes = AHEAD.min(self.shared.capacity / 4);
        let len = len.max(1);
        if len > self.shared.capacity / 4 { 0 } else { (bytes / len).clamp(1, 256) }
    }

    /// Drops what is kept of the source `id`.
    pub(super) fn forget(&self, id: u64) {
        let Shared { shelves, .. } = &*self.shared;
        let mut guard = self.shared.lock();
        let state = &mut *guard;
        let waiting = state.jobs.iter().filter(|job| job.unit.key.source == id).map(|job| job.unit.len);
        state.promised -= waiting.sum::<usize>();
        state.jobs.retain(|job| job.unit.key.source != id);
        state.pending.retain(|key| key.source != id);
        let mut freed = 0;
        state.order.retain(|key| {
            if key.source == id
                && let Taken::Piece(piece) = shelves.take(*key, false)
            {
                freed += piece.cost();
            }
            key.source != id
        });
        state.bytes -= freed;
        if state.order.is_empty() {
            state.limit = self.shared.capacity.min(MODEST);
            state.gone = Gone::default();
        }
    }
}

impl Drop for BlockCache {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockCache({} bytes)", self.shared.capacity)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decodes a unit that is pending, keeps it, and wakes who waits. `promised` bytes are kept free for it.
    fn decode(&self, blocks: &dyn Blocks, unit: &Unit, promised: usize) -> io::Result<Arc<Piece>> {
        // Decoders of other crates meet hostile bytes here: one that panics must not leave waiting readers behind.
        let attempt = || {
            catch_unwind(AssertUnwindSafe(|| self.content(blocks, unit)))
                .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::InvalidData, "the decoder gave up")))
        };
        let result = match attempt() {
            // All that is kept goes for what is wanted now.
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                self.make_room(&mut self.lock(), self.capacity);
                attempt()
            }
            result => result,
        };
        let result = result.map(|content| Arc::new(Piece { start: unit.start, len: unit.len, content }));
        let mut state = self.lock();
        // Its source can be gone by now.
        let wanted = state.pending.remove(&unit.key);
        state.promised -= promised;
        if let Ok(piece) = &result
            && wanted
            && state.promised + piece.cost() <= state.limit
        {
            self.make_room(&mut state, piece.cost());
            state.bytes += piece.cost();
            state.order.push_back(unit.key);
            if let Some(other) = self.shelves.put(unit.key, Arc::clone(piece), promised > 0) {
                state.bytes -= other.cost();
            }
        }
        drop(state);
        self.decoded.notify_all();
        result
    }

    fn content(&self, blocks: &dyn Blocks, unit: &Unit) -> io::Result<Content> {
        let first = match unit.kind {
            Kind::Block { index, .. } => unit.block(index),
            Kind::Group { .. } => located(blocks, unit.start)?,
        };
        if let Kind::Group { .. } = unit.kind
            && let Some((source, at)) = blocks.stored_run(&first, unit.len)
        {
            return Ok(Content::Stored(source, at));
        }
        let room = || Room::new(self.slab.as_ref(), unit.len, unit.key.source);
        let mut bytes = room()?;
        match unit.kind {
            Kind::Block { .. } => blocks.decode(&first, &mut bytes)?,
            // What has been decoded by itself need not be decoded again.
            Kind::Group { .. } if unit.relatives().any(|key| self.shelves.has(key)) => {
                each_block(blocks, unit.start, &mut bytes, |block, out| {
                    let piece = self.shelves.find(Key::block(unit.key.source, block.index));
                    match piece.as_deref() {
                        Some(Piece { content: Content::Decoded(bytes, None), .. }) if bytes.len() == out.len() => {
                            out.copy_from_slice(bytes);
                            Ok(())
                        }
                        _ => blocks.decode(&block, out),
                    }
                })?;
            }
            Kind::Group { .. } => blocks.decode_run(&first, &mut bytes)?,
        }
        let Kind::Group { frames: Some(frames), .. } = unit.kind else { return Ok(Content::Decoded(bytes, None)) };
        let mut arranged = room()?;
        frames.arrange(&bytes, &mut arranged);
        Ok(Content::Decoded(arranged, Some(frames)))
    }

    /// Drops pieces until `len` more bytes fit, or none is left: the oldest that has not been used since it came or was last spared.
    fn make_room(&self, state: &mut State, len: usize) {
        let mut spared = 0;
        while state.bytes + state.promised + len > state.limit {
            // After many that are used the first of them goes: what follows them may be what was decoded ahead and is wanted next.
            let all_are_used = spared == MOST_SPARED;
            let next = if all_are_used { state.order.len() - spared } else { 0 };
            let Some(key) = state.order.remove(next) else { break };
            match self.shelves.take(key, !all_are_used) {
                Taken::Missing => {}
                Taken::Spared => {
                    spared += 1;
                    state.order.push_back(key);
                }
                Taken::Piece(piece) => {
                    spared -= usize::from(all_are_used);
                    state.bytes -= piece.cost();
                    if state.limit < self.capacity {
                        state.gone.add(key, self.capacity / GROUP);
                    }
                }
            }
        }
    }

    /// A thread's life: jobs until the cache is gone.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            if let Some(Job { unit, blocks }) = state.jobs.pop_front() {
                drop(state);
                // Nobody waits for a piece read ahead: its reader will meet the error itself.
                let _ = self.decode(&*blocks, &unit, unit.len);
                drop(blocks);
                state = self.lock();
            } else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
