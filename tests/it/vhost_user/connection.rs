//! Connections: what a front-end may ask, how it may leave, and what the next one finds.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::json;
use spindle::drive::{Drive, Identity, Tray};
use spindle::vhost_user::{Endpoint, Relay, Server};
use vhost::vhost_user::VhostUserFrontend;
use vhost::vhost_user::message::VhostUserProtocolFeatures as Protocol;
use vhost::{VhostBackend, VringConfigData};

use super::served;
use crate::support::backend::Backend;
use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::guest::{CONTROL, Command, Guest, Options, REQUESTS};
use crate::support::message::{GET_FEATURES, SET_VRING_CALL, SET_VRING_KICK, SET_VRING_NUM, message, send_to_the_end};

const TEST_UNIT_READY: [u8; 6] = [0; 6];
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 7, 0, 0, 1, 0];

/// Sense key, ASC and ASCQ of each unit attention that is pending, in order.
fn attentions(guest: &mut Guest) -> Vec<(u8, u8)> {
    std::iter::from_fn(|| {
        let reply = guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0));
        (reply.status == 2 && reply.sense[2] & 0xF == 6).then(|| (reply.sense[12], reply.sense[13]))
    })
    .collect()
}

#[test]
fn every_feature_that_qemu_lets_through_is_offered_and_no_other() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    // INOUT, HOTPLUG, CHANGE; NOTIFY_ON_EMPTY, LOG_ALL, ANY_LAYOUT, INDIRECT_DESC, EVENT_IDX, PROTOCOL_FEATURES;
    // VERSION_1. Not T10_PI, RING_PACKED, IN_ORDER.
    let expected = 0b111 | 1 << 24 | 1 << 26 | 1 << 27 | 1 << 28 | 1 << 29 | 1 << 30 | 1 << 32;
    assert_eq!(guest.frontend.get_features().unwrap(), expected);
    // Not INFLIGHT_SHMFD nor STATUS, which the back-end crate does not have, nor CONFIG, which is QEMU's own.
    let expected = Protocol::MQ
        | Protocol::REPLY_ACK
        | Protocol::LOG_SHMFD
        | Protocol::CONFIGURE_MEM_SLOTS
        | Protocol::RESET_DEVICE;
    assert_eq!(guest.frontend.get_protocol_features().unwrap(), expected);
    assert_eq!(guest.frontend.get_queue_num().unwrap(), 64);
    assert_eq!(guest.frontend.get_max_mem_slots().unwrap(), 509);
}

#[test]
fn the_next_front_end_finds_the_disc_in_a_drive_that_was_just_switched_on() {
    let (drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    assert_eq!(attentions(&mut guest), [(0x29, 0)]);
    for prevent in [1, 2, 3] {
        assert_eq!(guest.command(REQUESTS, &Command::new(&[0x1E, 0, 0, 0, prevent, 0], 0)).status, 0);
    }
    drop(guest);
    let mut guest = backend.guest(Options::default());
    assert_eq!(attentions(&mut guest), [(0x29, 0)]);
    assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).data, block(1, 7));
    assert!(drive.snapshot().locked_by.is_empty());
}

#[test]
fn the_tray_stays_as_it_is_between_front_ends() {
    let (drive, backend) = served();
    let mut guest = backend.guest(Options::default());
    attentions(&mut guest);
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x1B, 0, 0, 0, 2, 0], 0)).status, 0);
    drop(guest);
    let mut guest = backend.guest(Options::default());
    attentions(&mut guest);
    let reply = guest.command(REQUESTS, &Command::new(&TEST_UNIT_READY, 0));
    assert_eq!((reply.sense[2], reply.sense[12], reply.sense[13]), (2, 0x3A, 2));
    assert_eq!(drive.snapshot().tray, Tray::Open);
}

#[test]
fn a_front_end_that_asks_for_a_65th_ring_is_left_and_the_next_one_served() {
    let (_drive, backend) = served();
    // QEMU's first word about a ring is its call descriptor; here without one (bit 8).
    for request in [message(SET_VRING_NUM, &[64, 128]), message(SET_VRING_CALL, &[0x100 | 64, 0])] {
        // The back-end hangs up: this side does not.
        let mut stream = UnixStream::connect(backend.path()).unwrap();
        stream.write_all(&request).unwrap();
        assert_eq!(stream.read(&mut [0; 64]).unwrap(), 0);
    }
    attentions(&mut backend.guest(Options::default()));
}

#[test]
fn a_front_end_that_talks_nonsense_is_left_and_the_next_one_served() {
    let (_drive, backend) = served();
    for nonsense in [
        &b""[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xFF; 4096],
        // Half a header; a header that promises more than follows; one that promises 4 GiB.
        &[1, 0, 0, 0, 1],
        &[2, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0, 1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF],
    ] {
        send_to_the_end(UnixStream::connect(backend.path()).unwrap(), nonsense);
    }
    attentions(&mut backend.guest(Options::default()));
}

#[test]
fn a_message_with_any_payload_harms_nobody() {
    let (_drive, backend) = served();
    for request in 0..64 {
        for payload in [&[][..], &[0; 2], &[u32::MAX; 2], &[1, 0, 8, 0, 0, 0, 0, 0, 0, 0], &[u32::MAX; 66]] {
            let stream = UnixStream::connect(backend.path()).unwrap();
            send_to_the_end(stream, &message(request, payload));
        }
    }
    attentions(&mut backend.guest(Options::default()));
}

#[test]
fn a_ring_outside_the_memory_is_refused_and_the_next_front_end_served() {
    let (_drive, backend) = served();
    for address in [0, 0x10, u64::MAX - 15] {
        let mut guest = backend.guest(Options::default());
        guest.stop_ring(REQUESTS);
        let addresses = VringConfigData {
            queue_max_size: 128,
            queue_size: 128,
            flags: 0,
            desc_table_addr: address,
            used_ring_addr: address,
            avail_ring_addr: address,
            log_addr: None,
        };
        assert!(guest.frontend.set_vring_addr(REQUESTS, &addresses).is_err(), "{address:#x}");
    }
    attentions(&mut backend.guest(Options::default()));
}

#[test]
fn a_front_end_that_leaves_with_requests_under_way_harms_nobody() {
    let (_drive, backend) = served();
    for _ in 0..20 {
        let mut guest = backend.guest(Options { request_queues: 4, ..Options::default() });
        for queue in REQUESTS..REQUESTS + 4 {
            for _ in 0..8 {
                guest.begin(queue, &Command::new(&READ, 2048));
            }
        }
    }
    attentions(&mut backend.guest(Options::default()));
}

/// The memory outlives the connection, and so does whoever writes there: a ring that is never empty holds up nobody else.
#[test]
fn a_guest_that_still_asks_when_its_connection_has_ended_is_left() {
    let (_drive, backend) = served();
    let mut guest = backend.guest(Options { ring_size: 1024, ..Options::default() });
    attentions(&mut guest);
    // READ CD of 70 whole sectors: what a full ring asks for takes a while, so that whoever asks comes in time with more.
    let pending = guest.begin(REQUESTS, &Command::new(&[0xBE, 0, 0, 0, 0, 0, 0, 0, 70, 0xF8, 0, 0], 70 * 2352));
    guest.finish(pending);
    let stop = Arc::new(AtomicBool::new(false));
    let asking = guest.keep_asking(REQUESTS, pending.head, Arc::clone(&stop));
    // Until the worker is in the ring for good.
    while guest.used_index(REQUESTS) < 100 {
        guest.kick(REQUESTS);
        std::thread::yield_now();
    }
    guest.hang_up();
    let (path, (sender, served)) = (backend.path(), std::sync::mpsc::channel());
    std::thread::spawn(move || sender.send(attentions(&mut Guest::connect(&path, Options::default()))));
    let next = served.recv_timeout(std::time::Duration::from_secs(240));
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    asking.join().unwrap();
    assert_eq!(next.expect("the next front-end is served"), [(0x29, 0)]);
}

#[test]
fn connections_leave_no_descriptor_and_no_thread_behind() {
    // Counts what the daemon's process has: the tests' own has other tests.
    let daemon = Daemon::start(&[]);
    // A guest is only served when the one before is gone entirely.
    let counts = || {
        let _guest = daemon.guest(Options::default());
        (daemon.descriptors(), daemon.threads())
    };
    let before = counts();
    for _ in 0..10 {
        daemon.guest(Options { request_queues: 62, ..Options::default() });
    }
    let after = counts();
    assert!(after.0 < before.0 + 5 && after.1 < before.1 + 5, "{before:?} then {after:?}");
}

/// A delay outlives the connection of the request that waits for it.
#[test]
fn connections_that_end_while_a_request_waits_leave_no_descriptor_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (image, control) = (folder.path().join("image"), folder.path().join("control"));
    crate::support::host::patterned_file(&image, 1, 300);
    let daemon = Daemon::start(&["--control", control.to_str().unwrap(), image.to_str().unwrap()]);
    Client::negotiated(&control).ok("fault-add", json!({ "kind": "delay", "seconds": 3600 }));
    let descriptors = || {
        let mut guest = daemon.guest(Options { request_queues: 8, ..Options::default() });
        attentions(&mut guest);
        guest.begin(REQUESTS, &Command::new(&READ, 2048));
        // Its worker has seen it when it has answered in its other rings.
        for queue in REQUESTS + 1..REQUESTS + 8 {
            assert_eq!(guest.command(queue, &Command::new(&TEST_UNIT_READY, 0)).status, 0);
        }
        daemon.descriptors()
    };
    let counts: Vec<_> = (0..20).map(|_| descriptors()).collect();
    assert!(counts[19] < counts[0] + 10, "{counts:?}");
}

#[test]
fn a_stream_that_is_connected_already_is_served_to_its_end() {
    let drive = Arc::new(Drive::new(Identity::named("cd0"), Tray::Closed));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let server = Server::new(&[drive]).unwrap();
    let serving = std::thread::spawn(move || server.run(Endpoint::Connected(Relay::new(theirs).unwrap()), false));
    let mut guest = Guest::over(ours, Options::default());
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x12, 0, 0, 0, 36, 0], 36)).data.len(), 36);
    drop(guest);
    serving.join().unwrap().unwrap();
}

#[test]
fn several_servers_in_one_process_do_not_mix() {
    let (_first, a) = served();
    let (_second, b) = served();
    let mut guest_a = a.guest(Options::default());
    let mut guest_b = b.guest(Options::default());
    attentions(&mut guest_a);
    assert_eq!(attentions(&mut guest_b)[0], (0x29, 0));
}

/// The next front-end is answered. A deadline far beyond what that takes: what it is about hangs for ever.
fn next_is_answered(backend: &Backend) {
    let mut stream = UnixStream::connect(backend.path()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&message(GET_FEATURES, &[])).unwrap();
    stream.read_exact(&mut [0; 20]).unwrap();
}

/// A front-end that gives the first two rings, which are of different workers, this descriptor.
fn with_descriptor(backend: &Backend, request: u32, descriptor: BorrowedFd<'_>) -> Guest {
    let stream = UnixStream::connect(backend.path()).unwrap();
    let raw = stream.try_clone().unwrap();
    let mut guest = Guest::over(stream, Options { request_queues: 2, ..Options::default() });
    for ring in [2, 3] {
        if request == SET_VRING_KICK {
            // One that is not stopped goes on with what it has; this starts it again.
            guest.stop_ring(ring as usize);
        }
        spindle::sys::descriptors::send(&raw, &message(request, &[ring, 0]), &[descriptor]).unwrap();
    }
    // Answered, so the ones before are done.
    guest.frontend.get_features().unwrap();
    guest
}

#[test]
fn a_call_descriptor_that_cannot_be_written_holds_up_no_end() {
    let (_drive, backend) = served();
    let (_reader, writer) = std::io::pipe().unwrap();
    let writer = OwnedFd::from(writer);
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[0; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let mut guest = with_descriptor(&backend, SET_VRING_CALL, writer.as_fd());
    for queue in [REQUESTS, REQUESTS + 1] {
        guest.begin(queue, &Command::new(&TEST_UNIT_READY, 0));
        while guest.poll(queue).is_none() {
            std::thread::yield_now();
        }
    }
    drop(guest);
    next_is_answered(&backend);
}

/// Whoever's file system it is on could have a worker wait for as long as it likes.
#[test]
fn a_call_descriptor_that_is_a_file_is_left_out() {
    let (_drive, backend) = served();
    let file = tempfile::tempfile().unwrap();
    let mut guest = with_descriptor(&backend, SET_VRING_CALL, file.as_fd());
    for queue in [REQUESTS, REQUESTS + 1] {
        guest.begin(queue, &Command::new(&TEST_UNIT_READY, 0));
        while guest.poll(queue).is_none() {
            std::thread::yield_now();
        }
        // It would be called by now.
        guest.stop_ring(queue);
    }
    assert_eq!(file.metadata().unwrap().len(), 0, "it was called");
}

#[test]
fn a_kick_descriptor_that_gives_too_little_holds_up_no_end() {
    let (_drive, backend) = served();
    let (reader, writer) = std::io::pipe().unwrap();
    let guest = with_descriptor(&backend, SET_VRING_KICK, reader.as_fd());
    // A kick has eight bytes.
    rustix::io::write(&writer, b"kic").unwrap();
    while rustix::io::ioctl_fionread(&reader).unwrap() > 0 {
        std::thread::yield_now();
    }
    drop(guest);
    next_is_answered(&backend);
}

/// It is a pipe, which has an end: no more can be read from it, and it says so for ever.
#[test]
fn a_kick_descriptor_that_cannot_be_read_ends_its_connection() {
    let (_drive, backend) = served();
    let (reader, writer) = std::io::pipe().unwrap();
    let guest = with_descriptor(&backend, SET_VRING_KICK, reader.as_fd());
    drop(writer);
    // Nobody would answer its rings any more. It asks for ever if nobody ends it.
    let deadline = Instant::now() + Duration::from_secs(60);
    while guest.frontend.get_features().is_ok() {
        assert!(Instant::now() < deadline, "the connection goes on");
    }
    next_is_answered(&backend);
}

/// Each chain that is returned makes another available: the two indices are one.
#[test]
fn a_ring_that_is_never_empty_ends_with_its_connection() {
    let (_drive, backend) = served();
    for queue in [CONTROL, REQUESTS] {
        let mut guest = backend.guest(Options::default());
        guest.stop_ring(queue);
        let at = guest.used_ring(queue).next_multiple_of(4096);
        guest.write(at, &vec![0; 4096]);
        guest.write(at + 2, &[5, 0]);
        guest.start_ring_at(queue, at, at);
        guest.kick(queue);
        // It runs: other rings of the connection do too.
        let other = if queue == CONTROL { REQUESTS } else { CONTROL };
        assert!(guest.frontend.get_features().is_ok() && guest.poll(other).is_none());
        while guest.read(at + 2, 2) == [5, 0] {
            std::thread::yield_now();
        }
        drop(guest);
        next_is_answered(&backend);
    }
}

#[test]
fn a_server_that_is_stopped_leaves_its_front_end() {
    let (_drive, backend): (_, Backend) = served();
    let mut guest = backend.guest(Options::default());
    attentions(&mut guest);
    drop(backend);
    assert!(guest.frontend.get_features().is_err());
}
