//! The guest's memory: shared in parts, and taken away again.

use std::sync::Arc;
use std::time::Duration;

use spindle::drive::{Drive, Identity, Tray};
use spindle::image::{OpenOptions, open_source};
use vhost::vhost_user::VhostUserFrontend;
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};

use super::served;
use crate::support::backend::Backend;
use crate::support::daemon::Daemon;
use crate::support::dirty_log::DirtyLog;
use crate::support::disc::{block, gated, of};
use crate::support::guest::{Command, END, Guest, Options, REQUESTS};

const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];

pub(super) fn take_attentions(guest: &mut Guest) {
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
        // It could not be answered, and waits.
        let pending = guest.begin(REQUESTS, &Command::new(&READ, 2048));
        guest.frontend.add_mem_region(&regions[1]).unwrap();
        assert_eq!(guest.finish(pending).data, block(1, 7));
    }
}

/// The crate hangs up as soon as it has the error. What is returned after that would be carried out twice by the next process.
#[test]
fn memory_that_is_refused_under_load_ends_the_connection_when_its_workers_are_at_rest() {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let (gate, _) = gated(1, 300, u32::MAX);
    // Its reads are the worker's.
    drive.change_medium(of(open_source(Arc::clone(&gate) as _, &OpenOptions::default()).unwrap().disc), false).unwrap();
    gate.open_up_to(100);
    let backend = Backend::serve(&[drive]);
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    let before = guest.used_index(REQUESTS);
    guest.begin(REQUESTS, &Command::new(&[0x28, 0, 0, 0, 0, 200, 0, 0, 1, 0], 2048));
    while gate.waiting() == 0 {
        std::thread::yield_now();
    }
    let region = VhostUserMemoryRegionInfo { guest_phys_addr: END, ..guest.regions()[1] };
    let beyond = VhostUserMemoryRegionInfo { mmap_offset: region.memory_size, ..region };
    let opener = std::thread::spawn({
        let gate = Arc::clone(&gate);
        move || {
            // Long enough to hang up meanwhile.
            std::thread::sleep(Duration::from_millis(300));
            gate.open();
        }
    });
    assert!(guest.frontend.add_mem_region(&beyond).is_err());
    assert_eq!(guest.used_index(REQUESTS), before + 1, "a request was under way when the connection ended");
    opener.join().unwrap();
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

/// QEMU takes a region away before it gives it back changed. The worker comes in between, and is not kicked again.
#[test]
fn a_kick_while_the_memory_of_its_ring_is_away_is_not_lost() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    let region = guest.regions()[0];
    guest.frontend.remove_mem_region(&region).unwrap();
    let pending = guest.begin(REQUESTS, &Command::new(&READ, 2048));
    // Time for the worker to look, without which this shows nothing.
    std::thread::sleep(std::time::Duration::from_millis(100));
    guest.frontend.add_mem_region(&region).unwrap();
    assert_eq!(guest.finish(pending).data, block(1, 7));
}

/// At whatever moment of a look it goes and comes. The driver kicks only when it must.
#[test]
fn memory_that_goes_while_a_ring_is_looked_at_stops_no_ring() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    take_attentions(&mut guest);
    let region = guest.regions()[0];
    for _ in 0..3000 {
        let pending = guest.begin(REQUESTS, &Command::new(&READ, 2048));
        guest.frontend.remove_mem_region(&region).unwrap();
        guest.frontend.add_mem_region(&region).unwrap();
        assert_eq!(guest.finish(pending).data, block(1, 7));
    }
}

/// A daemon with a disc, as a process: what it must survive would end the tests too.
pub(super) fn daemon() -> (tempfile::NamedTempFile, Daemon) {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), (0..300).flat_map(|lba| block(1, lba)).collect::<Vec<_>>()).unwrap();
    let daemon = Daemon::start(&[image.path().to_str().unwrap()]);
    (image, daemon)
}

/// And then the daemon ends as it should.
pub(super) fn the_next_one_is_served(daemon: Daemon) {
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
    daemon.signal(rustix::process::Signal::TERM);
    let (status, log) = daemon.end();
    assert!(status.success(), "{log:#?}");
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
    the_next_one_is_served(daemon);
}

#[test]
fn a_log_of_dirty_pages_that_is_cut_off_takes_the_connection_alone() {
    let (_image, mut daemon) = daemon();
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    let log = DirtyLog::begin(&mut guest);
    log.cut_off();
    guest.begin(REQUESTS, &Command::new(&READ, 2048));
    while guest.frontend.get_features().is_ok() {}
    daemon.wait_for_line("is gone");
    take_attentions(&mut daemon.guest(Options::default()));
}

/// The crate adds the length to the address without a look.
#[test]
fn a_region_that_goes_beyond_all_addresses_takes_the_connection_alone() {
    let (_image, mut daemon) = daemon();
    daemon.may_panic();
    let mut guest = daemon.guest(Options::default());
    take_attentions(&mut guest);
    let mut region = guest.regions().remove(1);
    guest.frontend.remove_mem_region(&region).unwrap();
    region.userspace_addr = u64::MAX - 0xFFF;
    if guest.frontend.add_mem_region(&region).is_ok() {
        let address = region.userspace_addr;
        let ring = VringConfigData {
            queue_max_size: 8,
            queue_size: 8,
            flags: 0,
            desc_table_addr: address,
            used_ring_addr: address,
            avail_ring_addr: address,
            log_addr: None,
        };
        let _ = guest.frontend.set_vring_addr(REQUESTS, &ring);
        while guest.frontend.get_features().is_ok() {}
    }
    daemon.wait_for_line("the connection ended");
    the_next_one_is_served(daemon);
}
