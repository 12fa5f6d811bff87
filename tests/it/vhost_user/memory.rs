//! The guest's memory: shared in parts, taken away again, and its dirty pages.

use std::fs::File;
use std::os::fd::AsRawFd;

use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vhost::vhost_user::VhostUserFrontend;
use vhost::{VhostBackend, VhostUserDirtyLogRegion};

use super::served;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

/// VHOST_F_LOG_ALL.
const LOG_ALL: u64 = 1 << 26;
const PAGE: u64 = 4096;

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];

fn take_attentions(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}

#[test]
fn memory_comes_and_goes_region_by_region() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    // From here on buffers are in the other region than the rings.
    guest.allocate(0x2000);
    let regions = guest.regions();
    for _ in 0..3 {
        assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
        guest.frontend.remove_mem_region(&regions[1]).unwrap();
        let pending = guest.begin(REQUESTS, &Command::new(&READ, 2048));
        assert_eq!(guest.wait(REQUESTS), (pending.head, 0));
        guest.frontend.add_mem_region(&regions[1]).unwrap();
    }
}

#[test]
fn regions_that_overlap_or_are_not_there_are_refused_and_the_next_front_end_served() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    let regions = guest.regions();
    assert!(guest.frontend.add_mem_region(&regions[1]).is_err());
    let mut guest = backend.guest(Options::default());
    guest.frontend.remove_mem_region(&regions[1]).unwrap();
    assert!(guest.frontend.remove_mem_region(&regions[1]).is_err());
    take_attentions(&mut backend.guest(Options::default()));
}

#[test]
fn rings_whose_memory_is_taken_away_are_left_alone() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    guest.frontend.remove_mem_region(&guest.regions()[0]).unwrap();
    guest.kick(REQUESTS);
    guest.frontend.add_mem_region(&guest.regions()[0]).unwrap();
    let stopped = guest.stop_ring(REQUESTS);
    guest.start_ring(REQUESTS, stopped);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
}

#[test]
fn pages_written_while_the_machine_migrates_are_marked() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    let end = guest.regions().iter().map(|region| region.guest_phys_addr + region.memory_size).max().unwrap();
    let bytes = end / PAGE / 8;
    let log = File::from(memfd_create("log", MemfdFlags::CLOEXEC).unwrap());
    ftruncate(&log, bytes).unwrap();
    let region = VhostUserDirtyLogRegion { mmap_size: bytes, mmap_offset: 0, mmap_handle: log.as_raw_fd() };
    guest.frontend.set_log_base(0, Some(region)).unwrap();
    guest.take_features(LOG_ALL | Options::default().features);
    let dirty = || {
        let mut bits = vec![0; bytes as usize];
        std::os::unix::fs::FileExt::read_exact_at(&log, &mut bits, 0).unwrap();
        (0..end / PAGE).filter(|page| bits[(page / 8) as usize] >> (page % 8) & 1 == 1).collect::<Vec<_>>()
    };
    let before = dirty();
    guest.free_all();
    guest.allocate(16 * PAGE as usize);
    let (pieces, response) = guest.lay_out(&Command::new(&READ, 2048));
    guest.submit(REQUESTS, &pieces);
    guest.wait(REQUESTS);
    let now = dirty();
    // The response with the data behind it, and the used ring.
    for page in response / PAGE..=(response + 108 + 2047) / PAGE {
        assert!(now.contains(&page) && !before.contains(&page), "page {page}: {before:?} then {now:?}");
    }
    let used = guest.used_ring(REQUESTS) / PAGE;
    assert!(now.contains(&used), "page {used}: {now:?}");
    // Only those: what the device read, it did not write.
    assert!(now.len() <= 4, "{now:?}");
}

/// A daemon with a disc, as a process: what it must survive would end the tests too.
fn daemon() -> (tempfile::NamedTempFile, Daemon) {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), (0..300).flat_map(|lba| block(1, lba)).collect::<Vec<_>>()).unwrap();
    let daemon = Daemon::start(&[image.path().to_str().unwrap()]);
    (image, daemon)
}

/// No front-end can be asked for a seal against this: QEMU's has none.
#[test]
fn a_front_end_whose_memory_is_cut_off_loses_its_connection_and_the_next_one_is_served() {
    let (_image, mut daemon) = daemon();
    // The rings; what is behind a page of the buffers; everything.
    for (part, left) in [(0, 0), (1, 4096), (1, 0)] {
        let mut guest = daemon.guest(Options::default());
        take_attentions(&mut guest);
        // In the other region than the rings.
        guest.allocate(0x4000);
        for _ in 0..8 {
            guest.begin_quietly(REQUESTS, &Command::new(&READ, 2048));
        }
        guest.cut_memory(part, left);
        guest.kick(REQUESTS);
        // Ends when the daemon hangs up.
        while guest.frontend.get_features().is_ok() {}
        daemon.wait_for_line("is gone");
    }
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
}

#[test]
fn memory_that_is_cut_off_under_load_takes_the_connection_alone() {
    let (_image, daemon) = daemon();
    for round in 0..20 {
        let mut guest = daemon.guest(Options { request_queues: 4, ..Options::default() });
        take_attentions(&mut guest);
        guest.allocate(0x4000);
        for queue in REQUESTS..REQUESTS + 4 {
            for _ in 0..32 {
                guest.begin(queue, &Command::new(&READ, 2048));
            }
        }
        guest.cut_memory(1 - round % 2, 0);
        for queue in REQUESTS..REQUESTS + 4 {
            guest.kick(queue);
        }
        // Nobody may ever touch what is gone; then nobody minds.
        guest.frontend.get_features().ok();
    }
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
    daemon.signal(rustix::process::Signal::TERM);
    let (status, log) = daemon.end();
    assert!(status.success(), "{log:#?}");
}

#[test]
fn a_log_of_dirty_pages_that_is_cut_off_takes_the_connection_alone() {
    let (_image, mut daemon) = daemon();
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    let end = guest.regions().iter().map(|region| region.guest_phys_addr + region.memory_size).max().unwrap();
    let bytes = end / PAGE / 8;
    let log = File::from(memfd_create("log", MemfdFlags::CLOEXEC).unwrap());
    ftruncate(&log, bytes).unwrap();
    let region = VhostUserDirtyLogRegion { mmap_size: bytes, mmap_offset: 0, mmap_handle: log.as_raw_fd() };
    guest.frontend.set_log_base(0, Some(region)).unwrap();
    guest.take_features(LOG_ALL | Options::default().features);
    ftruncate(&log, 0).unwrap();
    guest.begin(REQUESTS, &Command::new(&READ, 2048));
    while guest.frontend.get_features().is_ok() {}
    daemon.wait_for_line("is gone");
    take_attentions(&mut daemon.guest(Options::default()));
}
