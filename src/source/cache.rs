//! The cache of decoded blocks that all compressed images share, and the threads that decode ahead.
//!
//! What is there is found on the shelves, without the lock of what is being decoded. Only who finds nothing takes that one.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::blocks::{Blocks, each_block, located};
use super::ledger::{Job, Ledger};
use super::room::Room;
use super::shelf::{Content, Key, Piece, Shelves};
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
pub(super) const GROUP: usize = 64 << 10;
/// Slots beside those of the capacity, for what is being decoded or read.
const IN_HANDS: usize = 16;

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
    ledger: Mutex<Ledger>,
    /// A piece has been decoded, or failed.
    decoded: Condvar,
    /// There is a job, or the cache is gone.
    work: Condvar,
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
            ledger: Mutex::new(Ledger::new(capacity)),
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
        let mut ledger = self.shared.lock();
        loop {
            let group = if let Kind::Block { group, .. } = unit.kind { group } else { None };
            if let Some(piece) = shelves.find(unit.key).or_else(|| shelves.find(group?)) {
                return Ok(piece);
            }
            let busy = ledger.pending.contains(&unit.key) || unit.relatives().any(|key| ledger.pending.contains(&key));
            if !busy {
                ledger.grow_for(unit);
                ledger.pending.insert(unit.key);
                break;
            }
            // A job that no thread has taken yet is quicker done here.
            let ours = |job: &Job| job.unit.key == unit.key || Some(job.unit.key) == group;
            if let Some(at) = ledger.jobs.iter().position(ours)
                && let Some(job) = ledger.jobs.remove(at)
            {
                ledger.promised -= job.unit.cost();
                drop(ledger);
                let result = self.shared.decode(&**blocks, &job.unit, 0);
                if result.is_ok() || job.unit.key == unit.key {
                    return result;
                }
                // One damaged block is no reason to keep another of its group back.
                ledger = self.shared.lock();
                continue;
            }
            if ledger.withdraw(unit) {
                continue;
            }
            // Somebody decodes it now. Who waits for a job instead may wait for ever: all threads can be held up by storage, or by
            // what this reader decodes itself.
            ledger = decoded.wait(ledger).unwrap_or_else(PoisonError::into_inner);
        }
        drop(ledger);
        self.shared.decode(&**blocks, unit, 0)
    }

    /// Has `unit` decoded by another thread, unless it is there or on its way. False when there is no room for it now.
    pub(super) fn prefetch(&self, blocks: &Arc<dyn Blocks>, unit: Unit) -> bool {
        if self.shared.shelves.has(unit.key) {
            return true;
        }
        let mut ledger = self.shared.lock();
        let known = self.shared.shelves.has(unit.key) || ledger.pending.contains(&unit.key);
        if known || unit.relatives().any(|key| ledger.pending.contains(&key)) {
            return true;
        }
        ledger.grow_for(&unit);
        if self.workers() == 0 || !ledger.add_job(unit, blocks, &self.shared.shelves) {
            return false;
        }
        if ledger.running < self.workers() {
            ledger.running += 1;
            let shared = Arc::clone(&self.shared);
            let spawned = thread::Builder::new().name("decode".to_owned()).spawn(move || shared.work());
            if spawned.is_err() {
                // Without a thread the readers decode for themselves.
                ledger.running -= 1;
                ledger.jobs.pop_back();
                ledger.promised -= unit.cost();
                ledger.pending.remove(&unit.key);
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
        self.shared.lock().forget(id, &self.shared.shelves);
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
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
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
                self.lock().make_room(self.capacity, &self.shelves);
                attempt()
            }
            result => result,
        };
        let result = result.map(|content| Arc::new(Piece { start: unit.start, len: unit.len, content }));
        let mut ledger = self.lock();
        // Its source can be gone by now.
        let wanted = ledger.pending.remove(&unit.key);
        ledger.promised -= promised;
        if let Ok(piece) = &result
            && wanted
            && ledger.promised + piece.cost() <= ledger.limit
        {
            ledger.make_room(piece.cost(), &self.shelves);
            ledger.bytes += piece.cost();
            ledger.order.push_back(unit.key);
            if let Some(other) = self.shelves.put(unit.key, Arc::clone(piece), promised > 0) {
                ledger.bytes -= other.cost();
            }
        }
        drop(ledger);
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

    /// A thread's life: jobs until the cache is gone.
    fn work(&self) {
        let mut ledger = self.lock();
        loop {
            if ledger.closed {
                return;
            }
            if let Some(Job { unit, blocks }) = ledger.jobs.pop_front() {
                drop(ledger);
                // Nobody waits for a piece read ahead: its reader will meet the error itself.
                let _ = self.decode(&*blocks, &unit, unit.cost());
                drop(blocks);
                ledger = self.lock();
            } else {
                ledger = self.work.wait(ledger).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}
