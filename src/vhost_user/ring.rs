//! A virtqueue of the connection, as the back-end crate wants one.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{debug, warn};
use rustix::fs::FileType;
use vhost_user_backend::{VringMutex, VringState, VringStateGuard, VringStateMutGuard, VringT};
use virtio_queue::{Error, QueueT};
use vm_memory::GuestMemoryAtomic;

use super::descriptor::look_at;
use super::pace::Pace;
use crate::sys::memory::GuestMemory;

type Memory = GuestMemoryAtomic<GuestMemory>;
type Inner = VringMutex<Memory>;

/// The crate's own ring behind its lock, except for four things. A ring that starts, or whose call descriptor changes while it is served,
/// calls at once.
///
/// One that starts may go on where a daemon ended that had finished a request and could not announce it any more.
///
/// QEMU changes it when the guest masks or unmasks the ring's interrupt, and looks only once, right after the message is sent, whether
/// the old descriptor was called. A request that is finished between that look and the message's arrival would be announced
/// through a descriptor that nobody reads any more, and the guest would wait for it until its own time-out. A call without
/// news is harmless: drivers look at the used ring and find nothing.
///
/// A ring that is served keeps its place when the front-end names its addresses again, as QEMU does when a migration begins.
///
/// And no descriptor of the front-end's makes a thread wait: a worker that did would hold the ring's lock, and the end of the
/// connection would wait for it. One that cannot be read at all is no event descriptor; the crate would end its worker, with all
/// of that worker's rings, and tell nobody.
#[derive(Clone)]
pub struct Ring {
    inner: Inner,
    pace: Arc<Mutex<Pace>>,
    deaf: Arc<AtomicBool>,
    /// How many wait for its lock who are not its worker.
    waiting: Arc<AtomicU32>,
}

/// A front-end's descriptor that is only read and written when that can be done at once. Files and devices are none: what they do
/// is up to whose file system or driver it is.
fn never_waits(file: Option<File>) -> Option<File> {
    file.filter(|file| match look_at(file).map(|found| found.kind) {
        // An eventfd has no type.
        Ok(FileType::Unknown | FileType::Fifo | FileType::Socket) => rustix::io::ioctl_fionbio(file, true).is_ok(),
        found => {
            warn!("a descriptor of the front-end is left out: it is no eventfd, pipe or socket ({found:?})");
            false
        }
    })
}

/// Whether chains may be taken from it now.
pub(super) fn is_served(state: &VringState<Memory>) -> bool {
    state.is_enabled() && state.get_queue().ready()
}

impl<'a> VringStateGuard<'a, Memory> for Ring {
    type G = MutexGuard<'a, VringState<Memory>>;
}

impl<'a> VringStateMutGuard<'a, Memory> for Ring {
    type G = MutexGuard<'a, VringState<Memory>>;
}

impl Ring {
    /// What its driver was seen to do. Whoever serves the ring holds its lock already.
    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the front-end waits for it: a command that takes long gives way then, or the machine's monitor would wait for its end.
    pub(super) fn is_wanted(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Does for the front-end what takes the lock.
    fn wanted<'r, R>(&'r self, change: impl FnOnce(&'r Inner) -> R) -> R {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let result = change(&self.inner);
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Whether its kick descriptor is none: what was read from it was an error, or its end.
    pub(super) fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Relaxed)
    }

    fn call_if_ready(&self) {
        self.wanted(|ring| {
            let state = ring.get_ref();
            if state.get_queue().ready()
                && let Err(error) = state.signal_used_queue()
            {
                debug!("a call descriptor cannot be written: {error}");
            }
        });
    }
}

impl VringT<Memory> for Ring {
    fn new(memory: Memory, max_queue_size: u16) -> Result<Self, Error> {
        Inner::new(memory, max_queue_size).map(|inner| Self {
            inner,
            pace: Arc::default(),
            deaf: Arc::default(),
            waiting: Arc::default(),
        })
    }

    fn get_ref(&self) -> MutexGuard<'_, VringState<Memory>> {
        self.wanted(VringT::get_ref)
    }

    fn get_mut(&self) -> MutexGuard<'_, VringState<Memory>> {
        self.inner.get_mut()
    }

    fn set_call(&self, file: Option<File>) {
        self.wanted(|ring| ring.set_call(never_waits(file)));
        self.call_if_ready();
    }

    fn add_used(&self, desc_index: u16, len: u32) -> Result<(), Error> {
        self.inner.add_used(desc_index, len)
    }

    fn signal_used_queue(&self) -> io::Result<()> {
        self.inner.signal_used_queue()
    }

    fn enable_notification(&self) -> Result<bool, Error> {
        self.inner.enable_notification()
    }

    fn disable_notification(&self) -> Result<(), Error> {
        self.inner.disable_notification()
    }

    fn needs_notification(&self) -> Result<bool, Error> {
        self.inner.needs_notification()
    }

    fn set_enabled(&self, enabled: bool) {
        self.wanted(|ring| ring.set_enabled(enabled));
    }

    fn set_queue_info(&self, desc_table: u64, avail_ring: u64, used_ring: u64) -> Result<(), Error> {
        self.wanted(|ring| ring.set_queue_info(desc_table, avail_ring, used_ring))
    }

    fn queue_next_avail(&self) -> u16 {
        self.wanted(|ring| ring.queue_next_avail())
    }

    fn set_queue_next_avail(&self, base: u16) {
        self.wanted(|ring| ring.set_queue_next_avail(base));
    }

    /// The crate gives a ring the used index that it has just read from memory, with every address: also while the ring is
    /// served, when the index has moved on since.
    fn set_queue_next_used(&self, idx: u16) {
        self.wanted(|ring| {
            let mut state = ring.get_mut();
            if !is_served(&state) {
                state.get_queue_mut().set_next_used(idx);
            }
        });
    }

    fn queue_used_idx(&self) -> Result<u16, Error> {
        self.wanted(|ring| ring.queue_used_idx())
    }

    fn set_queue_size(&self, num: u16) {
        self.wanted(|ring| ring.set_queue_size(num));
    }

    fn set_queue_event_idx(&self, enabled: bool) {
        self.wanted(|ring| ring.set_queue_event_idx(enabled));
    }

    fn set_queue_ready(&self, ready: bool) {
        self.wanted(|ring| ring.set_queue_ready(ready));
        // Another driver may come.
        *self.pace() = Pace::default();
        self.call_if_ready();
    }

    fn set_kick(&self, file: Option<File>) {
        self.wanted(|ring| ring.set_kick(never_waits(file)));
    }

    fn read_kick(&self) -> io::Result<bool> {
        match self.inner.read_kick() {
            // Somebody else has read it since: it was a kick all the same.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(self.inner.get_ref().is_enabled()),
            Err(error) => {
                if !self.deaf.swap(true, Ordering::Relaxed) {
                    warn!("the connection ends: a kick descriptor of the front-end cannot be read: {error}");
                }
                Ok(true)
            }
            Ok(enabled) => Ok(enabled),
        }
    }

    fn set_err(&self, file: Option<File>) {
        self.wanted(|ring| ring.set_err(file));
    }
}
