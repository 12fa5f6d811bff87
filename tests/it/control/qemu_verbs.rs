//! QEMU's verbs, with QEMU's meaning (QEMU, qapi/block.json and qapi/block-core.json).

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use serde_json::{Value, json};

use super::{first_byte, guest, is_open, locator, lock};
use crate::support::control::Control;

#[test]
fn query_block_shows_device_tray_lock_and_medium() {
    let control = Control::start(&["cd0", "cd1"]);
    let mut client = control.client();
    let devices = client.ok("query-block", json!({}));
    let empty = json!({
        "device": "cd0", "qdev": "cd0", "type": "unknown", "removable": true, "locked": false, "tray_open": false,
    });
    assert_eq!((&devices[0], &devices[1]["device"]), (&empty, &json!("cd1")));

    let image = control.image("disc", 7, 100);
    client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": image }));
    let guest = guest(&control);
    lock(&guest, true);
    let device = client.ok("query-block", json!({}))[0].take();
    assert_eq!((&device["locked"], &device["tray_open"]), (&json!(true), &json!(false)));
    let inserted = &device["inserted"];
    assert_eq!((&inserted["file"], &inserted["drv"], &inserted["ro"]), (&json!(image), &json!("iso"), &json!(true)));
    assert_eq!(inserted["image"]["virtual-size"], 100 * 2048);
    lock(&guest, false);
    client.ok("blockdev-open-tray", json!({ "id": "cd0" }));
    assert_eq!(client.ok("query-block", json!({}))[0]["tray_open"], true);
}

#[test]
fn the_steps_of_a_change_by_hand() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let guest = guest(&control);
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": first }));
    assert_eq!(first_byte(&guest), 1);

    client.ok("media-open", json!({ "node-name": "next", "file": second }));
    let closed = client.refused("blockdev-remove-medium", json!({ "id": "cd0" }));
    assert_eq!(closed, ("GenericError".to_owned(), "Tray of device 'cd0' is not open".to_owned()));
    client.ok("blockdev-open-tray", json!({ "id": "cd0" }));
    let full = client.refused("blockdev-insert-medium", json!({ "id": "cd0", "node-name": "next" }));
    assert!(full.1.contains("already is a medium"), "{}", full.1);
    client.ok("blockdev-remove-medium", json!({ "id": "cd0" }));
    client.ok("blockdev-remove-medium", json!({ "id": "cd0" }));
    client.ok("blockdev-insert-medium", json!({ "id": "cd0", "node-name": "next" }));
    client.ok("blockdev-close-tray", json!({ "id": "cd0" }));
    client.ok("media-close", json!({ "node-name": "next" }));
    assert_eq!(first_byte(&guest), 2);
    assert_eq!(client.refused("media-close", json!({ "node-name": "next" })).1, "Node 'next' not found");
    let gone = client.refused("blockdev-insert-medium", json!({ "id": "cd0", "node-name": "next" }));
    assert_eq!(gone.1, "Node 'next' not found");
    client.ok("eject", json!({ "device": "cd0" }));
    client.ok("blockdev-close-tray", json!({ "id": "cd0" }));
    let closed = client.refused("blockdev-remove-medium", json!({ "id": "cd0" }));
    assert_eq!(closed.1, "Tray of device 'cd0' is not open", "also when it is empty");
    client.ok("media-open", json!({ "node-name": "next", "file": first }));
    let not_open = client.refused("blockdev-insert-medium", json!({ "id": "cd0", "node-name": "next" }));
    assert_eq!(not_open.1, "Tray of device 'cd0' is not open");
}

#[test]
fn a_device_is_named_once_and_must_exist() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for verb in ["eject", "blockdev-open-tray", "blockdev-close-tray"] {
        client.ok(verb, json!({ "device": "cd0" }));
        client.ok(verb, json!({ "id": "cd0" }));
        for arguments in [json!({}), json!({ "device": "cd0", "id": "cd0" })] {
            assert_eq!(client.refused(verb, arguments).1, "Need exactly one of 'device' and 'id'");
        }
        let (class, words) = client.refused(verb, json!({ "id": "cd9" }));
        assert_eq!((class.as_str(), words.as_str()), ("DeviceNotFound", "Device 'cd9' not found"));
    }
}

#[test]
fn a_locked_tray_asks_the_guest() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": first }));
    let guest = guest(&control);
    lock(&guest, true);
    let asked = || guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF == 1;
    for (verb, arguments) in
        [("eject", json!({ "id": "cd0" })), ("blockdev-change-medium", json!({ "id": "cd0", "filename": second }))]
    {
        let (class, words) = client.refused(verb, arguments);
        assert_eq!(class, "GenericError");
        assert_eq!(words, "Device 'cd0' is locked and force was not specified, wait for tray to open and try again");
        assert!(asked(), "{verb}");
        assert!(!is_open(control.drive()));
    }
    // QEMU does not wait here, and has no error: the event tells.
    client.ok("blockdev-open-tray", json!({ "id": "cd0" }));
    assert!(asked());
    assert!(!is_open(control.drive()));
    client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": second, "force": true }));
    assert_eq!(first_byte(&guest), 2);
    lock(&guest, true);
    client.ok("eject", json!({ "device": "cd0", "force": true }));
    assert!(is_open(control.drive()));
    assert_eq!(locator(control.drive()), None);
}

#[test]
fn change_medium_takes_what_a_cd_has() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let image = control.image("disc", 1, 10);
    let change = |more: Value| {
        let mut arguments = json!({ "id": "cd0", "filename": image });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    for fine in [
        json!({ "format": "raw" }),
        json!({ "format": "iso" }),
        json!({ "read-only-mode": "retain" }),
        json!({ "read-only-mode": "read-only" }),
    ] {
        client.ok("blockdev-change-medium", change(fine));
    }
    for (bad, words) in [
        (json!({ "format": "qcow2" }), "is of format iso, not qcow2"),
        (json!({ "read-only-mode": "read-write" }), "read-only"),
        (json!({ "read-only-mode": "x" }), "does not accept value 'x'"),
    ] {
        let refused = client.refused("blockdev-change-medium", change(bad));
        assert!(refused.1.contains(words), "{}", refused.1);
    }
    let empty = control.image("empty", 0, 0);
    for (path, words) in [
        (empty.as_str(), "the file is empty"),
        ("/no/such", "/no/such"),
        ("/", "/"),
        ("/dev/fdset/3", "no fd set 3"),
        ("/dev/fdset/x", "not the number"),
    ] {
        let (class, said) = client.refused("blockdev-change-medium", json!({ "id": "cd0", "filename": path }));
        assert_eq!(class, "GenericError");
        assert!(said.contains(words), "{path}: {said}");
        assert_eq!(locator(control.drive()).as_deref(), Some(image.as_str()), "the old disc stays");
        assert!(!is_open(control.drive()));
    }
}

#[test]
fn descriptors_are_passed_kept_in_sets_and_closed() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    assert_eq!(client.ok("query-fdsets", json!({})), json!([]));
    assert!(client.refused("add-fd", json!({})).1.contains("No file descriptor supplied"));
    let path = control.image("disc", 9, 10);
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let inode = file.metadata().unwrap().ino();
    let open_copies = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        all.filter(|entry| {
            std::fs::metadata(entry.as_ref().unwrap().path()).is_ok_and(|metadata| metadata.ino() == inode)
        })
        .count()
    };
    let before = open_copies();
    client.send_with(br#"{"execute":"add-fd","arguments":{"fdset-id":2,"opaque":"it"}}"#, &[file.as_fd()]);
    let added = client.answer()["return"].take();
    assert_eq!(added["fdset-id"], 2);
    client.send_with(br#"{"execute":"add-fd"}"#, &[file.as_fd()]);
    let other = client.answer()["return"].take();
    assert_eq!(other["fdset-id"], 0);
    assert_eq!(open_copies(), before + 2);
    let sets = client.ok("query-fdsets", json!({}));
    assert_eq!(sets[1], json!({ "fdset-id": 2, "fds": [{ "fd": added["fd"], "opaque": "it" }] }));

    // The file has no name any more; the descriptor is enough.
    client.ok("blockdev-change-medium", json!({ "id": "cd0", "filename": "/dev/fdset/2" }));
    client.ok("remove-fd", json!({ "fdset-id": 2, "fd": added["fd"] }));
    client.ok("remove-fd", json!({ "fdset-id": 0 }));
    assert_eq!(first_byte(&guest(&control)), 9);
    assert_eq!(open_copies(), before + 1, "the drive's own");
    client.ok("eject", json!({ "id": "cd0" }));
    assert_eq!(open_copies(), before);
    for arguments in [json!({ "fdset-id": 2 }), json!({ "fdset-id": 0, "fd": 0 })] {
        assert!(client.refused("remove-fd", arguments).1.starts_with("File descriptor named 'fdset-id:"));
    }
    client.send_with(br#"{"execute":"add-fd","arguments":{"fdset-id":-1}}"#, &[file.as_fd()]);
    assert!(client.answer()["error"]["desc"].as_str().unwrap().contains("non-negative"));
    // Some for which no verb asks; they are bounded while the client stays, and go with it.
    for _ in 0..40 {
        client.send_with(b" ", &[file.as_fd()]);
    }
    client.ok("query-version", json!({}));
    assert!(open_copies() <= before + 16, "{}", open_copies());
    client.half_close();
    assert_eq!(client.line(), None);
    while open_copies() > before {
        std::thread::yield_now();
    }
}
