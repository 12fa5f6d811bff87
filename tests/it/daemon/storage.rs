//! Storage that fails under a running daemon: errors of some ranges, ranges that do not come, files that are taken away.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::fuse::Fuse;
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply, lun};
use crate::support::host::run;
use crate::support::images::described::cso;

const BLOCKS: u32 = 400;

fn content(seed: u32) -> Vec<u8> {
    (0..BLOCKS).flat_map(|lba| block(seed, lba)).collect()
}

fn bytes(first: u64, end: u64) -> std::ops::Range<u64> {
    first * 2048..end * 2048
}

fn read(lba: u32, blocks: u8) -> [u8; 10] {
    let [a, b, c, d] = lba.to_be_bytes();
    [0x28, 0, a, b, c, d, 0, 0, blocks, 0]
}

fn settle(guest: &mut Guest, unit: u16) {
    while guest.command(REQUESTS, &Command { lun: lun(unit), ..Command::new(&[0; 6], 0) }).status != 0 {}
}

fn command(guest: &mut Guest, queue: usize, unit: u16, cdb: &[u8; 10]) -> Reply {
    guest.command(queue, &Command { lun: lun(unit), ..Command::new(cdb, usize::from(cdb[8]) * 2048) })
}

/// Pages of a file have 4,096 bytes, so of two blocks both are bad.
#[test]
fn ranges_with_io_errors_are_medium_errors_of_their_sectors_and_no_others() {
    let fuse = Fuse::mount(content(1));
    let daemon = Daemon::start(&[fuse.path().to_str().unwrap()]);
    fuse.set_bad(bytes(100, 104));
    fuse.set_bad(bytes(200, 202));
    let mut guest = daemon.guest(Options::default());
    settle(&mut guest, 0);
    for round in 0..2 {
        for lba in (0..BLOCKS).step_by(8) {
            guest.free_all();
            let reply = command(&mut guest, REQUESTS, 0, &read(lba, 8));
            let bad = [100, 200].into_iter().find(|bad| (lba..lba + 8).contains(bad));
            let given = bad.map_or(8, |bad| bad - lba);
            assert_eq!(
                reply.data,
                (lba..lba + given).flat_map(|lba| block(1, lba)).collect::<Vec<_>>(),
                "round {round}"
            );
            match bad {
                Some(bad) => {
                    assert_eq!((reply.status, reply.sense[0], reply.sense[2] & 0xF), (2, 0xF0, 3));
                    assert_eq!((&reply.sense[12..14], &reply.sense[3..7]), (&[0x11, 0][..], &bad.to_be_bytes()[..]));
                }
                None => assert_eq!(reply.status, 0, "block {lba}"),
            }
        }
    }
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(103, 1)).sense[3..7], 103_u32.to_be_bytes());
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(104, 1)).data, block(1, 104));
}

#[test]
fn storage_that_does_not_answer_holds_up_neither_the_other_drive_nor_persons() {
    let fuse = Fuse::mount(content(1));
    let folder = tempfile::tempdir().unwrap();
    let (local, control) = (folder.path().join("local.iso"), folder.path().join("control"));
    std::fs::write(&local, content(2)).unwrap();
    let drives =
        [("cd0", fuse.path()), ("cd1", local)].map(|(name, path)| format!("name={name},image={}", path.display()));
    let daemon = Daemon::start(&[
        "--read-deadline",
        "10",
        "--control",
        control.to_str().unwrap(),
        "--drive",
        &drives[0],
        "--drive",
        &drives[1],
    ]);
    let _patience = fuse.patience();
    // More rings than workers, so that some have one in common.
    const RINGS: usize = 8;
    let mut guest = daemon.guest(Options { request_queues: RINGS, ..Options::default() });
    settle(&mut guest, 0);
    settle(&mut guest, 1);
    fuse.set_hanging(bytes(200, BLOCKS.into()));
    let pending = guest.begin(REQUESTS, &Command::new(&read(300, 8), 8 * 2048));
    while fuse.waiting() == 0 {
        std::thread::yield_now();
    }
    let began = Instant::now();
    for queue in REQUESTS + 1..REQUESTS + RINGS {
        assert_eq!(command(&mut guest, queue, 1, &read(300, 1)).data, block(2, 300));
        assert_eq!(command(&mut guest, queue, 0, &read(50, 1)).data, block(1, 50));
    }
    let mut client = Client::negotiated(&control);
    assert_eq!(client.ok("drive-query", json!({}))[0]["name"], "cd0");
    // They were answered before the deadline.
    assert!(guest.poll(REQUESTS).is_none(), "after {:?}", began.elapsed());
    // LOGICAL UNIT IS IN PROCESS OF BECOMING READY: initiators try again.
    let reply = guest.finish(pending);
    assert_eq!((reply.status, reply.sense[2] & 0xF, &reply.sense[12..14]), (2, 2, &[4, 1][..]));
    let (event, data) = client.event();
    assert_eq!((event.as_str(), &data["block"]), ("SPINDLE_READ_ERROR", &json!(300)));
    fuse.release();
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(300, 8)).data.len(), 8 * 2048);
}

/// With a deadline the read hangs in a thread of its own, without one in a worker.
#[test]
fn a_daemon_whose_storage_hangs_ends_when_it_is_asked_to() {
    for deadline in ["20", "0"] {
        let fuse = Fuse::mount(content(1));
        let mut daemon = Daemon::start(&["--read-deadline", deadline, fuse.path().to_str().unwrap()]);
        let _patience = fuse.patience();
        let mut guest = daemon.guest(Options::default());
        settle(&mut guest, 0);
        fuse.set_hanging(bytes(200, BLOCKS.into()));
        guest.begin(REQUESTS, &Command::new(&read(300, 8), 8 * 2048));
        while fuse.waiting() == 0 {
            std::thread::yield_now();
        }
        daemon.signal(rustix::process::Signal::TERM);
        if deadline == "0" {
            daemon.wait_for_line("is left behind");
        }
        // It has done all that it had to; the kernel ends the thread that hangs when the storage answers.
        while daemon.path().exists() {
            std::thread::yield_now();
        }
        fuse.release();
        let (status, log) = daemon.end();
        assert!(status.success(), "{log:#?}");
    }
}

/// Each of them is waited for, but all at the same time.
#[test]
fn clients_whose_images_hang_hold_up_no_end() {
    let fuse = Fuse::mount(content(1));
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let daemon = Daemon::start(&["--sandbox", "none", "--control", control.to_str().unwrap()]);
    let _patience = fuse.patience();
    fuse.set_hanging(bytes(0, BLOCKS.into()));
    let insert = json!({ "execute": "media-insert", "arguments": { "file": fuse.path() } });
    let clients: Vec<_> = (0..30)
        .map(|_| {
            let mut client = Client::negotiated(&control);
            client.send(format!("{insert}\n").as_bytes());
            client
        })
        .collect();
    while fuse.waiting() == 0 {
        std::thread::yield_now();
    }
    daemon.signal(rustix::process::Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(60);
    while daemon.path().exists() {
        assert!(Instant::now() < deadline, "it waits for one after the other");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(clients);
    fuse.release();
    let (status, log) = daemon.end();
    assert!(status.success(), "{log:#?}");
}

/// An image is looked at before anything is changed, for as long as its storage hangs.
#[test]
fn an_insert_that_hangs_holds_up_neither_other_clients_nor_guests() {
    let fuse = Fuse::mount(content(1));
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (seed, name) in [(2, "first.iso"), (3, "second.iso")] {
        std::fs::write(at(name), content(seed)).unwrap();
    }
    let remote = fuse.path().to_str().unwrap().to_owned();
    let daemon = Daemon::start(&[
        &format!("--control={}", at("control")),
        &format!("--media-root={}", at("")),
        &format!("--media-root={}", fuse.path().parent().unwrap().display()),
        &format!("--drive=name=cd0,image={}", at("first.iso")),
        &format!("--drive=name=cd1,image={}", at("second.iso")),
    ]);
    let _patience = fuse.patience();
    let mut guest = daemon.guest(Options::default());
    settle(&mut guest, 0);
    settle(&mut guest, 1);
    fuse.set_hanging(bytes(0, BLOCKS.into()));
    let mut hanging = Client::negotiated(at("control").as_ref());
    let insert = json!({ "execute": "media-insert", "arguments": { "drive": "cd0", "file": remote } });
    hanging.send(insert.to_string().as_bytes());
    while fuse.waiting() == 0 {
        std::thread::yield_now();
    }
    let mut other = Client::negotiated(at("control").as_ref());
    assert_eq!(other.ok("drive-query", json!({}))[0]["medium"]["locator"], at("first.iso"));
    other.ok("media-eject", json!({ "drive": "cd1" }));
    assert!(run(env!("CARGO_BIN_EXE_spindle"), &["status", "--control", &at("control")]).contains("cd1: empty"));
    other.ok("media-insert", json!({ "drive": "cd1", "file": at("second.iso") }));
    settle(&mut guest, 1);
    assert_eq!(command(&mut guest, REQUESTS, 1, &read(300, 1)).data, block(3, 300));
    // The drive itself too.
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(300, 1)).data, block(2, 300));
    other.ok("tray-open", json!({ "drive": "cd0" }));
    other.ok("tray-close", json!({ "drive": "cd0" }));
    assert!(fuse.waiting() > 0, "it does not hang any more");
    fuse.release();
    assert_eq!(hanging.answer()["return"]["locator"], remote);
    settle(&mut guest, 0);
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(300, 1)).data, block(1, 300));
}

#[test]
fn an_image_that_is_deleted_or_replaced_stays_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disc.iso");
    std::fs::write(&path, content(1)).unwrap();
    let daemon = Daemon::start(&[path.to_str().unwrap()]);
    let mut guest = daemon.guest(Options::default());
    settle(&mut guest, 0);
    let all_as_before = |guest: &mut Guest| {
        for lba in (0..BLOCKS).step_by(8) {
            guest.free_all();
            let wanted: Vec<_> = (lba..lba + 8).flat_map(|lba| block(1, lba)).collect();
            assert_eq!(command(guest, REQUESTS, 0, &read(lba, 8)).data, wanted);
        }
    };
    let other = folder.path().join("other.iso");
    std::fs::write(&other, content(2)).unwrap();
    std::fs::rename(&other, &path).unwrap();
    all_as_before(&mut guest);
    std::fs::remove_file(&path).unwrap();
    all_as_before(&mut guest);
}

/// Blocks of 16 MB, packed into 8, and little more memory than the daemon has: what is kept makes room for what is read, where an
/// allocation would have ended the process.
#[test]
fn where_memory_runs_out_the_cache_gives_way() {
    const BLOCK: usize = 16 << 20;
    const BLOCKS: usize = 8;
    // Half of each sector does not pack, so a packed block is long as well.
    let sector = |lba: u32| block(1, lba)[..1024].iter().copied().chain([0; 1024]).collect::<Vec<_>>();
    let data: Vec<u8> = (0..(BLOCKS * BLOCK / 2048) as u32).flat_map(sector).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disc.zso");
    let options = cso::Options { version: 1, zso: true, block: BLOCK, shift: 0 };
    std::fs::write(&path, cso::file(&data, options)).unwrap();
    let daemon = Daemon::start(&["--cache-size", "1G", path.to_str().unwrap()]);
    let mut guest = daemon.guest(Options::default());
    settle(&mut guest, 0);
    // All threads are there, and each has what it needs.
    assert_eq!(command(&mut guest, REQUESTS, 0, &read(0, 1)).data, data[..2048]);
    daemon.limit_memory((daemon.memory("VmSize") << 10) + (2 << 20));
    for _ in 0..2 {
        for block in 0..BLOCKS {
            guest.free_all();
            let lba = block * BLOCK / 2048 + 5;
            let reply = command(&mut guest, REQUESTS, 0, &read(lba as u32, 8));
            assert_eq!(reply.status, 0, "block {block}: {:x?}", reply.sense);
            assert!(reply.data == data[lba * 2048..][..8 * 2048], "block {block}");
        }
    }
}
