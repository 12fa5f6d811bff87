//! Dirty pages: what a machine that migrates is told of the memory that the drive writes.

use std::collections::BTreeSet;
use std::fs::File;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use spindle::disc::TrackMode;
use spindle::drive::{Drive, Identity, Medium, Tray};
use spindle::image::{OpenOptions, open_path};
use tempfile::TempDir;
use vhost::vhost_user::VhostUserFrontend;
use vhost::{VhostBackend, VhostUserMemoryRegionInfo};

use crate::support::backend::Backend;
use crate::support::dirty_log::{DirtyLog, PAGE};
use crate::support::disc::{self, block, cd, patterned, with_bad_block};
use crate::support::fuse::Fuse;
use crate::support::guest::{
    CHANGE, CONTROL, Command, END, EVENT_IDX, EVENTS, Guest, INDIRECT, Layout, Options, Piece, REQUESTS, lun,
};

/// So many that the parts of the used ring are in pages of their own: flags and index, elements, and the event index.
const RING: u16 = 1024;
/// What of the guest's memory is looked at: the rings, and the buffers of one request.
const LOOKED_AT: usize = 0x42_0000;

/// Reads of the units of [`drives`], each twice: files are read in other ways once they are in memory.
const READS: [(u16, &[u8]); 8] = [
    (0, &[0x28, 0, 0, 0, 0, 7, 0, 0, 32, 0]),
    (1, &[0x28, 0, 0, 0, 0, 40, 0, 0, 32, 0]),
    (1, &[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0]),
    (2, &[0x28, 0, 0, 0, 0, 3, 0, 0, 20, 0]),
    (2, &[0xBE, 0, 0, 0, 0, 9, 0, 0, 8, 0xF8, 0, 0]),
    (3, &[0xBE, 0, 0, 0, 0, 50, 0, 0, 9, 0xF8, 1, 0]),
    // A block that cannot be read, and one that is not there.
    (4, &[0x28, 0, 0, 0, 0, 4, 0, 0, 8, 0]),
    (0, &[0x28, 0, 0, 0, 1, 43, 0, 0, 2, 0]),
];

/// INQUIRY, MODE SENSE, READ TOC, GET EVENT STATUS NOTIFICATION, GET CONFIGURATION, READ CAPACITY, and no command.
const OTHERS: [&[u8]; 7] = [
    &[0x12, 0, 0, 0, 96, 0],
    &[0x5A, 0, 0x3F, 0, 0, 0, 0, 1, 0, 0],
    &[0x43, 0, 2, 0, 0, 0, 1, 4, 0, 0],
    &[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0],
    &[0x46, 0, 0, 0, 0, 0, 0, 2, 0, 0],
    &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    &[0xFF, 0, 0, 0, 0, 0],
];

/// A disc in memory, a file, a file with more than user data in each sector, sound, and a scratched disc.
fn drives(folder: &TempDir) -> Vec<Arc<Drive>> {
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("disc.iso"), (0..300).flat_map(|lba| block(2, lba)).collect::<Vec<_>>()).unwrap();
    std::fs::write(path("raw.bin"), (0..60_u32).flat_map(|at| [at as u8 | 1; 2352]).collect::<Vec<_>>()).unwrap();
    std::fs::write(path("raw.cue"), "FILE raw.bin BINARY\n TRACK 01 MODE1/2352\n  INDEX 01 00:00:00\n").unwrap();
    let opened = |name| disc::of(open_path(&path(name), &OpenOptions::default()).unwrap().disc);
    let sound = disc::of(cd(3, &[&[(TrackMode::Audio, 600)]]));
    let media = [patterned(1, 300), opened("disc.iso"), opened("raw.cue"), sound, with_bad_block(4, 300, 7)];
    (0..).zip(media).map(|(at, medium): (u16, Arc<Medium>)| with_disc(&format!("cd{at}"), medium)).collect()
}

fn with_disc(name: &str, medium: Arc<Medium>) -> Arc<Drive> {
    let drive = Arc::new(Drive::new(Identity::named(name), Tray::Closed));
    drive.change_medium(medium, false).unwrap();
    drive
}

/// A machine that migrates.
struct Migrating {
    guest: Guest,
    log: DirtyLog,
    used: Vec<Range<u64>>,
}

impl Migrating {
    fn new(backend: &Backend, features: u64) -> Self {
        let mut guest = backend.guest(Options { features, ring_size: RING, ..Options::default() });
        // The used elements that follow are in another page than the index.
        for _ in 0..300 {
            guest.free_all();
            guest.command(REQUESTS, &Command::new(&[0; 6], 0));
        }
        let used = [CONTROL, EVENTS, REQUESTS].map(|ring| guest.used_ring(ring));
        let used = used.map(|at| at..at + 6 + 8 * u64::from(RING)).to_vec();
        let log = DirtyLog::begin(&mut guest);
        Self { guest, log, used }
    }

    /// Has the device return a chain of these buffers, which `act` may lead to, and looks at what it wrote.
    fn step(&mut self, what: &str, queue: usize, pieces: &[Piece], act: impl FnOnce()) {
        self.guest.submit_quietly(queue, pieces);
        self.stop();
        self.log.take();
        let before = self.guest.read(0, LOOKED_AT);
        self.start();
        self.guest.kick(queue);
        act();
        self.guest.wait(queue);
        // Now nothing is under way, as at the last look of a front-end.
        self.stop();
        let (after, marked) = (self.guest.read(0, LOOKED_AT), self.log.take());
        self.start();
        self.compare(what, pieces, (&before, &after), &marked);
    }

    fn stop(&mut self) {
        for ring in [CONTROL, EVENTS, REQUESTS] {
            self.guest.stop_ring(ring);
        }
    }

    fn start(&mut self) {
        for ring in [CONTROL, EVENTS, REQUESTS] {
            let base = self.guest.used_index(ring);
            self.guest.start_ring(ring, base);
        }
    }

    /// Every page with a changed byte that is the device's to write is marked, no page is without such, and nothing else changed
    /// but what the driver writes into its rings.
    fn compare(&self, what: &str, pieces: &[Piece], (before, after): (&[u8], &[u8]), marked: &BTreeSet<u64>) {
        let buffers = pieces.iter().filter(|piece| piece.write).map(|piece| piece.at..piece.at + piece.len as u64);
        let writable: Vec<_> = buffers.chain(self.used.clone()).collect();
        let may = |at: u64| writable.iter().any(|range| range.contains(&at));
        let rings = self.used.iter().map(|range| range.end).max().unwrap();
        let changed = (0..).zip(before.iter().zip(after)).filter(|(_, (before, after))| before != after);
        let mut pages = BTreeSet::new();
        for (at, _) in changed {
            if may(at) {
                pages.insert(at / PAGE);
            } else {
                assert!(at < rings, "{what}: byte {at:#x} was not to be written");
            }
        }
        let missing: Vec<_> = pages.difference(marked).collect();
        assert!(missing.is_empty(), "{what}: pages {missing:x?} were written and not marked");
        for page in marked {
            let bytes = page * PAGE..(page + 1) * PAGE;
            assert!(
                writable.iter().any(|range| range.start < bytes.end && bytes.start < range.end),
                "{what}: page {page:x} was marked and cannot have been written"
            );
        }
    }

    fn command(&mut self, command: &Command<'_>) {
        self.guest.free_all();
        let (pieces, _) = self.guest.lay_out(command);
        self.step(&format!("{:x?} {:?}", command.cdb, command.layout), REQUESTS, &pieces, || ());
    }
}

#[test]
fn every_page_that_the_drive_writes_is_marked_and_no_other() {
    let folder = TempDir::new().unwrap();
    for features in [EVENT_IDX | INDIRECT | CHANGE, CHANGE] {
        let drives = drives(&folder);
        let backend = Backend::serve(&drives);
        let mut machine = Migrating::new(&backend, features);
        for layout in [Layout::Separate, Layout::Joined, Layout::Cut(700)] {
            for unit in 0..5 {
                // The power-on attention, then what there is to say without one.
                for _ in 0..3 {
                    machine.command(&Command { lun: lun(unit), layout, ..Command::new(&[0; 6], 0) });
                }
            }
            for (unit, cdb) in READS.iter().chain(&READS) {
                machine.command(&Command { lun: lun(*unit), layout, ..Command::new(cdb, 0x1_2000) });
            }
            for cdb in OTHERS {
                machine.command(&Command { layout, ..Command::new(cdb, 0x400) });
            }
        }
        // Nobody there, no LUN at all, and no room for an answer.
        for lun in [[1, 9, 0x40, 0, 0, 0, 0, 0], [0; 8]] {
            machine.command(&Command { lun, ..Command::new(&[0; 6], 64) });
        }
        machine.guest.free_all();
        let at = machine.guest.allocate(64);
        let short = [Piece { at, len: 51, write: false }, Piece { at: at + 51, len: 5, write: true }];
        machine.step("a short response", REQUESTS, &short, || ());
        // LOGICAL UNIT RESET, and a question after events.
        for request in [&[0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[1; 16]] {
            machine.guest.free_all();
            let at = machine.guest.allocate(0x2000);
            machine.guest.write(at, request);
            let answer = Piece { at: at + PAGE, len: 8, write: true };
            let request = Piece { at, len: request.len(), write: false };
            machine.step("a control request", CONTROL, &[request, answer], || ());
        }
        machine.guest.free_all();
        let at = machine.guest.allocate(16);
        let event = [Piece { at, len: 16, write: true }];
        machine.step("an event", EVENTS, &event, || drives[0].open_tray(true).unwrap());
    }
}

/// A page that a front-end took out of the log while it was written must be in it again afterwards: it may have been sent too early.
/// The memory is a file whose second page does not come, so that each way to write stops in the middle.
#[test]
fn a_page_is_marked_after_it_was_written() {
    let memory = Fuse::mount(vec![0; 16 * PAGE as usize]);
    let file = File::options().read(true).write(true).open(memory.path()).unwrap();
    let folder = TempDir::new().unwrap();
    let drives = drives(&folder);
    let backend = Backend::serve(&drives);
    let mut guest = backend.guest(Options::default());
    let log = DirtyLog::begin(&mut guest);
    // After the log: what is mapped while the machine migrates is logged too.
    let region = VhostUserMemoryRegionInfo {
        guest_phys_addr: END,
        memory_size: 16 * PAGE,
        userspace_addr: 1 << 40,
        mmap_offset: 0,
        mmap_handle: file.as_raw_fd(),
    };
    guest.frontend.add_mem_region(&region).unwrap();
    // From memory; from a file, and again from its mapping.
    for (at, unit) in [0, 1, 1, 1].into_iter().enumerate() {
        while guest.command(REQUESTS, &Command { lun: lun(unit), ..Command::new(&[0; 6], 0) }).status != 0 {}
        guest.free_all();
        let (first, second) = (2 * at as u64, 2 * at as u64 + 1);
        memory.set_hanging(second * PAGE..(second + 1) * PAGE);
        let read = Command { lun: lun(unit), ..Command::new(&[0x28, 0, 0, 0, 0, 200, 0, 0, 4, 0], 0) };
        let (mut pieces, _) = guest.lay_out(&read);
        pieces.push(Piece { at: END + first * PAGE, len: 2 * PAGE as usize, write: true });
        guest.submit(REQUESTS, &pieces);
        while memory.waiting() == 0 {
            std::thread::yield_now();
        }
        log.take();
        memory.release();
        guest.wait(REQUESTS);
        guest.stop_ring(REQUESTS);
        let marked = log.take();
        assert!(marked.contains(&(END / PAGE + second)), "read {at}: {marked:x?}");
        let base = guest.used_index(REQUESTS);
        guest.start_ring(REQUESTS, base);
    }
}

/// The pages that a READ marks.
fn marked_by_a_read(guest: &mut Guest, log: &DirtyLog) -> BTreeSet<u64> {
    guest.free_all();
    log.take();
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0], 2048)).data, block(1, 7));
    // Nothing is under way any more.
    let base = guest.stop_ring(REQUESTS);
    guest.start_ring(REQUESTS, base);
    log.take()
}

#[test]
fn a_migration_that_is_called_off_ends_the_log_and_the_next_one_goes_on_with_it() {
    let (_drive, backend) = super::served();
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    let log = DirtyLog::begin(&mut guest);
    let all = marked_by_a_read(&mut guest, &log);
    assert!(all.len() > 1, "{all:x?}");
    DirtyLog::end(&mut guest);
    assert_eq!(marked_by_a_read(&mut guest, &log), BTreeSet::new());
    log.go_on(&mut guest);
    assert_eq!(marked_by_a_read(&mut guest, &log), all);
    // All of the memory is mapped anew.
    let regions = guest.regions();
    guest.frontend.set_mem_table(&regions).unwrap();
    assert_eq!(marked_by_a_read(&mut guest, &log), all);
    // The same, region by region, and for a moment there is none.
    regions.iter().for_each(|region| guest.frontend.remove_mem_region(region).unwrap());
    for region in &regions {
        guest.frontend.add_mem_region(region).unwrap();
    }
    assert_eq!(marked_by_a_read(&mut guest, &log), all);
    // A log of its own for the next migration, and nothing more in the one before.
    let next = DirtyLog::begin(&mut guest);
    log.take();
    assert_eq!(marked_by_a_read(&mut guest, &next), all);
    assert_eq!(log.take(), BTreeSet::new());
}

/// QEMU names the rings' addresses again when it begins to log, and when it ends, while requests are served. What the crate then reads of
/// the used ring may be old by the time it uses it.
#[test]
fn a_ring_that_is_served_keeps_its_place_when_it_is_named_again() {
    let (_drive, backend) = super::served();
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    let (at, index) = (guest.used_ring(REQUESTS) + 2, guest.used_index(REQUESTS));
    guest.write(at, &(index - 1).to_le_bytes());
    guest.name_ring(REQUESTS);
    guest.write(at, &index.to_le_bytes());
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0], 2048)).data, block(1, 7));
}
