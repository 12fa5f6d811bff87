//! Storage that hangs when files are closed: nobody waits for a disc's, and for a descriptor's who passed it alone.

use std::fs::File;
use std::os::fd::AsFd;

use serde_json::json;

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::fuse::Fuse;
use crate::support::guest::{Command, Guest, Options, REQUESTS, Reply};
use crate::support::host::run;
use crate::support::wait::wait_until;

const BLOCKS: u32 = 400;
/// READ (10) of a block.
const READ: [u8; 10] = [0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0];

fn content(seed: u32) -> Vec<u8> {
    (0..BLOCKS).flat_map(|lba| block(seed, lba)).collect()
}

/// The first answer that is no unit attention.
fn settled(guest: &mut Guest, cdb: &[u8]) -> Reply {
    loop {
        let reply = guest.command(REQUESTS, &Command::new(cdb, 2048));
        if reply.status == 0 || reply.sense[2] & 0xF != 6 {
            return reply;
        }
    }
}

/// Lets go of the disc with `leave`, which is given a client, the guest and another image. Afterwards the guest reads that or finds no disc.
fn nobody_waits(leave: impl Fn(&mut Client, &mut Guest, &str), another: bool) {
    for kept in [false, true] {
        let fuse = Fuse::mount(content(1));
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        std::fs::write(at("local.iso"), content(2)).unwrap();
        let mut arguments = vec![
            format!("--control={}", at("control")),
            format!("--media-root={}", at("")),
            format!("--drive=name=cd0,image={}", fuse.path().display()),
        ];
        arguments.extend(kept.then(|| format!("--state-dir={}", at("state"))));
        let daemon = Daemon::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let _patience = fuse.patience();
        let mut guest = daemon.guest(Options::default());
        assert_eq!(settled(&mut guest, &READ).data, block(1, 5));
        let mut client = Client::negotiated(at("control").as_ref());
        fuse.set_closing_hanging();
        leave(&mut client, &mut guest, &at("local.iso"));
        wait_until("it is closed", || fuse.closing() > 0);
        let reply = settled(&mut guest, &READ);
        if another {
            assert_eq!(reply.data, block(2, 5));
        } else {
            assert_eq!((reply.status, reply.sense[2] & 0xF, reply.sense[12]), (2, 2, 0x3A));
        }
        assert!(run(env!("CARGO_BIN_EXE_spindle"), &["status", "--control", &at("control")]).contains("cd0"));
        client.ok("media-insert", json!({ "file": at("local.iso") }));
        assert_eq!(settled(&mut guest, &READ).data, block(2, 5));
        assert!(fuse.closing() > 0, "it does not hang any more");
    }
}

#[test]
fn another_disc_comes_while_the_one_before_hangs() {
    nobody_waits(|client, _, local| drop(client.ok("media-insert", json!({ "file": local }))), true);
}

#[test]
fn a_disc_is_ejected_while_it_hangs() {
    nobody_waits(|client, _, _| drop(client.ok("media-eject", json!({}))), false);
}

#[test]
fn a_disc_is_taken_out_of_an_open_tray_while_it_hangs() {
    let take = |client: &mut Client, _: &mut Guest, _: &str| {
        client.ok("blockdev-open-tray", json!({ "id": "cd0" }));
        client.ok("blockdev-remove-medium", json!({ "id": "cd0" }));
    };
    nobody_waits(take, false);
}

/// It goes under a command, so its ring lets go of it.
#[test]
fn a_disc_disappears_while_it_hangs() {
    let disappear = |client: &mut Client, guest: &mut Guest, _: &str| {
        client.ok("fault-add", json!({ "kind": "medium-gone", "first": 5, "last": 5 }));
        assert_eq!(guest.command(REQUESTS, &Command::new(&READ, 2048)).sense[12], 0x3A);
    };
    nobody_waits(disappear, false);
}

#[test]
fn a_descriptor_that_is_refused_holds_up_nobody_else_when_it_is_closed() {
    let fuse = Fuse::mount(block(1, 0).to_vec());
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let daemon = Daemon::start(&["--control", control.to_str().unwrap()]);
    let client = || Client::negotiated(&control);
    let _patience = fuse.patience();
    // The only descriptor of the file is passed: every program that is started would close its copy of another.
    let mut refused = client();
    refused.send_with(b" ", &[File::open(fuse.path()).unwrap().as_fd()]);
    fuse.set_closing_hanging();
    refused.send(br#"{"execute": "add-fd", "arguments": {"fdset-id": -1}}"#);
    wait_until("it is closed", || fuse.closing() > 0);
    // One that uses the sets, one that leaves, one that comes after it; and a guest whose command is told to all.
    let mut other = client();
    assert_eq!(other.ok("query-fdsets", json!({})), json!([]));
    drop(other);
    let mut next = client();
    let mut guest = daemon.guest(Options::default());
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x12, 0, 0, 0, 36, 0], 36)).status, 0);
    next.ok("tray-open", json!({}));
    assert_eq!(next.event().0, "DEVICE_TRAY_MOVED");
    fuse.release();
    assert!(refused.answer()["error"]["desc"].as_str().unwrap().contains("non-negative"));
}
