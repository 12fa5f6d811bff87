//! Memory tables that no front-end of good will sends, as raw messages.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use spindle::sys::descriptors::send;
use vhost::{VhostBackend, VhostUserMemoryRegionInfo};

use super::memory::{daemon, take_attentions, the_next_one_is_served};
use crate::support::disc::block;
use crate::support::guest::{Command, Descriptor, END, Guest, Options, REQUESTS, flags};
use crate::support::message::{ADD_MEM_REG, SET_MEM_TABLE, with_payload};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];
const PAGE: u64 = 4096;
/// What the other file is full of, where nothing was written.
const OUTSIDE: u8 = 0xEE;
const PAGES: usize = 16;

/// A region, and which of the files is its: 0 and 1 are the guest's own, 2 is the other.
#[derive(Debug, Clone, Copy)]
struct Region {
    guest: u64,
    size: u64,
    user: u64,
    offset: u64,
    file: usize,
}

/// In the middle of the other file: what is around it is nobody's.
const OTHER: Region = Region { guest: END + 0x100_0000, size: 4 * PAGE, user: 0x1000_0000, offset: 4 * PAGE, file: 2 };

/// What is sent.
struct Message {
    request: u32,
    regions: Vec<Region>,
    /// What it says of them.
    count: u32,
    padding: u32,
    /// Bytes that are there besides, or missing.
    more: isize,
    /// Of which region each descriptor is.
    files: Vec<usize>,
}

impl Message {
    fn new(request: u32, regions: Vec<Region>) -> Self {
        let (count, files) = (regions.len() as u32, regions.iter().map(|region| region.file).collect());
        Self { request, regions, count, padding: 0, more: 0, files }
    }

    fn bytes(&self) -> Vec<u8> {
        // What is before the only region of ADD_MEM_REG is padding.
        let count = if self.request == SET_MEM_TABLE { self.count } else { 0 };
        let mut payload = [count, self.padding].map(u32::to_ne_bytes).concat();
        for region in &self.regions {
            payload.extend([region.guest, region.size, region.user, region.offset].map(u64::to_ne_bytes).concat());
        }
        payload.resize(payload.len().saturating_add_signed(self.more), 0);
        with_payload(self.request, &payload)
    }
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The connection ends.
    Refused,
    /// It counts from now on.
    Taken,
}
use Then::{Refused, Taken};

/// What is changed of the last region, of a table or alone.
type Change = fn(&mut Region, own: &[Region]);
const REGIONS: &[(&str, Then, Change)] = &[
    ("one as it should be", Taken, |_, _| {}),
    // The crate finds addresses of the front-end in the first region that has them.
    ("the same user addresses", Taken, |region, own| region.user = own[1].user),
    ("some of the same user addresses", Taken, |region, own| region.user = own[1].user + own[1].size - PAGE),
    ("the same guest addresses", Refused, |region, own| region.guest = own[1].guest),
    ("some of the same guest addresses", Refused, |region, _| region.guest = END - PAGE),
    ("a byte of the same guest addresses", Refused, |region, _| region.guest = END - 1),
    ("no byte", Refused, |region, _| region.size = 0),
    ("guest addresses that overflow", Refused, |region, _| region.guest = u64::MAX - PAGE + 1),
    ("a size that overflows", Refused, |region, _| region.size = u64::MAX),
    ("a size that overflows with the offset", Refused, |region, _| region.offset = u64::MAX - PAGE + 1),
    ("more than all memory", Refused, |region, _| region.size = 1 << 62),
    ("up to the end of the file", Taken, |region, _| region.offset = 12 * PAGE),
    ("a byte beyond the file", Refused, |region, _| {
        region.offset = 12 * PAGE;
        region.size += 1;
    }),
    ("a part beyond the file", Refused, |region, _| region.offset = 13 * PAGE),
    ("a place beyond the file", Refused, |region, _| region.offset = 1 << 40),
    ("an offset within a page", Refused, |region, _| region.offset += 512),
];

/// What is changed of the message.
type Damage = fn(&mut Message);
const MESSAGES: &[(&str, u32, Then, Damage)] = &[
    ("32 regions", SET_MEM_TABLE, Taken, |message| many(message, 32)),
    ("33 regions, with as many descriptors as there can be", SET_MEM_TABLE, Refused, |message| many(message, 33)),
    ("no region", SET_MEM_TABLE, Refused, |message| {
        no_regions(message);
        message.files.clear();
    }),
    ("no region, but descriptors", SET_MEM_TABLE, Refused, no_regions),
    ("a count of none", SET_MEM_TABLE, Refused, |message| message.count = 0),
    ("a count that is less", SET_MEM_TABLE, Refused, |message| message.count = 2),
    ("a count that is more", SET_MEM_TABLE, Refused, |message| message.count = 4),
    ("a count beyond all", SET_MEM_TABLE, Refused, |message| message.count = u32::MAX),
    ("padding that is not zero", SET_MEM_TABLE, Refused, |message| message.padding = 1),
    ("out of order", SET_MEM_TABLE, Refused, |message| {
        message.regions.swap(1, 2);
        message.files.swap(1, 2);
    }),
    ("a byte less", SET_MEM_TABLE, Refused, |message| message.more = -1),
    ("a byte more", SET_MEM_TABLE, Refused, |message| message.more = 1),
    ("a region more than it says", SET_MEM_TABLE, Refused, |message| message.more = 32),
    ("not even a count", SET_MEM_TABLE, Refused, |message| message.more = -100),
    ("no payload", SET_MEM_TABLE, Refused, |message| message.more = -1000),
    ("more than a message may have", SET_MEM_TABLE, Refused, |message| message.more = 4096),
    ("no descriptor", SET_MEM_TABLE, Refused, |message| message.files.clear()),
    ("a descriptor less", SET_MEM_TABLE, Refused, |message| message.files.truncate(2)),
    ("a descriptor more", SET_MEM_TABLE, Refused, |message| message.files.push(2)),
    ("a byte less", ADD_MEM_REG, Refused, |message| message.more = -1),
    ("a byte more", ADD_MEM_REG, Refused, |message| message.more = 1),
    ("no payload", ADD_MEM_REG, Refused, |message| message.more = -1000),
    ("two regions", ADD_MEM_REG, Refused, |message| message.more = 32),
    ("no descriptor", ADD_MEM_REG, Refused, |message| message.files.clear()),
    ("two descriptors", ADD_MEM_REG, Refused, |message| message.files.push(2)),
];

fn no_regions(message: &mut Message) {
    message.regions.clear();
    message.count = 0;
}

/// Single pages besides the first three, up to so many regions.
fn many(message: &mut Message, count: usize) {
    let next = OTHER.guest + 0x10_0000;
    let page = |at: u64| Region { guest: next + at * PAGE, size: PAGE, user: next + at * PAGE, ..OTHER };
    message.regions.extend((0..count as u64 - 3).map(page));
    message.count = count as u32;
    message.files.resize(count.min(32), 2);
}

/// What lies is refused, but for user addresses: they are the front-end's own, and which of its regions one is in is its affair.
#[test]
fn tables_and_regions_that_lie_are_refused_or_reach_no_further_than_they_say() {
    let (_image, daemon) = daemon();
    let mut wrong = Vec::new();
    let mut tried = |what: &str, request: u32, then: Then, change: &dyn Fn(&mut Message, &[Region])| {
        let stream = UnixStream::connect(daemon.path()).unwrap();
        // Far more than any answer takes: one that never comes is no end of the connection, as the next one shows.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let raw = stream.try_clone().unwrap();
        let mut guest = Guest::over(stream, Options { features: 0, ..Options::default() });
        take_attentions(&mut guest);
        let own: Vec<_> = (0..).zip(guest.regions()).map(|(file, region)| own_region(file, &region)).collect();
        let regions = if request == SET_MEM_TABLE { vec![own[0], own[1], OTHER] } else { vec![OTHER] };
        let mut message = Message::new(request, regions);
        change(&mut message, &own);
        let other = File::from(memfd_create("other", MemfdFlags::CLOEXEC).unwrap());
        other.write_all_at(&vec![OUTSIDE; PAGES * PAGE as usize], 0).unwrap();
        let mut files = guest.memory_files();
        files.push(&other);
        let files: Vec<_> = message.files.iter().map(|&file| files[file].as_fd()).collect();
        // The daemon may hang up before all is written.
        let _ = send(&raw, &message.bytes(), &files);
        let lives = guest.frontend.get_features().is_ok();
        match then {
            _ if lives == (then == Refused) => wrong.push(format!("{what} (message {request}): not {then:?}")),
            Refused => {
                guest.begin(REQUESTS, &Command::new(&READ, 2048));
                assert!(contents(&other).iter().all(|&byte| byte == OUTSIDE), "{what}");
            }
            Taken => {
                let offset = message.regions.iter().find(|region| region.file == 2).unwrap().offset;
                reaches_its_pages_only(&mut guest, &other, offset, what);
            }
        }
    };
    for &(what, then, change) in REGIONS {
        for request in [SET_MEM_TABLE, ADD_MEM_REG] {
            tried(what, request, then, &|message, own| change(message.regions.last_mut().unwrap(), own));
        }
    }
    for &(what, request, then, damage) in MESSAGES {
        tried(what, request, then, &|message, _| damage(message));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    the_next_one_is_served(daemon);
}

fn own_region(file: usize, region: &VhostUserMemoryRegionInfo) -> Region {
    Region {
        guest: region.guest_phys_addr,
        size: region.memory_size,
        user: region.userspace_addr,
        offset: region.mmap_offset,
        file,
    }
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; PAGES * PAGE as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// A chain that reads block 7 to `data`.
fn read_to(request: u64, response: u64, data: u64) -> [Descriptor; 3] {
    [
        Descriptor { at: request, len: 51, flags: flags::NEXT, next: 1 },
        Descriptor { at: response, len: 108, flags: flags::NEXT | flags::WRITE, next: 2 },
        Descriptor { at: data, len: 2048, flags: flags::WRITE, next: 0 },
    ]
}

/// A block is read into the other region, which is at `offset` of its file, to its last byte; one that would go beyond it is not, and no request is read from there.
fn reaches_its_pages_only(guest: &mut Guest, other: &File, offset: u64, what: &str) {
    // Its ring's addresses are looked up in the table that is new.
    let base = guest.stop_ring(REQUESTS);
    guest.start_ring(REQUESTS, base);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7), "{what}");
    let end = OTHER.guest + OTHER.size;
    let mut expected = vec![OUTSIDE; PAGES * PAGE as usize];
    expected[(offset + OTHER.size) as usize - 2048..][..2048].copy_from_slice(&block(1, 7));
    let (pieces, response) = guest.lay_out(&Command::new(&READ, 2048));
    let request = pieces[0].at;
    // The last is of a request that would have its first bytes in the region.
    for (request, data) in [(request, end - 2048), (request, end - 1024), (request, end - 1), (end - 20, END - 2048)] {
        guest.write(response, &[0xA5; 108]);
        guest.submit_raw(REQUESTS, &read_to(request, response, data));
        let (_, written) = guest.wait(REQUESTS);
        // VIRTIO_SCSI_S_FAILURE for all but the first.
        let answer = (written, guest.read(response + 11, 1)[0]);
        assert_eq!(answer, if data == end - 2048 { (108 + 2048, 0) } else { (108, 9) }, "{what}");
        assert!(contents(other) == expected, "{what}");
    }
}
