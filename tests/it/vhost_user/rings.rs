//! Starting, enabling and stopping rings.

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use spindle::drive::{Drive, Identity, Tray};
use vhost::vhost_user::VhostUserFrontend;

use super::served;
use crate::support::backend::Backend;
use crate::support::disc::block;
use crate::support::guest::{Command, EVENT_IDX, Guest, INDIRECT, Options, REQUESTS};

/// INQUIRY answers whatever unit attention is pending.
const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];

#[test]
fn a_ring_is_looked_at_when_it_is_enabled_kicked_or_not() {
    let (_drive, backend) = served();
    for kicked in [true, false] {
        let stream = UnixStream::connect(backend.path()).unwrap();
        let mut guest = Guest::negotiate(stream, Options::default());
        guest.start_ring(REQUESTS, 0);
        let pending = guest.begin_quietly(REQUESTS, &Command::new(&INQUIRY, 36));
        if kicked {
            guest.kick(REQUESTS);
        }
        guest.enable_ring(REQUESTS, true);
        assert_eq!(guest.finish(pending).data.len(), 36);
    }
}

/// What was announced through the old descriptor may never have been seen: QEMU looks at it once, before this message arrives.
#[test]
fn a_new_call_descriptor_is_called_for_what_was_served_before() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    let pending = guest.begin(REQUESTS, &Command::new(&INQUIRY, 36));
    guest.renew_call(REQUESTS);
    assert_eq!(guest.finish(pending).data.len(), 36);
    guest.renew_call(REQUESTS);
}

#[test]
fn a_ring_that_is_not_enabled_is_not_served() {
    let (_drive, backend) = served();
    let stream = UnixStream::connect(backend.path()).unwrap();
    let mut guest = Guest::negotiate(stream, Options { request_queues: 2, ..Options::default() });
    // Two rings of different workers or one, in any order: what the second answers comes after the first was kicked.
    for queue in [REQUESTS, REQUESTS + 1] {
        guest.start_ring(queue, 0);
    }
    guest.enable_ring(REQUESTS + 1, true);
    guest.begin(REQUESTS, &Command::new(&INQUIRY, 36));
    guest.command(REQUESTS + 1, &Command::new(&INQUIRY, 36));
    assert_eq!(guest.poll(REQUESTS), None);
    assert_eq!(guest.stop_ring(REQUESTS), 0);
}

#[test]
fn all_64_rings_are_served() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options { request_queues: 62, ..Options::default() });
    let pending: Vec<_> =
        (REQUESTS..REQUESTS + 62).map(|queue| guest.begin(queue, &Command::new(&INQUIRY, 36))).collect();
    for pending in pending {
        assert_eq!(guest.finish(pending).data.len(), 36);
    }
}

#[test]
fn a_ring_disabled_and_enabled_again_goes_on() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    for _ in 0..100 {
        guest.free_all();
        guest.enable_ring(REQUESTS, false);
        let pending = guest.begin(REQUESTS, &Command::new(&INQUIRY, 36));
        guest.enable_ring(REQUESTS, true);
        assert_eq!(guest.finish(pending).data.len(), 36);
    }
}

#[test]
fn a_stopped_ring_has_nothing_under_way_and_loses_nothing() {
    for features in [0, EVENT_IDX | INDIRECT] {
        let (_drive, backend) = served();
        let mut guest = backend.guest(Options { features, ring_size: 256, ..Options::default() });
        while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
        guest.stop_ring(REQUESTS);
        guest.renew_ring(REQUESTS, 0);
        guest.start_ring(REQUESTS, 0);
        for round in 0..20_u16 {
            guest.free_all();
            let cdbs: Vec<_> = (0..40_u8).map(|lba| [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0]).collect();
            let pending: Vec<_> = cdbs.iter().map(|cdb| guest.begin(REQUESTS, &Command::new(cdb, 2048))).collect();
            let base = guest.stop_ring(REQUESTS);
            // What was taken from the ring was given back, in order, and nothing changes any more.
            let mut used = Vec::new();
            while let Some((head, written)) = guest.poll(REQUESTS) {
                assert_eq!(head, pending[used.len()].head);
                used.push(written);
            }
            assert_eq!(base, round * 40 + used.len() as u16);
            guest.start_ring(REQUESTS, base);
            guest.kick(REQUESTS);
            for &pending in &pending[used.len()..] {
                used.push(guest.finish(pending).written);
            }
            for (lba, (pending, written)) in (0..).zip(pending.iter().zip(used)) {
                assert_eq!(guest.reply(*pending, written).data, block(1, lba));
            }
        }
    }
}

/// A worker that polls finds what nobody kicked for, on every ring that it was once kicked for, and rests afterwards.
#[test]
fn a_polling_worker_needs_no_kick_while_it_is_busy() {
    for features in [0, EVENT_IDX | INDIRECT] {
        let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
        let backend = Backend::polling(&[drive], Duration::from_millis(8));
        // The first and the last ring of one worker, whatever the number of workers.
        let mut guest = backend.guest(Options { features, request_queues: 13, ..Options::default() });
        let queues = [REQUESTS, REQUESTS + 12];
        let unkicked = |guest: &mut Guest| {
            let pending = queues.map(|queue| guest.begin(queue, &Command::new(&INQUIRY, 36)));
            for pending in pending {
                assert_eq!(guest.finish(pending).data.len(), 36);
            }
            let quiet = queues.map(|queue| guest.begin_quietly(queue, &Command::new(&INQUIRY, 36)));
            let deadline = Instant::now() + Duration::from_millis(50);
            let mut left = queues.to_vec();
            while !left.is_empty() && Instant::now() < deadline {
                left.retain(|&queue| guest.poll(queue).is_none());
            }
            // This machine had other things to do for so long that the worker rests.
            for (queue, pending) in queues.into_iter().zip(quiet).filter(|(queue, _)| left.contains(queue)) {
                guest.kick(queue);
                guest.finish(pending);
            }
            guest.free_all();
            left.is_empty()
        };
        assert!((0..500).any(|_| unkicked(&mut guest)), "features {features:x}");
        // After a while it needs a kick again, and sees it.
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).data.len(), 36);
        assert_eq!(guest.stop_ring(REQUESTS + 12) % 2, 0);
    }
}

#[test]
fn a_device_reset_is_a_power_on_and_its_rings_can_start_again() {
    let (drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
    // PREVENT ALLOW MEDIUM REMOVAL.
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x1E, 0, 0, 0, 1, 0], 0)).status, 0);
    assert_eq!(drive.snapshot().locked_by.len(), 1);
    guest.frontend.reset_device().unwrap();
    assert_eq!(drive.snapshot().locked_by.len(), 0);
    guest.stop_ring(REQUESTS);
    guest.renew_ring(REQUESTS, 0);
    guest.take_features(EVENT_IDX | INDIRECT);
    guest.start_ring(REQUESTS, 0);
    guest.enable_ring(REQUESTS, true);
    let reply = guest.command(REQUESTS, &Command::new(&[0; 6], 0));
    assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 6, 0x29));
}

#[test]
fn firmware_and_then_a_kernel_use_the_same_connection() {
    let (_drive, backend) = served();
    // SeaBIOS: no feature but VERSION_1, one request ring; the others are enabled but have no address.
    let stream = UnixStream::connect(backend.path()).unwrap();
    let mut guest = Guest::negotiate(stream, Options { features: 0, request_queues: 4, ..Options::default() });
    guest.start_ring(REQUESTS, 0);
    for queue in 0..REQUESTS + 4 {
        guest.enable_ring(queue, true);
    }
    assert_eq!(guest.command(REQUESTS, &Command::new(&INQUIRY, 36)).data.len(), 36);
    for queue in 0..REQUESTS + 4 {
        guest.enable_ring(queue, false);
    }
    guest.stop_ring(REQUESTS);
    // Linux: more features, all rings, other contents.
    guest.take_features(EVENT_IDX | INDIRECT);
    for queue in 0..REQUESTS + 4 {
        guest.renew_ring(queue, 0);
        guest.start_ring(queue, 0);
        guest.enable_ring(queue, true);
    }
    for queue in REQUESTS..REQUESTS + 4 {
        assert_eq!(guest.command(queue, &Command::new(&INQUIRY, 36)).data.len(), 36);
    }
}
