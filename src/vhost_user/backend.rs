//! The device behind the rings: what one connection of a front-end talks to.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use log::{debug, warn};
use vhost::vhost_user::VhostUserProtocolFeatures;
use vhost::vhost_user::message::VhostUserVirtioFeatures;
use vhost_user_backend::{ShutdownHandle, VhostUserBackend, VringT};
use virtio_bindings::bindings::virtio_config::{VIRTIO_F_ANY_LAYOUT, VIRTIO_F_NOTIFY_ON_EMPTY, VIRTIO_F_VERSION_1};
use virtio_bindings::bindings::virtio_ring::{VIRTIO_RING_F_EVENT_IDX, VIRTIO_RING_F_INDIRECT_DESC};
use virtio_queue::QueueT;
use vm_memory::{GuestAddressSpace, GuestMemoryAtomic};
use vmm_sys_util::epoll::EventSet;
use vmm_sys_util::event::{EventConsumer, EventFlag, EventNotifier, new_event_consumer_and_notifier};
use vmm_sys_util::eventfd::{EFD_CLOEXEC, EFD_NONBLOCK, EventFd};

use super::events::EventQueue;
use super::handlers::{Controls, Events, Requests, Resumed};
use super::ring::Ring;
use super::serve::{Look, Served};
use crate::scsi::{Delay, Nexus, Note, Reset, Target, Wake};
use crate::sys::memory::{DirtyBitmap, GuestMemory, watch};
use crate::virtio::chain::Chain;
use crate::virtio::{request, wire};

/// Rings that the back-end crate can address: the control and the event queue, and 62 request queues.
pub const QUEUES: usize = 64;
/// The largest ring that QEMU offers (`VIRTQUEUE_MAX_SIZE`).
const MAX_QUEUE_SIZE: usize = 1024;
/// Most request queues that are served at the same time.
const MOST_WORKERS: usize = 4;

/// How long a worker polls busy rings before it looks for other events.
const LONGEST_POLL: Duration = Duration::from_millis(10);

const CONTROL_QUEUE: u64 = 0;
const EVENT_QUEUE: u64 = 1;
const REQUEST_QUEUES: Range<usize> = 2..QUEUES;
/// The worker of the control and the event queue.
const CONTROL_WORKER: usize = 0;
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
    /// Readable once some of it is gone.
    memory_gone: Arc<EventFd>,
    /// Ends the connection.
    connection: OnceLock<ShutdownHandle>,
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
    /// For each worker what has it look again, and the rings that have more chains than were served at a time, by index within it.
    wakers: Vec<Arc<EventFd>>,
    again: Vec<AtomicU64>,
    /// What the process before this one kept of its answers; each is good for the first look at its ring.
    notes: Mutex<Vec<Note>>,
    resuming: AtomicBool,
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
        let numbers = || (0..=workers()).map(|_| AtomicU64::new(0)).collect();
        Ok(Self {
            target,
            nexus,
            memory: GuestMemoryAtomic::new(GuestMemory::new()),
            memory_gone: Arc::new(EventFd::new(EFD_NONBLOCK | EFD_CLOEXEC)?),
            connection: OnceLock::new(),
            events,
            features: AtomicU64::new(0),
            poll,
            kicked: numbers(),
            complained: AtomicBool::new(false),
            resuming: AtomicBool::new(false),
            notes: Mutex::default(),
            held: Mutex::default(),
            wakers: (0..=workers()).map(waker).collect::<io::Result<_>>()?,
            again: numbers(),
            exit_descriptors: Mutex::new(Vec::new()),
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

    /// What ends the connection when its front-end is at fault.
    pub fn ends_by(&self, connection: ShutdownHandle) {
        // Set once for a connection, and there is one.
        let _ = self.connection.set(connection);
    }

    /// The descriptors of the workers' exit events. vhost-user-backend 0.24 takes them out of their owner
    /// (`into_raw_fd`) and never closes them: whoever ends the workers must, or each connection costs some.
    pub fn take_exit_descriptors(&self) -> Vec<RawFd> {
        std::mem::take(&mut self.exit_descriptors.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves the control queue.
    fn serve_control(&self, vring: &Ring) {
        if self.serve(vring, &Controls(self)) == Served::Some {
            self.look_again(CONTROL_WORKER, CONTROL_QUEUE as usize);
        }
    }

    /// Serves one request queue.
    fn serve_requests(&self, vring: &Ring, worker: usize, index: usize) {
        if self.serve(vring, &self.requests(worker, index)) == Served::Some {
            self.look_again(worker, index);
        }
    }

    /// What one request queue holds.
    fn requests(&self, worker: usize, index: usize) -> Requests<'_> {
        Requests { backend: self, worker, index, slow: self.target.is_slow() }
    }

    /// Looks at the first chain of a ring after a restart: the process before this one may have carried out its command, and not
    /// have returned it.
    fn resume(&self, vring: &Ring, worker: usize, index: usize) {
        let mut state = vring.get_mut();
        if !state.is_enabled() || !state.get_queue().ready() {
            return;
        }
        let queue = Self::request_queue(worker, index);
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, others) = std::mem::take(&mut *notes).into_iter().partition::<Vec<_>, _>(|note| note.key == queue);
        self.resuming.store(!others.is_empty(), Ordering::Relaxed);
        *notes = others;
        drop(notes);
        let first = Resumed { requests: self.requests(worker, index), notes: own };
        let (served, _) = self.run(state.get_queue_mut(), 1, &mut None, &first);
        if served > 0 {
            // Fails only when the counter is full: then the guest has been told already.
            let _ = state.signal_used_queue();
        }
    }

    /// The ring that is `index` of a worker of request queues.
    pub(super) fn request_queue(worker: usize, index: usize) -> u16 {
        let (first, worker) = (REQUEST_QUEUES.start, worker - CONTROL_WORKER - 1);
        u16::try_from(first + worker + index * workers()).unwrap_or(u16::MAX)
    }

    /// Has a worker come back to a ring when its other rings have had their turn.
    fn look_again(&self, worker: usize, index: usize) {
        if let (Some(again), Some(waker)) = (self.again.get(worker), self.wakers.get(worker)) {
            again.fetch_or(1 << index, Ordering::Relaxed);
            // Fails only when the counter is full, and then the worker is awake anyway.
            let _ = waker.write(1);
        }
    }

    /// Serves the request queues of a worker for as long as they are not all empty for [`poll`](Self::poll); then the guest must
    /// kick again. A kick costs the guest and this side more than a request.
    fn poll_requests(&self, vrings: &[Ring], worker: usize, index: usize) {
        let bit = 1_u64 << index;
        let kicked = self.kicked.get(worker).map_or(bit, |kicked| kicked.fetch_or(bit, Ordering::Relaxed) | bit);
        let rings = || vrings.iter().enumerate().filter(|(index, _)| kicked >> index & 1 != 0);
        let start = Instant::now();
        let mut last = start;
        loop {
            let mut served = false;
            for (index, vring) in rings() {
                let look = self.look(vring, false, &self.requests(worker, index));
                served |= matches!(look, Look::More | Look::Empty { served: true });
            }
            let now = Instant::now();
            if served {
                last = now;
            } else if now - last >= self.poll {
                break;
            }
            // Whatever else the worker waits for has its turn.
            if now - start >= LONGEST_POLL {
                break;
            }
            std::hint::spin_loop();
        }
        rings().for_each(|(index, vring)| self.serve_requests(vring, worker, index));
    }

    /// Whether the chain at `position` of a ring must wait. Its unit is asked when the chain is seen first.
    pub(super) fn holds(&self, worker: usize, index: usize, position: u16, chain: &Chain<'_>) -> bool {
        let Some(waker) = self.wakers.get(worker).map(Arc::clone) else { return false };
        let mut held = self.held();
        match held.get(&(worker, index)) {
            Some((at, delay)) if *at == position && !delay.is_over() => return true,
            Some((at, _)) if *at == position => {
                held.remove(&(worker, index));
                return false;
            }
            _ => {}
        }
        // Fails only when the counter is full, and then the worker is awake anyway.
        let wake: Wake = Arc::new(move || drop(waker.write(1)));
        match request::delay(&self.target, self.nexus, chain, &wake) {
            Some(delay) => {
                held.insert((worker, index), (position, delay));
                true
            }
            None => false,
        }
    }

    /// The rings of a worker whose next chain has waited long enough, or that have more chains.
    fn released(&self, worker: usize) -> Vec<usize> {
        if let Some(waker) = self.wakers.get(worker) {
            // The count does not matter, and an empty one is no fault.
            let _ = waker.read();
        }
        let over = |(&(of, index), (_, delay)): (&(usize, usize), &(u16, Delay))| {
            (of == worker && delay.is_over()).then_some(index)
        };
        let again = self.again.get(worker).map_or(0, |again| again.swap(0, Ordering::Relaxed));
        let again = (0..QUEUES).filter(|index| again >> index & 1 != 0);
        self.held().iter().filter_map(over).chain(again).collect()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<(usize, usize), (u16, Delay)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts waiting events into the buffers that the guest left for them.
    fn deliver_events(&self, vring: &Ring) {
        let mut state = vring.get_mut();
        if self.features.load(Ordering::Relaxed) & wire::feature::CHANGE == 0 {
            self.events.clear();
            return;
        }
        let mut served = 0;
        if state.is_enabled() && state.get_queue().ready() {
            let events = Events { queue: &self.events, next: Cell::new(None) };
            (served, _) = self.run(state.get_queue_mut(), MAX_QUEUE_SIZE, &mut None, &events);
            if let Some(event) = events.next.take() {
                self.events.put_back(event);
            }
        }
        if served > 0 && self.wants_call(state.get_queue(), served) {
            let _ = state.signal_used_queue();
        }
        let _ = state.get_queue_mut().enable_notification(&*self.memory.memory());
    }

    pub(super) fn complain(&self, what: &str) {
        if !self.complained.swap(true, Ordering::Relaxed) {
            warn!("the guest gave {what}; further faults of this connection are not logged");
        }
    }
}

/// Workers of the request queues.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
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
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.target.reset_all(Reset::PowerOn);
        self.events.clear();
    }

    fn set_event_idx(&self, _enabled: bool) {
        // The crate has told the rings already.
    }

    fn update_memory(&self, memory: GuestMemoryAtomic<GuestMemory>) -> io::Result<()> {
        let now = memory.memory();
        watch(&now, &self.memory_gone);
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).replace((*now).clone());
        Ok(())
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
        let (consumer, notifier) = new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC).ok()?;
        self.exit_descriptors.lock().unwrap_or_else(PoisonError::into_inner).push(consumer.as_raw_fd());
        Some((consumer, notifier))
    }

    /// Called for a kick of a ring, or when one was enabled: a kick that came while it was not is not lost. `index`
    /// counts within the worker. An error would end the worker, so there is none.
    fn handle_event(&self, index: u16, _events: EventSet, vrings: &[Ring], worker: usize) -> io::Result<()> {
        let own_event = worker == CONTROL_WORKER && u64::from(index) == EVENT_READY;
        if own_event {
            self.events.acknowledge();
        }
        if self.resuming.load(Ordering::Relaxed)
            && worker != CONTROL_WORKER
            && let Some(vring) = vrings.get(usize::from(index))
        {
            self.resume(vring, worker, usize::from(index));
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
                // As long as it is not known how to end the connection, this comes again.
                if let Some(connection) = self.connection.get() {
                    let _ = self.memory_gone.read();
                    warn!(
                        "memory that the front-end shares is gone (its file is shorter than it said); the connection ends"
                    );
                    connection.shutdown();
                }
            }
            (_, LOOK_AGAIN) => {
                for index in self.released(worker) {
                    match vrings.get(index) {
                        Some(vring) if worker == CONTROL_WORKER => self.serve_control(vring),
                        Some(vring) => self.serve_requests(vring, worker, index),
                        None => {}
                    }
                }
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
        Ok(())
    }
}
