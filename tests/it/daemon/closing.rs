//! Files whose storage does not even let them be closed: who closes one waits, and nobody else.

use std::fs::File;
use std::os::fd::AsFd;

use serde_json::json;

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::disc::block;
use crate::support::fuse::Fuse;
use crate::support::guest::{Command, Guest, Options, REQUESTS};

struct Place {
    folder: tempfile::TempDir,
    daemon: Daemon,
}

impl Place {
    /// A daemon that keeps what its drive holds.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let daemon = Daemon::start(&["--control", &at("control"), "--state-dir", &at("state")]);
        Self { folder, daemon }
    }

    fn client(&self) -> Client {
        Client::negotiated(&self.folder.path().join("control"))
    }

    /// A client that has passed the only descriptor of the file: every program that is started would close its copy of another.
    fn passes(&self, fuse: &Fuse) -> Client {
        let mut client = self.client();
        client.send_with(b" ", &[File::open(fuse.path()).unwrap().as_fd()]);
        client
    }
}

#[test]
fn a_descriptor_that_is_refused_holds_up_nobody_else_when_it_is_closed() {
    let fuse = Fuse::mount(block(1, 0).to_vec());
    let place = Place::new();
    let _patience = fuse.patience();
    let mut refused = place.passes(&fuse);
    fuse.set_staying_open();
    refused.send(br#"{"execute": "add-fd", "arguments": {"fdset-id": -1}}"#);
    fuse.wait_for_closing();
    // One that uses the sets, one that leaves, one that comes after it; and a guest whose command is told to all.
    let mut other = place.client();
    assert_eq!(other.ok("query-fdsets", json!({})), json!([]));
    drop(other);
    let mut next = place.client();
    let mut guest = place.daemon.guest(Options::default());
    assert_eq!(guest.command(REQUESTS, &Command::new(&[0x12, 0, 0, 0, 36, 0], 36)).status, 0);
    next.ok("tray-open", json!({}));
    assert_eq!(next.event().0, "DEVICE_TRAY_MOVED");
    fuse.release();
    assert!(refused.answer()["error"]["desc"].as_str().unwrap().contains("non-negative"));
}

/// The disc goes with the client's command, which waits; the drive does not.
#[test]
fn a_disc_that_is_changed_holds_up_no_guest_when_it_is_closed() {
    let fuse = Fuse::mount((0..64).flat_map(|lba| block(1, lba)).collect());
    let place = Place::new();
    let local = place.folder.path().join("local.iso");
    std::fs::write(&local, (0..64).flat_map(|lba| block(2, lba)).collect::<Vec<_>>()).unwrap();
    let _patience = fuse.patience();
    let mut first = place.passes(&fuse);
    first.ok("add-fd", json!({ "fdset-id": 1 }));
    first.send_with(br#"{"execute": "add-fd", "arguments": {"fdset-id": 2}}"#, &[File::open(local).unwrap().as_fd()]);
    first.answer();
    first.ok("media-insert", json!({ "file": "/dev/fdset/1" }));
    let mut guest = place.daemon.guest(Options::default());
    settle(&mut guest);
    fuse.set_staying_open();
    let change = json!({ "id": "cd0", "filename": "/dev/fdset/2" });
    first.send(json!({ "execute": "blockdev-change-medium", "arguments": change }).to_string().as_bytes());
    fuse.wait_for_closing();
    assert_eq!(place.client().ok("drive-query", json!({}))[0]["medium"]["locator"], "/dev/fdset/2");
    // It takes unit attentions, which is kept.
    settle(&mut guest);
    let read = Command::new(&[0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0], 2048);
    assert_eq!(guest.command(REQUESTS, &read).data, block(2, 9));
    fuse.release();
    assert_eq!(first.answer()["return"], json!({}));
}

fn settle(guest: &mut Guest) {
    while guest.command(REQUESTS, &Command::new(&[0; 6], 0)).status != 0 {}
}
