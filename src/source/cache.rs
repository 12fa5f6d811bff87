//! The cache of decoded blocks that all compressed images share, and the threads that decode ahead.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::blocks::{Block, Blocks};

/// Bytes that the cache holds unless told otherwise.
pub const DEFAULT_CACHE: usize = 64 << 20;
/// Threads that decode ahead, at most.
const MOST_WORKERS: usize = 4;
/// How far ahead blocks are decoded, in bytes, where the cache is large enough.
const AHEAD: usize = 4 << 20;

/// Decoded blocks, up to a number of bytes; the least recently used ones give way.
///
/// No block is decoded twice at the same time: who comes second waits. A block that failed is not remembered: the next
/// reader tries again. Threads start with the first read-ahead, sleep when there is nothing to do, and end with the cache.
///
/// What is kept and what is decoded ahead is never more than the capacity; beside it are the blocks that readers have in their
/// hands at that moment, one each.
pub struct BlockCache {
    shared: Arc<Shared>,
    workers: AtomicUsize,
}

struct Shared {
    capacity: usize,
    state: Mutex<State>,
    /// A block has been decoded, or failed.
    decoded: Condvar,
    /// There is a job, or the cache is gone.
    work: Condvar,
}

type Key = (u64, u64);
/// Decoded bytes. A vector, so that they need not be copied once they are there.
type Bytes = Arc<Vec<u8>>;

#[derive(Default)]
struct State {
    slots: HashMap<Key, Slot>,
    /// Keys in the order of their use, with the tick of that use; outdated entries are skipped.
    used: VecDeque<(Key, u64)>,
    tick: u64,
    /// Bytes of the blocks that are ready.
    bytes: usize,
    /// Bytes of the blocks that are, or will be, decoded ahead: room that is kept free for them.
    promised: usize,
    jobs: VecDeque<(Key, Arc<dyn Blocks>, Block)>,
    /// Threads that have been started.
    running: usize,
    closed: bool,
}

enum Slot {
    /// Somebody decodes it.
    Pending,
    Ready {
        bytes: Bytes,
        used: u64,
    },
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
        let shared = Shared { capacity, state: Mutex::default(), decoded: Condvar::new(), work: Condvar::new() };
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

    /// The decoded bytes of `block` of the source `id`.
    ///
    /// # Errors
    /// What decoding reports; a decoder that panics is `InvalidData`.
    pub(super) fn get(&self, id: u64, blocks: &Arc<dyn Blocks>, block: &Block) -> io::Result<Bytes> {
        let key = (id, block.index);
        let mut state = self.shared.lock();
        loop {
            match state.find(key) {
                Some(Some(bytes)) => return Ok(bytes),
                Some(None) => {
                    // A job that no thread has taken yet is quicker done here.
                    if let Some(at) = state.jobs.iter().position(|job| job.0 == key) {
                        let job = state.jobs.remove(at);
                        state.promised -= job.map_or(0, |job| job.2.len as usize);
                        break;
                    }
                    state = self.shared.decoded.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    state.slots.insert(key, Slot::Pending);
                    break;
                }
            }
        }
        drop(state);
        self.shared.decode(key, &**blocks, block, 0)
    }

    /// The decoded bytes of block `index` of the source `id`, if they are there.
    pub(super) fn ready(&self, id: u64, index: u64) -> Option<Bytes> {
        self.shared.lock().find((id, index)).flatten()
    }

    /// Whether the block is there, or on its way.
    pub(super) fn knows(&self, id: u64, index: u64) -> bool {
        self.shared.lock().slots.contains_key(&(id, index))
    }

    /// Has `block` decoded by another thread, unless it is there or on its way. False when there is no room for it now.
    pub(super) fn prefetch(&self, id: u64, blocks: &Arc<dyn Blocks>, block: Block) -> bool {
        let key = (id, block.index);
        let len = block.len as usize;
        let mut state = self.shared.lock();
        // Half of the room is left to what has been read already.
        if state.slots.contains_key(&key) {
            return true;
        }
        if self.workers() == 0 || state.promised + len > self.shared.capacity / 2 {
            return false;
        }
        state.slots.insert(key, Slot::Pending);
        state.promised += len;
        state.make_room(0, self.shared.capacity);
        state.jobs.push_back((key, Arc::clone(blocks), block));
        if state.running < self.workers() {
            state.running += 1;
            let shared = Arc::clone(&self.shared);
            let spawned = thread::Builder::new().name("decode".to_owned()).spawn(move || shared.work());
            if spawned.is_err() {
                // Without a thread the readers decode for themselves.
                state.running -= 1;
                state.jobs.pop_back();
                state.promised -= len;
                state.slots.remove(&key);
                return false;
            }
        } else {
            self.shared.work.notify_one();
        }
        true
    }

    /// How many blocks of `len` bytes to decode ahead.
    pub(super) fn ahead(&self, len: u32) -> usize {
        if self.workers() == 0 {
            return 0;
        }
        let bytes = AHEAD.min(self.shared.capacity / 4);
        let len = (len as usize).max(1);
        if len > self.shared.capacity / 4 { 0 } else { (bytes / len).clamp(1, 256) }
    }

    /// Drops what is kept of the source `id`.
    pub(super) fn forget(&self, id: u64) {
        let mut state = self.shared.lock();
        let waiting = state.jobs.iter().filter(|job| job.0.0 == id).map(|job| job.2.len as usize);
        state.promised -= waiting.sum::<usize>();
        state.jobs.retain(|job| job.0.0 != id);
        let mut freed = 0;
        state.slots.retain(|key, slot| {
            if let Slot::Ready { bytes, .. } = slot
                && key.0 == id
            {
                freed += bytes.len();
            }
            key.0 != id
        });
        state.bytes -= freed;
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

    /// Decodes a block whose slot is pending, keeps it, and wakes who waits. `promised` bytes are kept free for it.
    fn decode(&self, key: Key, blocks: &dyn Blocks, block: &Block, promised: usize) -> io::Result<Bytes> {
        let mut bytes = vec![0; block.len as usize];
        // Decoders of other crates meet hostile bytes here: one that panics must not leave waiting readers behind.
        let result = catch_unwind(AssertUnwindSafe(|| blocks.decode(block, &mut bytes)))
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::InvalidData, "the decoder gave up")));
        let result = result.map(|()| Arc::new(bytes));
        let mut state = self.lock();
        // Its source can be gone by now.
        let wanted = state.slots.remove(&key).is_some();
        state.promised -= promised;
        if let Ok(bytes) = &result
            && wanted
        {
            state.keep(key, Arc::clone(bytes), self.capacity);
        }
        drop(state);
        self.decoded.notify_all();
        result
    }

    /// A thread's life: jobs until the cache is gone.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if state.closed {
                return;
            }
            if let Some((key, blocks, block)) = state.jobs.pop_front() {
                drop(state);
                // Nobody waits for a block read ahead: its reader will meet the error itself.
                let _ = self.decode(key, &*blocks, &block, block.len as usize);
                drop(blocks);
                state = self.lock();
            } else {
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

impl State {
    /// Nothing for a block that nobody knows; `Some(None)` for one that is on its way.
    fn find(&mut self, key: Key) -> Option<Option<Bytes>> {
        self.tick += 1;
        let tick = self.tick;
        match self.slots.get_mut(&key)? {
            Slot::Pending => Some(None),
            Slot::Ready { bytes, used } => {
                let bytes = Arc::clone(bytes);
                *used = tick;
                self.note_use(key, tick);
                Some(Some(bytes))
            }
        }
    }

    fn keep(&mut self, key: Key, bytes: Bytes, capacity: usize) {
        if self.promised + bytes.len() > capacity {
            return;
        }
        self.make_room(bytes.len(), capacity);
        self.tick += 1;
        let used = self.tick;
        self.bytes += bytes.len();
        self.slots.insert(key, Slot::Ready { bytes, used });
        self.note_use(key, used);
    }

    /// Drops the blocks that have not been used for longest until `len` more bytes fit, or none is left.
    fn make_room(&mut self, len: usize, capacity: usize) {
        while self.bytes + self.promised + len > capacity {
            let Some((oldest, tick)) = self.used.pop_front() else { break };
            if self.is_latest_use(oldest, tick)
                && let Some(Slot::Ready { bytes, .. }) = self.slots.remove(&oldest)
            {
                self.bytes -= bytes.len();
            }
        }
    }

    fn is_latest_use(&self, key: Key, tick: u64) -> bool {
        matches!(self.slots.get(&key), Some(Slot::Ready { used, .. }) if *used == tick)
    }

    fn note_use(&mut self, key: Key, tick: u64) {
        self.used.push_back((key, tick));
        // Outdated entries are most of the queue by then: each is dropped once, so the cost per use is constant.
        if self.used.len() > 64 + 4 * self.slots.len() {
            let mut used = std::mem::take(&mut self.used);
            used.retain(|&(key, tick)| self.is_latest_use(key, tick));
            self.used = used;
        }
    }
}
