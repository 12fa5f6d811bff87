//! A guest that owns every byte of its rings: the device of a connection, with all three kinds of queues, called as its workers
//! call it.
//!
//! The input begins with where the rings are and what happens in which order; the rest is the guest's memory from address 0. After
//! each call no byte may have changed but in the used ring and in buffers that some descriptor lets the device write. Shared by
//! the fuzz target and by `tests/it/fuzz.rs`.

use std::ops::Range;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, Origin, open_source};
use spindle::scsi::{LogicalUnit, Lun, Nexus, Target};
use spindle::source::MemorySource;
use spindle::sys::memory::GuestMemory;
use spindle::vhost_user::{Backend, EventQueue, Ring, UnitEvents};
use vhost_user_backend::{VhostUserBackend, VringT};
use virtio_queue::QueueT;
use vm_memory::{Bytes, GuestAddress, GuestMemoryAtomic};
use vmm_sys_util::epoll::EventSet;

/// Three parts: two that touch, and one behind a hole.
const PARTS: [Range<u64>; 3] = [0..0x8000, 0x8000..0x1_0000, 0x2_0000..0x2_1000];
/// Flags; where each ring is; what happens.
const OPTIONS: usize = 8;
const RING: usize = 8;
const RINGS: usize = 3;
const STEP: usize = 4;
const STEPS: usize = 8;
const HEADER: usize = OPTIONS + RINGS * RING + STEPS * STEP;

const CONTROL: usize = 0;
const EVENTS: usize = 1;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// How often a worker looked at a ring.
#[derive(Debug, Default, Clone, Copy)]
pub struct Looks {
    /// And the memory was compared.
    pub compared: u32,
    /// And it was not, as the guest may change what the device may write.
    pub left: u32,
}

/// Carries out the steps; says what was compared.
pub fn run(input: &[u8]) -> Looks {
    let Some((header, image)) = input.split_at_checked(HEADER) else { return Looks::default() };
    let (options, rest) = header.split_at(OPTIONS);
    let (places, steps) = rest.split_at(RINGS * RING);
    let mut guest = Guest::new(options, places, image);
    for queue in [2, EVENTS, CONTROL] {
        guest.kick(queue);
    }
    for step in steps.chunks_exact(STEP).filter(|step| **step != [0; STEP]) {
        guest.step(step);
    }
    guest.looks
}

struct Guest {
    memory: GuestMemory,
    shared: GuestMemoryAtomic<GuestMemory>,
    drive: Arc<Drive>,
    device: Backend,
    rings: Vec<Ring>,
    /// Where each ring's parts are, and how many entries they have.
    places: Vec<Place>,
    looks: Looks,
}

#[derive(Clone, Copy)]
struct Place {
    descriptors: u64,
    available: u64,
    used: u64,
    size: u64,
}

impl Guest {
    fn new(options: &[u8], places: &[u8], image: &[u8]) -> Self {
        let ranges = PARTS.map(|part| (GuestAddress(part.start), (part.end - part.start) as usize));
        let memory = GuestMemory::from_ranges(&ranges).expect("a few pages of memory");
        let mut image = image;
        for part in &PARTS {
            let (now, later) = image.split_at(image.len().min((part.end - part.start) as usize));
            memory.write_slice(now, GuestAddress(part.start)).expect("inside the memory");
            image = later;
        }
        let (event_idx, change, poll) = (options[0] & 1 != 0, options[0] & 2 != 0, options[0] & 4 != 0);
        let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
        drive.change_medium(medium(options[1]), false).expect("nobody holds a lock");
        let target = Arc::new(Target::new(vec![Arc::clone(&drive) as Arc<dyn LogicalUnit>]));
        let events = Arc::new(EventQueue::new().expect("a descriptor"));
        drive.listen(Arc::new(UnitEvents { queue: Arc::clone(&events), lun: Lun(0) }));
        let poll = if poll { Duration::from_micros(1) } else { Duration::ZERO };
        let device = Backend::new(target, Nexus(0), events, poll).expect("descriptors");
        device.acked_features(if change { 4 } else { 0 });
        let shared = GuestMemoryAtomic::new(memory.clone());
        device.update_memory(shared.clone()).expect("never fails");
        let mut guest =
            Self { memory, shared, drive, device, rings: Vec::new(), places: Vec::new(), looks: Looks::default() };
        for place in places.chunks_exact(RING) {
            let word = |at: usize| u64::from(u16::from_le_bytes([place[at], place[at + 1]]));
            let ring = Ring::new(guest.shared.clone(), 1024).expect("a power of two");
            ring.set_queue_size(1 << (place[6] % 11));
            ring.set_queue_event_idx(event_idx);
            // What is not aligned is refused, and the ring stays where it was: at address 0.
            let _ = ring.set_queue_info(word(0) << 4, word(2) << 1, word(4) << 2);
            ring.set_queue_next_avail(u16::from(place[7]));
            ring.set_queue_next_used(ring.queue_used_idx().unwrap_or(0));
            ring.set_queue_ready(true);
            ring.set_enabled(true);
            let queue = ring.get_ref();
            let queue = queue.get_queue();
            guest.places.push(Place {
                descriptors: queue.desc_table(),
                available: queue.avail_ring(),
                used: queue.used_ring(),
                size: u64::from(queue.size()),
            });
            guest.rings.push(ring.clone());
        }
        guest
    }

    fn step(&mut self, step: &[u8]) {
        let queue = usize::from(step[1]) % RINGS;
        let value = u16::from_le_bytes([step[2], step[3]]);
        let place = self.places[queue];
        // Outside the memory nothing is written.
        let write = |at: u64| drop(self.memory.write_obj(value.to_le(), GuestAddress(at)));
        match step[0] % 9 {
            0 => {}
            // More chains, or fewer: an index may run backwards.
            1 => write(place.available + 2),
            2 => write(place.available + 4),
            3 => drop(self.drive.open_tray(value & 1 != 0)),
            4 => self.drive.close_tray(),
            // Stopped, and continued elsewhere.
            5 => {
                self.rings[queue].set_queue_ready(false);
                self.rings[queue].set_queue_next_avail(value);
                self.rings[queue].set_queue_ready(true);
            }
            6 => self.rings[queue].set_enabled(value & 1 != 0),
            // Parts of the memory go and come.
            7 => {
                let mut now = self.memory.clone();
                for part in (0..).zip(&PARTS).filter(|(index, _)| value >> index & 1 == 0).map(|(_, part)| part) {
                    now = now.remove_region(GuestAddress(part.start), part.end - part.start).expect("it is there").0;
                }
                self.shared.lock().expect("no panic before").replace(now);
                self.device.update_memory(self.shared.clone()).expect("never fails");
            }
            _ => self.device.reset_device(),
        }
        self.kick(queue);
    }

    /// Has the worker look at a ring, and compares the memory.
    fn kick(&mut self, queue: usize) {
        let (worker, index, rings) =
            if queue < 2 { (0, queue, &self.rings[..2]) } else { (1, queue - 2, &self.rings[2..]) };
        let before = self.image();
        let writable = self.writable(queue);
        self.device.handle_event(index as u16, EventSet::IN, rings, worker).expect("never fails");
        let Some(writable) = writable else {
            self.looks.left += 1;
            return;
        };
        self.looks.compared += 1;
        for ((start, before), (_, after)) in before.iter().zip(self.image()) {
            // What may be written is made equal, and the rest compared.
            let mut masked = before.clone();
            for range in &writable {
                let inside = |at: u64| at.saturating_sub(*start).min(masked.len() as u64) as usize;
                let range = inside(range.start)..inside(range.end);
                masked[range.clone()].copy_from_slice(&after[range]);
            }
            if masked != after {
                let at = masked.iter().zip(&after).position(|(old, new)| old != new).unwrap_or(0) as u64 + start;
                panic!("byte {at:#x} was not for the device");
            }
        }
    }

    fn image(&self) -> Vec<(u64, Vec<u8>)> {
        let part = |part: &Range<u64>| {
            let mut bytes = vec![0; (part.end - part.start) as usize];
            self.memory.read_slice(&mut bytes, GuestAddress(part.start)).expect("inside the memory");
            (part.start, bytes)
        };
        PARTS.iter().map(part).collect()
    }

    /// What the device may write when it serves a ring: the used ring, and what the descriptors say, reached or not. Nothing when
    /// that lies over the descriptors: then they may say anything by the time they are read.
    fn writable(&self, queue: usize) -> Option<Vec<Range<u64>>> {
        /// Of which there may be too many for a check.
        const MOST: u64 = 2048;
        let Place { descriptors, used, size, .. } = self.places[queue];
        let mut tables = vec![(descriptors, size)];
        let mut writable: Vec<_> = std::iter::once(used..used + 4 + 8 * size + 2).collect();
        let mut read: u64 = 0;
        let mut next = 0;
        while let Some(&(at, entries)) = tables.get(next) {
            read += entries;
            if read > MOST {
                return None;
            }
            for index in 0..entries {
                let Ok(words) = self.memory.read_obj::<[u64; 2]>(GuestAddress(at.wrapping_add(16 * index))) else {
                    continue;
                };
                let [buffer, rest] = words.map(u64::from_le);
                let (len, flags) = (rest & 0xFFFF_FFFF, (rest >> 32) as u16);
                if flags & INDIRECT != 0 && next == 0 {
                    tables.push((buffer, len / 16));
                } else if flags & WRITE != 0 {
                    writable.push(buffer..buffer.saturating_add(len));
                }
            }
            next += 1;
        }
        let apart = |range: &Range<u64>| {
            tables.iter().all(|&(at, entries)| range.end <= at || range.start >= at.saturating_add(16 * entries))
        };
        writable.iter().all(apart).then_some(writable)
    }
}

/// A small disc: of data, or with 2,352 bytes a sector.
fn medium(kind: u8) -> Arc<Medium> {
    static MEDIA: LazyLock<[Arc<Medium>; 2]> = LazyLock::new(|| {
        [vec![7; 64 * 2048], sectors()].map(|bytes| {
            let source = Arc::new(MemorySource::new(bytes));
            let opened = open_source(source, &OpenOptions::default()).expect("a plain image");
            Arc::new(Medium {
                disc: opened.disc,
                locator: String::new(),
                format: opened.format.id,
                origin: Origin::default(),
                remote: false,
            })
        })
    });
    Arc::clone(&MEDIA[usize::from(kind & 1)])
}

/// Sectors of Mode 1.
fn sectors() -> Vec<u8> {
    let sector = |lba: u32| {
        let mut raw = vec![0xFF; 2352];
        raw[0] = 0;
        raw[11] = 0;
        let bcd = |value: u32| (value / 10 * 16 + value % 10) as u8;
        let frames = lba + 150;
        raw[12..16].copy_from_slice(&[bcd(frames / 4500), bcd(frames / 75 % 60), bcd(frames % 75), 1]);
        raw
    };
    (0..64).flat_map(sector).collect()
}

/// An input with one READ of two blocks in the request queue, and an INQUIRY, a reset and a buffer for an event in the others: what
/// the corpus begins with.
#[allow(dead_code, reason = "only the tests make it")]
pub fn seed() -> Vec<u8> {
    let mut header = vec![0; HEADER];
    header[0] = 2;
    let mut image = vec![0; 0x6000];
    let ring = |at: u64| {
        let [descriptors, available, used] = [at >> 4, (at + 0x100) >> 1, (at + 0x200) >> 2].map(|word| word as u16);
        [&descriptors.to_le_bytes()[..], &available.to_le_bytes(), &used.to_le_bytes(), &[4, 0]].concat()
    };
    for (index, at) in [0x1000, 0x1400, 0x1800].into_iter().enumerate() {
        header[OPTIONS + index * RING..][..RING].copy_from_slice(&ring(at));
    }
    header[OPTIONS + RINGS * RING..][..8].copy_from_slice(&[3, 1, 1, 0, 1, 2, 2, 0]);
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    let descriptor = |at: u64, len: u32, flags: u16, next: u16| {
        [&at.to_le_bytes()[..], &len.to_le_bytes(), &flags.to_le_bytes(), &next.to_le_bytes()].concat()
    };
    // A logical unit reset.
    put(0x1000, &descriptor(0x2000, 24, NEXT, 1));
    put(0x1010, &descriptor(0x2020, 1, WRITE, 0));
    put(0x2004, &[5, 0, 0, 0, 1, 0, 0x40, 0]);
    // A buffer for an event.
    put(0x1400, &descriptor(0x2040, 16, WRITE, 0));
    // INQUIRY in one chain, READ (10) in an indirect one.
    put(0x1800, &descriptor(0x2100, 51, NEXT, 1));
    put(0x1810, &descriptor(0x2200, 144, WRITE, 0));
    put(0x1820, &descriptor(0x2300, 48, INDIRECT, 0));
    put(0x2300, &descriptor(0x2140, 51, NEXT, 1));
    put(0x2310, &descriptor(0x2400, 108, NEXT | WRITE, 2));
    put(0x2320, &descriptor(0x4000, 4096, WRITE, 0));
    for (at, cdb) in [(0x2100, &[0x12, 0, 0, 0, 36, 0][..]), (0x2140, &[0x28, 0, 0, 0, 0, 3, 0, 0, 2, 0])] {
        put(at, &[1, 0, 0x40, 0]);
        put(at + 19, cdb);
    }
    for (at, count) in [(0x1100, 1), (0x1500, 1), (0x1900, 1)] {
        put(at + 2, &[count, 0]);
    }
    put(0x1904, &[0, 0, 2, 0]);
    [header, image].concat()
}
