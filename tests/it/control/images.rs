//! Images that are more than one file, or locked, over the control socket.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use serde_json::{Value, json};

use super::{first_byte, guest, locator};
use crate::support::control::{Client, Control};
use crate::support::disc::block;
use crate::support::images::described::{dmg, isz};
use crate::support::initiator::Initiator;

/// 300 sectors of data in each of two files.
const SHEET: &str = "FILE \"one.bin\" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n\
                     FILE \"two.bin\" BINARY\n  TRACK 02 MODE1/2048\n    INDEX 01 00:00:00\n";

fn two_files(folder: &Path) -> String {
    for (name, seed) in [("one.bin", 1), ("two.bin", 2)] {
        fs::write(folder.join(name), (0..300).flat_map(|lba| block(seed, lba)).collect::<Vec<_>>()).unwrap();
    }
    fs::write(folder.join("disc.cue"), SHEET).unwrap();
    folder.join("disc.cue").to_str().unwrap().to_owned()
}

/// Both tracks are those of the two files.
#[track_caller]
fn has_both(guest: &Initiator) {
    guest.settle();
    for (seed, lba) in [(1, 0), (1, 299), (2, 300), (2, 599)] {
        let [_, _, high, low] = u32::to_be_bytes(lba);
        let read = guest.run(&[0x28, 0, 0, 0, high, low, 0, 0, 1, 0], 2048).good();
        assert!(read == block(seed, lba % 300), "{lba}");
    }
}

#[test]
fn a_sheet_is_inserted_with_the_files_that_it_names() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let guest = guest(&control);
    let path = two_files(control.folder.path());
    client.ok("media-insert", json!({ "file": path }));
    has_both(&guest);
    let drives = client.ok("drive-query", json!({}));
    assert_eq!((&drives[0]["medium"]["tracks"], &drives[0]["medium"]["blocks"]), (&json!(2), &json!(600)));
}

fn pass(client: &mut Client, path: &Path, set: u32, opaque: &str) {
    let file = File::open(path).unwrap();
    let request = json!({ "execute": "add-fd", "arguments": { "fdset-id": set, "opaque": opaque } });
    client.send_with(request.to_string().as_bytes(), &[file.as_fd()]);
    assert_eq!(client.answer()["return"]["fdset-id"], set);
}

#[test]
fn a_descriptor_that_cannot_be_read_is_refused() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let path = control.image("disc", 9, 10);
    let only_a_name = OpenOptions::new().read(true).custom_flags(OFlags::PATH.bits() as i32).open(&path).unwrap();
    let to_write = OpenOptions::new().write(true).open(&path).unwrap();
    for (set, file) in [only_a_name, to_write].iter().enumerate() {
        let request = json!({ "execute": "add-fd", "arguments": { "fdset-id": set } });
        client.send_with(request.to_string().as_bytes(), &[file.as_fd()]);
        assert_eq!(client.answer()["return"]["fdset-id"], set);
        let (_, words) = client.refused("media-insert", json!({ "file": format!("/dev/fdset/{set}") }));
        assert!(words.contains("not open for reading"), "{words}");
    }
}

#[test]
fn descriptors_of_a_sheet_and_its_files_are_enough() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let guest = guest(&control);
    let path = two_files(control.folder.path());
    let folder = control.folder.path();
    // One of the files is missing at first.
    for name in ["disc.cue", "one.bin"] {
        pass(&mut client, &folder.join(name), 7, name);
    }
    let insert = json!({ "file": "/dev/fdset/7", "locator": path });
    let (_, words) = client.refused("media-insert", insert.clone());
    assert!(words.contains("two.bin"), "{words}");
    pass(&mut client, &folder.join("two.bin"), 7, "two.bin");
    // Nothing has these names any more.
    for name in ["disc.cue", "one.bin", "two.bin"] {
        fs::remove_file(folder.join(name)).unwrap();
    }
    client.ok("media-insert", insert);
    client.ok("remove-fd", json!({ "fdset-id": 7 }));
    has_both(&guest);
}

/// Class and reason of a refusal.
fn refusal(answer: &Value) -> (&str, &str) {
    let text = |name: &str| answer["error"][name].as_str().unwrap_or_default();
    (text("class"), text("reason"))
}

#[test]
fn a_locked_image_asks_for_its_password_by_an_error_class() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let guest = guest(&control);
    let content: Vec<u8> = (0..64).flat_map(|lba| block(9, lba)).collect();
    let locked_dmg = dmg::Options { encrypted: Some(256), ..dmg::PLAIN };
    for files in [isz::files(&content, isz::LOCKED), dmg::files(&content, locked_dmg)] {
        let (name, bytes) = &files[0];
        let path = control.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let path = path.to_str().unwrap();
        let before = locator(control.drive());
        let answer = client.ask("media-open", json!({ "file": path, "node-name": "n" }));
        assert_eq!(refusal(&answer), ("PasswordRequired", "password-missing"), "{answer}");
        let answer = client.ask("media-insert", json!({ "file": path }));
        assert_eq!(refusal(&answer), ("PasswordRequired", "password-missing"), "{answer}");
        let answer = client.ask("media-insert", json!({ "file": path, "password": "wrong" }));
        assert_eq!(refusal(&answer), ("PasswordRequired", "password-wrong"), "{answer}");
        assert_eq!(locator(control.drive()), before, "a refused image changes nothing");
        client.ok("media-insert", json!({ "file": path, "password": "secret" }));
        guest.settle();
        let read = guest.run(&[0x28, 0, 0, 0, 0, 63, 0, 0, 1, 0], 2048).good();
        assert!(read == block(9, 63), "{name}");
    }
}

#[test]
fn a_descriptor_of_a_verb_that_failed_is_no_other_verbs() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let [first, second] = [1, 2].map(|byte| File::open(control.image(&byte.to_string(), byte, 10)).unwrap());
    client.send_with(br#"{"execute":"add-fd","arguments":{"fdset-id":"7"}}"#, &[first.as_fd()]);
    assert!(client.answer()["error"].is_object());
    client.send_with(br#"{"execute":"add-fd","arguments":{"fdset-id":7}}"#, &[second.as_fd()]);
    assert!(client.answer()["return"].is_object());
    client.ok("media-insert", json!({ "file": "/dev/fdset/7" }));
    assert_eq!(first_byte(&guest(&control)), 2);
    // One that comes before its verb, as the client of QEMU's project sends it.
    client.send_with(b" ", &[first.as_fd()]);
    client.ok("add-fd", json!({ "fdset-id": 8 }));
    client.ok("media-insert", json!({ "file": "/dev/fdset/8" }));
    assert_eq!(first_byte(&guest(&control)), 1);
}
