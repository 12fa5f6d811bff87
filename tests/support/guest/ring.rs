//! The driver's side of a split virtqueue (virtio 1.2, 2.7).

use std::num::Wrapping;
use std::sync::atomic::{Ordering, fence};

use std::os::fd::AsRawFd;

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};
use vmm_sys_util::epoll::{ControlOperation, Epoll, EpollEvent, EventSet};
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// Descriptor flags.
pub mod flags {
    pub const NEXT: u16 = 1;
    pub const WRITE: u16 = 2;
    pub const INDIRECT: u16 = 4;
}

/// VIRTQ_USED_F_NO_NOTIFY.
const NO_NOTIFY: u16 = 1;
/// Far more than any answer takes: reached only when none comes.
const PATIENCE_MS: i32 = 60_000;

/// One buffer of a chain.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    pub at: u64,
    pub len: usize,
    /// The device may write it.
    pub write: bool,
}

/// A descriptor as it lies in memory.
#[derive(Debug, Clone, Copy)]
pub struct Descriptor {
    pub at: u64,
    pub len: u32,
    pub flags: u16,
    pub next: u16,
}

impl Descriptor {
    fn bytes(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.at.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[12..14].copy_from_slice(&self.flags.to_le_bytes());
        bytes[14..].copy_from_slice(&self.next.to_le_bytes());
        bytes
    }
}

pub struct Ring {
    base: u64,
    pub size: u16,
    pub event_idx: bool,
    pub next_available: Wrapping<u16>,
    next_used: Wrapping<u16>,
    /// `next_available` at the last kick.
    kicked: Wrapping<u16>,
    /// Descriptors of the table that no chain uses.
    free: Vec<u16>,
    /// What each head's chain uses.
    chains: Vec<Vec<u16>>,
    pub kick: EventFd,
    pub call: EventFd,
    /// Readable when `call` is.
    called: Epoll,
}

impl Ring {
    pub fn new(base: u64, size: u16, event_idx: bool) -> Self {
        let kick = EventFd::new(EFD_NONBLOCK).unwrap();
        let (call, called) = new_call();
        let mut ring = Self {
            base,
            size,
            event_idx,
            next_available: Wrapping(0),
            next_used: Wrapping(0),
            kicked: Wrapping(0),
            free: Vec::new(),
            chains: Vec::new(),
            kick,
            call,
            called,
        };
        ring.empty();
        ring
    }

    /// Wants to be called through another descriptor from now on.
    pub fn renew_call(&mut self) {
        (self.call, self.called) = new_call();
    }

    /// Empties the ring, both its indices at `index`.
    pub fn restart(&mut self, memory: &GuestMemoryMmap<()>, index: u16) {
        self.next_available = Wrapping(index);
        self.next_used = Wrapping(index);
        self.kicked = Wrapping(index);
        self.empty();
        for at in [self.available() + 2, self.used() + 2, self.available_event()] {
            store(memory, at, &index.to_le_bytes());
        }
    }

    fn empty(&mut self) {
        self.free = (0..self.size).rev().collect();
        self.chains = vec![Vec::new(); usize::from(self.size)];
    }

    pub fn descriptors(&self) -> u64 {
        self.base
    }

    pub fn available(&self) -> u64 {
        self.base + 16 * u64::from(self.size)
    }

    pub fn used(&self) -> u64 {
        (self.available() + 6 + 2 * u64::from(self.size)).next_multiple_of(4)
    }

    fn used_event(&self) -> u64 {
        self.available() + 4 + 2 * u64::from(self.size)
    }

    fn available_event(&self) -> u64 {
        self.used() + 4 + 8 * u64::from(self.size)
    }

    /// Makes a chain available; with `table`, through an indirect table there.
    pub fn add(&mut self, memory: &GuestMemoryMmap<()>, pieces: &[Piece], table: Option<u64>) -> u16 {
        let write = |piece: &Piece| if piece.write { flags::WRITE } else { 0 };
        if let Some(table) = table {
            for (next, piece) in (1..).zip(pieces) {
                let more = if usize::from(next) < pieces.len() { flags::NEXT } else { 0 };
                let descriptor = Descriptor { at: piece.at, len: piece.len as u32, flags: write(piece) | more, next };
                store(memory, table + 16 * (u64::from(next) - 1), &descriptor.bytes());
            }
            let head = self.free.pop().expect("the ring is full");
            let descriptor = Descriptor { at: table, len: 16 * pieces.len() as u32, flags: flags::INDIRECT, next: 0 };
            store(memory, self.base + 16 * u64::from(head), &descriptor.bytes());
            self.publish(memory, head, vec![head]);
            return head;
        }
        let used: Vec<u16> = pieces.iter().map(|_| self.free.pop().expect("the ring is full")).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let (more, next) = used.get(at + 1).map_or((0, 0), |&next| (flags::NEXT, next));
            let descriptor = Descriptor { at: piece.at, len: piece.len as u32, flags: write(piece) | more, next };
            store(memory, self.base + 16 * u64::from(used[at]), &descriptor.bytes());
        }
        let head = used[0];
        self.publish(memory, head, used);
        head
    }

    /// Writes `descriptors` from index 0 of the table, which must be free, and makes 0 available.
    pub fn add_raw(&mut self, memory: &GuestMemoryMmap<()>, descriptors: &[Descriptor]) {
        assert_eq!(self.free.len(), usize::from(self.size), "chains are under way");
        self.write_raw(memory, descriptors);
        let used: Vec<u16> = (0..descriptors.len() as u16).collect();
        self.free.retain(|index| !used.contains(index));
        self.publish(memory, 0, used);
    }

    /// Writes `descriptors` from index 0 of the table.
    pub fn write_raw(&self, memory: &GuestMemoryMmap<()>, descriptors: &[Descriptor]) {
        for (at, descriptor) in descriptors.iter().enumerate() {
            store(memory, self.base + 16 * at as u64, &descriptor.bytes());
        }
    }

    fn publish(&mut self, memory: &GuestMemoryMmap<()>, head: u16, used: Vec<u16>) {
        let slot = u64::from(self.next_available.0 % self.size);
        store(memory, self.available() + 4 + 2 * slot, &head.to_le_bytes());
        self.next_available += 1;
        self.chains[usize::from(head)] = used;
        memory.store(self.next_available.0, GuestAddress(self.available() + 2), Ordering::Release).unwrap();
    }

    /// Tells the device of what is new, if it wants to be told (2.7.10).
    pub fn kick(&mut self, memory: &GuestMemoryMmap<()>) {
        fence(Ordering::SeqCst);
        let wanted = if self.event_idx {
            let event = Wrapping(load(memory, self.available_event()));
            self.next_available - event - Wrapping(1) < self.next_available - self.kicked
        } else {
            load(memory, self.used()) & NO_NOTIFY == 0
        };
        self.kicked = self.next_available;
        if wanted {
            self.kick.write(1).unwrap();
        }
    }

    /// Up to which position the device has returned chains.
    pub fn used_index(&self, memory: &GuestMemoryMmap<()>) -> u16 {
        load(memory, self.used() + 2)
    }

    /// What makes chains at `head` available behind those that were returned.
    pub fn never_empty(&self, head: u16) -> impl Fn(&GuestMemoryMmap<()>) + Send + use<> {
        let (available, used, ahead) = (self.available(), self.used(), self.size - 1);
        let heads: Vec<u8> = head.to_le_bytes().repeat(self.size.into());
        move |memory| {
            store(memory, available + 4, &heads);
            for _ in 0..1000 {
                store(memory, available + 2, &load(memory, used + 2).wrapping_add(ahead).to_le_bytes());
            }
        }
    }

    /// Takes back what the last used element said. Its chain is still in the ring, if nothing was added since.
    pub fn unreturn(&mut self, memory: &GuestMemoryMmap<()>) {
        self.next_used -= 1;
        let element = self.used() + 4 + 8 * u64::from(self.next_used.0 % self.size);
        let head: u32 = memory.load(GuestAddress(element), Ordering::Relaxed).unwrap();
        self.chains[head as usize] = vec![self.free.pop().expect("the chain was returned")];
        store(memory, self.used() + 2, &self.next_used.0.to_le_bytes());
    }

    /// The next used element, if there is one.
    pub fn take(&mut self, memory: &GuestMemoryMmap<()>) -> Option<(u16, u32)> {
        let used: u16 = memory.load(GuestAddress(self.used() + 2), Ordering::Acquire).unwrap();
        if used == self.next_used.0 {
            return None;
        }
        let element = self.used() + 4 + 8 * u64::from(self.next_used.0 % self.size);
        let id: u32 = memory.load(GuestAddress(element), Ordering::Relaxed).unwrap();
        let len: u32 = memory.load(GuestAddress(element + 4), Ordering::Relaxed).unwrap();
        self.next_used += 1;
        let head = u16::try_from(id).unwrap();
        self.free.append(&mut self.chains[usize::from(head)]);
        Some((head, len))
    }

    /// Waits for the next used element, and for the call that must announce it.
    pub fn wait(&mut self, memory: &GuestMemoryMmap<()>) -> (u16, u32) {
        loop {
            self.ask_for_call(memory);
            if let Some(element) = self.take(memory) {
                return element;
            }
            self.wait_for_call();
        }
    }

    /// Asks for a call with the next used element. Whatever came before the question is seen afterwards.
    pub fn ask_for_call(&self, memory: &GuestMemoryMmap<()>) {
        memory.store(self.next_used.0, GuestAddress(self.used_event()), Ordering::SeqCst).unwrap();
        fence(Ordering::SeqCst);
    }

    /// Whether there was a call since the last one that was waited for, or that this told of.
    pub fn was_called(&self) -> bool {
        self.call.read().is_ok()
    }

    /// Waits for a call, whether or not there is a used element.
    pub fn wait_for_call(&self) {
        loop {
            match self.called.wait(PATIENCE_MS, &mut [EpollEvent::default()]) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                ready => break assert!(ready.unwrap() > 0, "no call for a used chain"),
            }
        }
        let _ = self.call.read();
    }
}

/// A call descriptor, and what is readable when it is.
fn new_call() -> (EventFd, Epoll) {
    let (call, called) = (EventFd::new(EFD_NONBLOCK).unwrap(), Epoll::new().unwrap());
    called.ctl(ControlOperation::Add, call.as_raw_fd(), EpollEvent::new(EventSet::IN, 0)).unwrap();
    (call, called)
}

fn store(memory: &GuestMemoryMmap<()>, at: u64, bytes: &[u8]) {
    memory.write_slice(bytes, GuestAddress(at)).unwrap();
}

fn load(memory: &GuestMemoryMmap<()>, at: u64) -> u16 {
    memory.load(GuestAddress(at), Ordering::Acquire).unwrap()
}
