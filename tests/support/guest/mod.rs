//! A fake guest: a vhost-user front-end with its rings in shared memory, as QEMU and a driver together.

mod request;
mod ring;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vhost::vhost_user::message::VhostUserHeaderFlag;
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion};

pub use self::request::{Command, Layout, Pending, Reply, lun};
use self::ring::Ring;
pub use self::ring::{Descriptor, Piece, flags};

/// VIRTIO_F_VERSION_1, and what vhost-user adds to the bits of virtio.
const VERSION_1: u64 = 1 << 32;
const PROTOCOL_FEATURES: u64 = 1 << 30;
pub const EVENT_IDX: u64 = 1 << 29;
pub const INDIRECT: u64 = 1 << 28;
pub const CHANGE: u64 = 1 << 2;

pub const CONTROL: usize = 0;
pub const EVENTS: usize = 1;
/// The first request queue.
pub const REQUESTS: usize = 2;

/// The guest's memory: two regions that touch, so that a buffer may cross from one to the other. Rings are at the
/// start, buffers behind them.
const LOW: u64 = 0x40_0000;
const HIGH: u64 = 0x400_0000;
const RING_BYTES: u64 = 0x8000;
/// Buffers start just below the boundary.
const HEAP: u64 = LOW - 0x1005;
/// The end of the guest's memory, and an address far from it.
pub const END: u64 = HIGH;
pub const NOWHERE: u64 = 0x7000_0000;

/// What the driver asks for.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Driver features to take of those offered, besides VERSION_1.
    pub features: u64,
    pub request_queues: usize,
    pub ring_size: u16,
}

impl Default for Options {
    /// As Linux does.
    fn default() -> Self {
        Self { features: EVENT_IDX | INDIRECT | CHANGE, request_queues: 1, ring_size: 128 }
    }
}

pub struct Guest {
    pub frontend: Frontend,
    stream: UnixStream,
    memory: GuestMemoryMmap<()>,
    rings: Vec<Ring>,
    heap: u64,
    features: u64,
}

impl Guest {
    /// Connects, negotiates, and starts and enables every ring.
    pub fn connect(path: &Path, options: Options) -> Self {
        Self::over(UnixStream::connect(path).unwrap(), options)
    }

    /// As [`connect`](Self::connect), on a stream that is connected.
    pub fn over(stream: UnixStream, options: Options) -> Self {
        let mut guest = Self::negotiate(stream, options);
        for index in 0..guest.rings.len() {
            guest.start_ring(index, 0);
            guest.enable_ring(index, true);
        }
        guest
    }

    /// Connects and negotiates, and shares the memory; no ring is started.
    pub fn negotiate(stream: UnixStream, options: Options) -> Self {
        let count = REQUESTS + options.request_queues;
        let memory = memory();
        let frontend = handshake(&stream, options.features, count, &memory);
        let event_idx = options.features & EVENT_IDX != 0;
        let rings = (0..count as u64).map(|at| Ring::new(at * RING_BYTES, options.ring_size, event_idx)).collect();
        Self { frontend, stream, memory, rings, heap: HEAP, features: options.features }
    }

    /// Waits until the other end has hung up.
    pub fn wait_for_the_end(&mut self) {
        while self.stream.read(&mut [0]).unwrap() > 0 {}
    }

    /// Ends the connection, and nothing else: the memory stays as it is.
    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }

    /// Goes on with another back-end, as QEMU does after a lost connection: every ring at its used index.
    pub fn reconnect(&mut self, path: &Path) {
        self.reconnect_disabled(path);
        (0..self.rings.len()).for_each(|index| self.enable_ring(index, true));
    }

    /// The same, up to where no ring is served yet.
    pub fn reconnect_disabled(&mut self, path: &Path) {
        self.stream = UnixStream::connect(path).unwrap();
        self.frontend = handshake(&self.stream, self.features, self.rings.len(), &self.memory);
        for index in 0..self.rings.len() {
            let base = self.rings[index].used_index(&self.memory);
            self.start_ring(index, base);
        }
    }

    /// Asks for the chain at `head` again and again, without a kick, from a thread of its own, until `stop`. Whatever is returned, there
    /// is always more.
    pub fn keep_asking(&self, queue: usize, head: u16, stop: Arc<AtomicBool>) -> JoinHandle<()> {
        let memory = self.memory.clone();
        let never_empty = self.rings[queue].never_empty(head);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                never_empty(&memory);
            }
        })
    }

    /// Up to which position chains have been returned.
    pub fn used_index(&self, queue: usize) -> u16 {
        self.rings[queue].used_index(&self.memory)
    }

    /// At which position the next chain will be.
    pub fn next_position(&self, queue: usize) -> u16 {
        self.rings[queue].next_available.0
    }

    /// Makes the last used chain of a ring one that was not returned: as if the back-end had ended just before.
    pub fn unreturn(&mut self, queue: usize) {
        self.rings[queue].unreturn(&self.memory);
    }

    /// Where the guest's memory is, as the back-end is told: the part with the rings, then the other.
    pub fn regions(&self) -> Vec<VhostUserMemoryRegionInfo> {
        regions(&self.memory)
    }

    /// The files of the parts.
    pub fn memory_files(&self) -> Vec<&File> {
        self.memory.iter().map(|region| region.file_offset().unwrap().file()).collect()
    }

    /// Cuts the file of a part of the memory off. This process must not touch what is gone.
    pub fn cut_memory(&self, part: usize, left: u64) {
        let region = self.memory.iter().nth(part).unwrap();
        ftruncate(region.file_offset().unwrap().file(), left).unwrap();
    }

    /// The driver's features.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// These features from now on. A ring that the feature changes anything for must be stopped.
    pub fn take_features(&mut self, features: u64) {
        self.frontend.set_features(VERSION_1 | PROTOCOL_FEATURES | features).unwrap();
        self.features = features;
        for ring in &mut self.rings {
            ring.event_idx = features & EVENT_IDX != 0;
        }
    }

    /// Tells the back-end where the ring is and that it goes on at `base`, as a front-end starts one.
    pub fn start_ring(&mut self, index: usize, base: u16) {
        let ring = &self.rings[index];
        let (available, used) = (ring.available(), ring.used());
        self.start_ring_with(index, base, available, used);
    }

    /// The same from the first chain on, with the two rings elsewhere: for what no driver does.
    pub fn start_ring_at(&mut self, index: usize, available: u64, used: u64) {
        self.start_ring_with(index, 0, available, used);
    }

    /// Has a ring that is empty lie elsewhere, and starts it there.
    pub fn move_ring(&mut self, index: usize, at: u64) {
        self.stop_ring(index);
        let ring = &self.rings[index];
        self.rings[index] = Ring::new(at, ring.size, ring.event_idx);
        self.start_ring(index, 0);
    }

    /// Tells the back-end where a ring is, that it knows.
    pub fn name_ring(&mut self, index: usize) {
        let ring = &self.rings[index];
        let addresses = self.addresses(ring, ring.available(), ring.used());
        self.frontend.set_vring_addr(index, &addresses).unwrap();
    }

    fn start_ring_with(&mut self, index: usize, base: u16, available: u64, used: u64) {
        let ring = &self.rings[index];
        let addresses = self.addresses(ring, available, used);
        self.frontend.set_vring_num(index, ring.size).unwrap();
        self.frontend.set_vring_base(index, base).unwrap();
        self.frontend.set_vring_addr(index, &addresses).unwrap();
        self.frontend.set_vring_call(index, &ring.call).unwrap();
        self.frontend.set_vring_kick(index, &ring.kick).unwrap();
    }

    fn addresses(&self, ring: &Ring, available: u64, used: u64) -> VringConfigData {
        let host = |at: u64| self.memory.get_host_address(GuestAddress(at)).unwrap() as u64;
        VringConfigData {
            queue_max_size: ring.size,
            queue_size: ring.size,
            flags: 0,
            desc_table_addr: host(ring.descriptors()),
            used_ring_addr: host(used),
            avail_ring_addr: host(available),
            log_addr: None,
        }
    }

    /// Gives the back-end another descriptor to call the guest with, as QEMU does when the guest unmasks an interrupt, and
    /// waits for a call through it.
    pub fn renew_call(&mut self, queue: usize) {
        self.rings[queue].renew_call();
        self.frontend.set_vring_call(queue, &self.rings[queue].call).unwrap();
        self.rings[queue].wait_for_call();
    }

    /// Wants to be called through other descriptors from the next start of each ring on.
    pub fn renew_calls(&mut self) {
        self.rings.iter_mut().for_each(Ring::renew_call);
    }

    /// Asks for a call with the next used element of a ring.
    pub fn ask_for_call(&self, queue: usize) {
        self.rings[queue].ask_for_call(&self.memory);
    }

    /// Whether a ring was called since this was asked last.
    pub fn was_called(&self, queue: usize) -> bool {
        self.rings[queue].was_called()
    }

    /// Waits for a call, whether or not there is a used element.
    pub fn wait_for_call(&self, queue: usize) {
        self.rings[queue].wait_for_call();
    }

    pub fn enable_ring(&mut self, index: usize, enable: bool) {
        self.frontend.set_vring_enable(index, enable).unwrap();
    }

    /// Stops the ring; returns where it would go on.
    pub fn stop_ring(&mut self, index: usize) -> u16 {
        self.frontend.get_vring_base(index).unwrap() as u16
    }

    /// A new driver's ring: empty, both its indices at `index`, in memory too.
    pub fn renew_ring(&mut self, queue: usize, index: u16) {
        let ring = &mut self.rings[queue];
        let zeros = vec![0_u8; RING_BYTES as usize];
        self.memory.write_slice(&zeros, GuestAddress(ring.descriptors())).unwrap();
        ring.restart(&self.memory, index);
    }

    /// Makes a chain available and tells the device, unless it asked not to be told. Returns the chain's head.
    pub fn submit(&mut self, queue: usize, pieces: &[Piece]) -> u16 {
        let indirect = self.features & INDIRECT != 0 && pieces.len() > 1;
        let table = if indirect { Some(self.allocate(16 * pieces.len())) } else { None };
        let head = self.rings[queue].add(&self.memory, pieces, table);
        self.rings[queue].kick(&self.memory);
        head
    }

    /// As [`submit`](Self::submit), with descriptors as they are, from index 0 of the table: for what no driver does.
    pub fn submit_raw(&mut self, queue: usize, descriptors: &[Descriptor]) -> u16 {
        self.rings[queue].add_raw(&self.memory, descriptors);
        self.rings[queue].kick(&self.memory);
        0
    }

    /// Puts other descriptors in the place of those of [`submit_raw`](Self::submit_raw).
    pub fn replace_raw(&mut self, queue: usize, descriptors: &[Descriptor]) {
        self.rings[queue].write_raw(&self.memory, descriptors);
    }

    /// As [`submit`](Self::submit), without telling the device.
    pub fn submit_quietly(&mut self, queue: usize, pieces: &[Piece]) -> u16 {
        self.rings[queue].add(&self.memory, pieces, None)
    }

    /// Tells the device whatever it asked for.
    pub fn kick(&mut self, queue: usize) {
        self.rings[queue].kick.write(1).unwrap();
    }

    /// Where all of a ring is.
    pub fn ring_bytes(&self, queue: usize) -> Range<u64> {
        let start = self.rings[queue].descriptors();
        start..start + RING_BYTES
    }

    /// Where the used ring is.
    pub fn used_ring(&self, queue: usize) -> u64 {
        self.rings[queue].used()
    }

    /// Waits for the next used chain: its head and the bytes written to it.
    pub fn wait(&mut self, queue: usize) -> (u16, u32) {
        self.rings[queue].wait(&self.memory)
    }

    /// The next used chain, if there is one already.
    pub fn poll(&mut self, queue: usize) -> Option<(u16, u32)> {
        self.rings[queue].take(&self.memory)
    }

    /// Room in the guest's memory; whoever allocates more than there is overwrites its own.
    pub fn allocate(&mut self, len: usize) -> u64 {
        if self.heap + len as u64 > HIGH {
            self.heap = HEAP;
        }
        let at = self.heap;
        self.heap += len as u64;
        assert!(self.heap <= HIGH, "{len} bytes are more than the guest has");
        at
    }

    /// Frees all room: no request may be under way.
    pub fn free_all(&mut self) {
        self.heap = HEAP;
    }

    pub fn write(&self, at: u64, bytes: &[u8]) {
        self.memory.write_slice(bytes, GuestAddress(at)).unwrap();
    }

    pub fn read(&self, at: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.memory.read_slice(&mut bytes, GuestAddress(at)).unwrap();
        bytes
    }
}

/// Everything that comes before the rings.
fn handshake(stream: &UnixStream, features: u64, rings: usize, memory: &GuestMemoryMmap<()>) -> Frontend {
    let mut frontend = Frontend::from_stream(stream.try_clone().unwrap(), 256);
    frontend.set_owner().unwrap();
    let offered = frontend.get_features().unwrap();
    let wanted = VERSION_1 | PROTOCOL_FEATURES | features;
    assert_eq!(wanted & !offered, 0, "the back-end does not offer what the guest wants");
    let protocol = frontend.get_protocol_features().unwrap();
    frontend.set_protocol_features(protocol).unwrap();
    // Every message is answered from here on, so that a test knows what has happened.
    frontend.set_hdr_flags(VhostUserHeaderFlag::NEED_REPLY);
    frontend.set_features(wanted).unwrap();
    assert!(frontend.get_queue_num().unwrap() >= rings as u64);
    frontend.set_mem_table(&regions(memory)).unwrap();
    frontend
}

fn regions(memory: &GuestMemoryMmap<()>) -> Vec<VhostUserMemoryRegionInfo> {
    memory.iter().map(|region| VhostUserMemoryRegionInfo::from_guest_region(region).unwrap()).collect()
}

fn memory() -> GuestMemoryMmap<()> {
    let region = |start: u64, end: u64| {
        let file = File::from(memfd_create("guest", MemfdFlags::CLOEXEC).unwrap());
        ftruncate(&file, end - start).unwrap();
        (GuestAddress(start), (end - start) as usize, Some(FileOffset::new(file, 0)))
    };
    GuestMemoryMmap::from_ranges_with_files([region(0, LOW), region(LOW, HIGH)]).unwrap()
}
