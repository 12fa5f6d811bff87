//! The device behind the rings: what one connection of a front-end talks to.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use log::{debug, error, warn};
use vhost::vhost_user::VhostUserProtocolFeatures;
use vhost::vhost_user::message::VhostUserVirtioFeatures;
use vhost_user_backend::{ShutdownHandle, VhostUserBackend};
use virtio_bindings::bindings::virtio_config::{VIRTIO_F_ANY_LAYOUT, VIRTIO_F_NOTIFY_ON_EMPTY, VIRTIO_F_VERSION_1};
use virtio_bindings::bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::ending::Awaited;
use super::events::EventQueue;
use super::ring::Ring;
use crate::scsi::{Delay, Nexus, Note, Reset, Target};
use crate::sys;
use crate::sys::dirty::{self, DirtyBitmap, Going};
use crate::sys::memory::GuestMemory;
use crate::virtio::wire;

mod end;
mod memory;
mod queues;

pub(super) use self::memory::MemoryNow;

/// Rings that the back-end crate can address: the control and the event queue, and 62 request queues.
pub const QUEUES: usize = 64;
/// The largest ring that QEMU offers (`VIRTQUEUE_MAX_SIZE`).
const MAX_QUEUE_SIZE: usize = 1024;
/// Most request queues that are served at the same time.
const MOST_WORKERS: usize = 4;

/// How long a worker polls busy rings before it looks for other events.
const LONGEST_POLL: Duration = Duration::from_millis(10);

pub(super) const CONTROL_QUEUE: u64 = 0;
const EVENT_QUEUE: u64 = 1;
const REQUEST_QUEUES: Range<usize> = 2..QUEUES;
/// The worker of the control and the event queue.
pub(super) const CONTROL_WORKER: usize = 0;
/// What `handle_event` is given for our own event descriptor: above every ring and the crate's exit event.
pub const EVENT_READY: u64 = QUEUES as u64 + 1;
/// The same for the descriptor that says that a delay of one of the worker's rings is over, or that one has more chains.
pub const LOOK_AGAIN: u64 = QUEUES as u64 + 2;
/// The same for the descriptor that says that the guest's memory is gone.
pub const MEMORY_GONE: u64 = QUEUES as u64 + 3;

/// One connection's device.
pub struct Backend {
    pub(super) target: Arc<Target>,
    pub(super) nexus: Nexus,
    /// The guest's memory, once it is watched: nothing here touches any that is not.
    pub(super) memory: GuestMemoryAtomic<GuestMemory>,
    /// Where its pages were marked last.
    log: Mutex<Option<Going>>,
    /// How often that was replaced.
    memory_changes: AtomicU64,
    /// A ring was looked at while it lay in none: QEMU takes a region away before it gives it back changed, and nobody kicks again then.
    without_memory: AtomicBool,
    /// Readable once some of it is gone.
    memory_gone: Arc<EventFd>,
    /// Ends the connection.
    connection: OnceLock<ShutdownHandle>,
    /// It is to end, or has ended: nobody waits for what its workers do.
    over: AtomicBool,
    /// The workers that have seen that, one bit each. They return no chain any more.
    quiet: AtomicU64,
    /// What each worker waits on: readable while there is something for it to do.
    workers_events: OnceLock<Vec<RawFd>>,
    events: Arc<EventQueue>,
    features: AtomicU64,
    /// How long a worker looks at its empty rings again before it waits for a kick.
    poll: Duration,
    /// Rings that each worker was kicked for, by index within it.
    kicked: Vec<AtomicU64>,
    /// A guest that breaks the rules is named once; it could fill the log otherwise.
    complained: AtomicBool,
    /// Rings whose next chain waits, by worker and index within it: the chain's position and what it waits for.
    held: Mutex<HashMap<(usize, usize), (u16, Delay)>>,
    /// The task management function that waits until the workers have ended what it ends.
    pub(super) ending: Mutex<Option<Awaited>>,
    /// The workers that have not gone over their rings for it, one bit each. Written with that locked.
    pub(super) to_end: AtomicU64,
    /// For each worker what has it look again, and the rings that have more chains than were served at a time, by index within it.
    wakers: Vec<Arc<EventFd>>,
    again: Vec<AtomicU64>,
    /// What the process before this one kept of its answers; each is good for the first look at its ring.
    notes: Mutex<Vec<Note>>,
    resuming: AtomicBool,
    /// What ends each worker, until the crate takes it: one that could be had only later would leave a worker that never ends.
    exits: Mutex<Vec<(EventConsumer, EventNotifier)>>,
    /// Descriptors that the crate gives up without closing them, when its workers start.
    exit_descriptors: Mutex<Vec<RawFd>>,
}

impl Backend {
    /// A device for one connection.
    ///
    /// # Errors
    /// When there is no descriptor left.
    pub fn new(target: Arc<Target>, nexus: Nexus, events: Arc<EventQueue>, poll: Duration) -> io::Result<Self> {
        let waker = |_| EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC).map(Arc::new);
        let exit = |_| new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC);
        let numbers = || (0..=workers()).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            target,
            nexus,
            memory: GuestMemoryAtomic::new(GuestMemory::new()),
            log: Mutex::default(),
            memory_changes: AtomicU64::new(0),
            without_memory: AtomicBool::new(false),
            memory_gone: Arc::new(EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)?),
            connection: OnceLock::new(),
            over: AtomicBool::new(false),
            quiet: AtomicU64::new(0),
            workers_events: OnceLock::new(),
            events,
            features: AtomicU64::new(0),
            poll,
            kicked: numbers(),
            complained: AtomicBool::new(false),
            resuming: AtomicBool::new(false),
            notes: Mutex::default(),
            held: Mutex::default(),
            ending: Mutex::default(),
            to_end: AtomicU64::new(0),
            wakers: (0..=workers()).map(waker).collect::<io::Result<_>>()?,
            again: numbers(),
            exits: Mutex::new((0..=workers()).map(exit).collect::<io::Result<_>>()?),
            exit_descriptors: Mutex::default(),
        })
    }

    /// The same device, going on where a process ended that kept these notes.
    #[must_use]
    pub fn resuming(self, notes: Vec<Note>) -> Self {
        Self { resuming: AtomicBool::new(!notes.is_empty()), notes: Mutex::new(notes), ..self }
    }

    /// Whether a driver is at the other end, or was: somebody who has looked whether anybody listens is none.
    pub fn is_driven(&self) -> bool {
        self.features.load(Ordering::Relaxed) != 0
    }

    /// The descriptor of each worker, in order, that becomes readable when it must look again.
    pub fn wake_descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.wakers.iter().map(|waker| waker.as_raw_fd())
    }

    /// The descriptor that becomes readable when the guest's memory is gone.
    pub fn memory_descriptor(&self) -> RawFd {
        self.memory_gone.as_raw_fd()
    }

    /// What the workers, in order, wait on. It lives as long as they do.
    pub fn waits_on(&self, descriptors: Vec<RawFd>) {
        // Set once for a connection, before a ring is served.
        let _ = self.workers_events.set(descriptors);
    }

    /// What a worker waits on.
    pub(super) fn events_of(&self, worker: usize) -> Option<RawFd> {
        self.workers_events.get()?.get(worker).copied()
    }

    /// The descriptors of the workers' exit events. vhost-user-backend 0.24 takes them out of their owner
    /// (`into_raw_fd`) and never closes them: whoever ends the workers must, or each connection costs some.
    pub fn take_exit_descriptors(&self) -> Vec<OwnedFd> {
        sys::file::owned(std::mem::take(&mut self.exit_descriptors.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Says in the log who broke which rule.
    pub(super) fn complain(&self, what: &str) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            warn!("{what}; further faults of this connection are not logged");
        }
    }
}

/// Workers of the request queues. The same for the life of the process, whatever becomes of the processors that it may use: whose ring is
/// whose is known by it.
pub(super) fn workers() -> usize {
    static WORKERS: LazyLock<usize> =
        LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS));
    *WORKERS
}

impl VhostUserBackend for Backend {
    type Bitmap = DirtyBitmap;
    type Vring = Ring;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        MAX_QUEUE_SIZE
    }

    /// Every bit that QEMU may let a driver have without asking: one that is missing here ends QEMU when a driver
    /// takes it.
    fn features(&self) -> u64 {
        1 << VIRTIO_F_VERSION_1
            | 1 << VIRTIO_F_ANY_LAYOUT
            | 1 << VIRTIO_F_NOTIFY_ON_EMPTY
            | 1 << VIRTIO_RING_F_INDIRECT_DESC
            | 1 << VIRTIO_RING_F_EVENT_IDX
            | wire::feature::INOUT
            | wire::feature::HOTPLUG
            | wire::feature::CHANGE
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
            | VhostUserVirtioFeatures::LOG_ALL.bits()
    }

    fn acked_features(&self, features: u64) {
        debug!("the front-end acknowledged features {features:#x}");
        self.features.store(features, Ordering::Relaxed);
        // A migration that was called off, or that begins: the crate leaves it at that a log was given once.
        dirty::log(&self.memory.memory(), features & VhostUserVirtioFeatures::LOG_ALL.bits() != 0);
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK
            | VhostUserProtocolFeatures::LOG_SHMFD
            | VhostUserProtocolFeatures::CONFIGURE_MEM_SLOTS
            | VhostUserProtocolFeatures::RESET_DEVICE
    }

    /// The machine was reset: as after power-on, no lock holds and every nexus is told.
    fn reset_device(&self) {
        debug!("device reset");
        self.forget_held(|_| true);
        self.forget_ending();
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.target.reset_all(Reset::PowerOn);
        self.events.clear();
    }

    /// A ring that stops has nothing under way: what it goes on with, after a reset another driver's, waits for its own sake.
    fn stop_vring(&self, index: u32) -> io::Result<()> {
        self.forget_held(|ring| u32::from(ring) == index);
        if u64::from(index) == CONTROL_QUEUE {
            self.forget_ending();
        }
        Ok(())
    }

    fn set_event_idx(&self, _enabled: bool) {
        // The crate has told the rings already.
    }

    /// An error has the crate hang up at once.
    fn update_memory(&self, memory: GuestMemoryAtomic<GuestMemory>) -> io::Result<()> {
        self.replace_memory(&memory.memory()).inspect_err(|_| self.come_to_rest())
    }

    /// The control and event queue on one worker, the request queues dealt out over the others: their number follows
    /// the processors, not the rings.
    fn queues_per_thread(&self) -> Vec<u64> {
        let workers = workers();
        let mut masks = vec![0; 1 + workers];
        masks[CONTROL_WORKER] = 1 << CONTROL_QUEUE | 1 << EVENT_QUEUE;
        for (index, queue) in REQUEST_QUEUES.enumerate() {
            masks[1 + index % workers] |= 1 << queue;
        }
        masks
    }

    fn exit_event(&self, _worker: usize) -> Option<(EventConsumer, EventNotifier)> {
        let (consumer, notifier) = self.exits.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        self.exit_descriptors.lock().unwrap_or_else(PoisonError::into_inner).push(consumer.as_raw_fd());
        Some((consumer, notifier))
    }

    /// Called for a kick of a ring, or when one was enabled: a kick that came while it was not is not lost. `index`
    /// counts within the worker. An error would end the worker, so there is none.
    fn handle_event(&self, index: u16, _events: EventSet, vrings: &[Ring], worker: usize) -> io::Result<()> {
        if self.over.load(Ordering::SeqCst) {
            self.rest(worker);
            return Ok(());
        }
        if vrings.get(usize::from(index)).is_some_and(Ring::is_deaf) {
            self.end_connection();
        } else if catch_unwind(AssertUnwindSafe(|| self.event(index, vrings, worker))).is_err() {
            // A worker that is gone would leave its rings unanswered for ever, and nobody would be told.
            error!("a command met a defect of spindled; the connection of its machine ends, drives go on");
            self.end_connection();
        }
        // Now: what was to wake this worker may have been read for what it just did, and one that met a defect does not live to see
        // the next kick of that ring, whose lock is poisoned.
        if self.over.load(Ordering::SeqCst) {
            self.rest(worker);
        }
        Ok(())
    }
}

impl Backend {
    /// What [`handle_event`](VhostUserBackend::handle_event) is called for.
    fn event(&self, index: u16, vrings: &[Ring], worker: usize) {
        let own_event = worker == CONTROL_WORKER && u64::from(index) == EVENT_READY;
        if own_event {
            self.events.acknowledge();
        }
        if worker != CONTROL_WORKER
            && let Some(vring) = vrings.get(usize::from(index))
        {
            self.resume_first(vring, worker, usize::from(index));
        }
        match (worker, u64::from(index)) {
            (CONTROL_WORKER, CONTROL_QUEUE) => {
                if let Some(vring) = vrings.first() {
                    self.serve_control(vring);
                }
            }
            (CONTROL_WORKER, EVENT_QUEUE | EVENT_READY) => {
                if let Some(vring) = vrings.get(EVENT_QUEUE as usize) {
                    self.deliver_events(vring);
                }
            }
            (CONTROL_WORKER, MEMORY_GONE) => {
                let _ = self.memory_gone.read();
                warn!(
                    "memory that the front-end shares is gone (its file is shorter than it said); the connection ends"
                );
                self.end_connection();
            }
            (_, LOOK_AGAIN) => {
                let released = self.released(worker);
                if worker != CONTROL_WORKER {
                    self.end_tasks(vrings, worker);
                }
                for index in released {
                    match vrings.get(index) {
                        Some(vring) if worker != CONTROL_WORKER => {
                            self.resume_first(vring, worker, index);
                            self.serve_requests(vring, worker, index);
                        }
                        Some(vring) if index == CONTROL_QUEUE as usize => self.serve_control(vring),
                        Some(vring) => self.deliver_events(vring),
                        None => {}
                    }
                }
            }
            // First what a function waits for, which has woken this worker: a kick may have come before that.
            _ if self.is_to_end_tasks(worker) && usize::from(index) < vrings.len() => {
                self.look_again(worker, usize::from(index));
            }
            _ if !self.poll.is_zero() && usize::from(index) < vrings.len() => {
                self.poll_requests(vrings, worker, usize::from(index));
            }
            _ => {
                if let Some(vring) = vrings.get(usize::from(index)) {
                    self.serve_requests(vring, worker, usize::from(index));
                }
            }
        }
    }
}
