//! Our own verbs: `media-*`, `tray-*`, `drive-query`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{first_byte, guest, is_open, locator, lock};
use crate::support::control::{Client, Control};
use crate::support::daemon::Daemon;
use crate::support::guest::{Command, Options, REQUESTS};

#[test]
fn insert_replaces_what_is_there_and_eject_takes_it_out() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let guest = guest(&control);
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    assert_eq!(client.ok("media-insert", json!({ "file": first })), json!({ "drive": "cd0", "locator": first }));
    assert_eq!(first_byte(&guest), 1);
    client.ok("media-insert", json!({ "file": second, "locator": "shown" }));
    assert_eq!((first_byte(&guest), locator(control.drive()).as_deref()), (2, Some("shown")));
    assert_eq!(client.ok("media-eject", json!({})), json!({ "drive": "cd0", "locator": "shown" }));
    assert!(is_open(control.drive()));
    let answer = client.ask("media-eject", json!({}));
    assert_eq!(answer["error"]["reason"], "no-medium");
    assert!(answer["error"]["desc"].as_str().unwrap().contains("no medium in drive cd0 (tray open)"), "{answer}");
}

#[test]
fn an_image_that_cannot_be_opened_changes_nothing() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let image = control.image("disc", 1, 10);
    client.ok("media-insert", json!({ "file": image }));
    let empty = control.image("empty", 0, 0);
    let answer = client.ask("media-insert", json!({ "file": empty }));
    assert_eq!(answer["error"]["reason"], "not-recognised");
    let answer = client.ask("media-insert", json!({ "file": "/no/such" }));
    assert_eq!(answer["error"].get("reason"), None, "{answer}");
    assert_eq!(locator(control.drive()).as_deref(), Some(image.as_str()));
    assert!(!is_open(control.drive()));
}

#[test]
fn the_drive_must_be_told_when_there_are_several() {
    let control = Control::start(&["left", "right"]);
    let mut client = control.client();
    let image = control.image("disc", 1, 10);
    for (verb, arguments) in [
        ("media-insert", json!({ "file": image })),
        ("media-eject", json!({})),
        ("tray-open", json!({})),
        ("tray-close", json!({})),
    ] {
        assert_eq!(client.refused(verb, arguments).1, "Which drive? There are left, right", "{verb}");
    }
    client.ok("media-insert", json!({ "file": image, "drive": "right" }));
    assert_eq!(client.refused("media-eject", json!({ "drive": "up" })).0, "DeviceNotFound");
    assert_eq!((locator(&control.drives[0]), locator(&control.drives[1])), (None, Some(image)));
    let drives = client.ok("drive-query", json!({}));
    assert_eq!((&drives[0]["name"], &drives[0]["lun"], &drives[1]["lun"]), (&json!("left"), &json!(0), &json!(1)));
    assert_eq!(drives[0].get("medium"), None);
    let medium = &drives[1]["medium"];
    assert_eq!((&medium["type"], &medium["blocks"], &medium["tracks"]), (&json!("CD-ROM"), &json!(10), &json!(1)));
}

#[test]
fn the_tray_moves_with_its_disc() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let image = control.image("disc", 4, 10);
    client.ok("media-insert", json!({ "file": image }));
    client.ok("tray-open", json!({}));
    assert!(is_open(control.drive()));
    assert_eq!(locator(control.drive()).as_deref(), Some(image.as_str()));
    client.ok("tray-close", json!({ "drive": "cd0" }));
    assert_eq!(first_byte(&guest(&control)), 4);
}

/// A guest that answers an EjectRequest as Linux's udev does: it unlocks, then ejects.
fn answering(control: &Control) -> thread::JoinHandle<()> {
    let guest = guest(control);
    lock(&guest, true);
    thread::spawn(move || {
        while guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF != 1 {
            thread::sleep(Duration::from_millis(1));
        }
        lock(&guest, false);
        let _ = guest.run(&[0x1B, 0, 0, 0, 2, 0], 0);
    })
}

#[test]
fn a_guest_that_lets_go_is_waited_for() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    for (verb, arguments) in [
        ("media-insert", json!({ "file": second, "timeout": 60 })),
        ("media-eject", json!({ "timeout": 60 })),
        ("tray-open", json!({ "timeout": 60.5 })),
    ] {
        client.ok("media-insert", json!({ "file": first, "force": true, "timeout": 0 }));
        let answering = answering(&control);
        client.ok(verb, arguments);
        answering.join().unwrap();
    }
    assert!(is_open(control.drive()));
}

/// What opens the disc anew as soon as the tray is open closes and locks it, as Linux does for a program that opens the device.
#[test]
fn a_guest_that_lets_go_for_a_moment_is_asked_again() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    client.ok("media-insert", json!({ "file": first, "force": true, "timeout": 0 }));
    let guest = guest(&control);
    lock(&guest, true);
    let inserted = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !inserted.load(Ordering::Relaxed) {
                if guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF == 1 {
                    // Allow, eject, load, prevent; unit attentions come between.
                    for cdb in
                        [[0x1E, 0, 0, 0, 0, 0], [0x1B, 0, 0, 0, 2, 0], [0x1B, 0, 0, 0, 3, 0], [0x1E, 0, 0, 0, 1, 0]]
                    {
                        while guest.run(&cdb, 0).status != 0 {}
                    }
                }
            }
        });
        let answers: Vec<_> = [&second, &first]
            .into_iter()
            .cycle()
            .take(100)
            .map(|file| client.ask("media-insert", json!({ "file": file, "timeout": 60 })))
            .take_while(|answer| answer["error"].is_null())
            .collect();
        inserted.store(true, Ordering::Relaxed);
        assert_eq!(answers.len(), 100);
    });
    assert_eq!(locator(control.drive()), Some(first));
}

#[test]
fn a_guest_that_does_not_let_go_keeps_its_disc_unless_forced() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    client.ok("media-insert", json!({ "file": first }));
    let guest = guest(&control);
    lock(&guest, true);
    for (verb, arguments) in [
        ("media-insert", json!({ "file": second, "timeout": 0.01 })),
        ("media-eject", json!({ "timeout": 0 })),
        ("tray-open", json!({ "timeout": 0 })),
    ] {
        let answer = client.ask(verb, arguments);
        assert_eq!(answer["error"]["reason"], "locked", "{answer}");
        let words = answer["error"]["desc"].as_str().unwrap();
        assert!(words.contains("PREVENT ALLOW MEDIUM REMOVAL by connection 0"), "{words}");
        assert_eq!(first_byte(&guest), 1);
    }
    client.ok("media-insert", json!({ "file": second, "timeout": 0, "force": true }));
    assert_eq!(first_byte(&guest), 2);
    for timeout in [json!(-1), json!(3601), json!(1e300)] {
        assert!(client.refused("media-eject", json!({ "timeout": timeout })).1.contains("from 0 to 3600"));
    }
}

#[test]
fn an_eject_that_waits_takes_the_disc_that_it_was_asked_for_and_no_other() {
    let control = Control::start(&["cd0"]);
    let (mut client, mut other) = (control.client(), control.client());
    let [first, second] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    client.ok("media-insert", json!({ "file": first }));
    lock(&guest(&control), true);
    client.send(br#"{"execute":"media-eject","arguments":{"timeout":60}}"#);
    while other.event().0 != "SPINDLE_EJECT_REQUESTED" {}
    other.ok("media-insert", json!({ "file": second, "force": true, "timeout": 0 }));
    let refused = client.answer();
    assert!(refused["error"]["desc"].as_str().unwrap().contains("another disc"), "{refused}");
    assert_eq!((locator(control.drive()), is_open(control.drive())), (Some(second), false));
}

#[test]
fn a_wait_ends_with_the_client_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let image = folder.path().join("disc");
    std::fs::write(&image, [1; 4096]).unwrap();
    let daemon = Daemon::start(&["--control", path.to_str().unwrap(), image.to_str().unwrap()]);
    let mut guest = daemon.guest(Options::default());
    let mut run = |cdb: &[u8]| guest.command(REQUESTS, &Command::new(cdb, 8));
    while run(&[0; 6]).status != 0 {}
    assert_eq!(run(&[0x1E, 0, 0, 0, 1, 0]).status, 0);

    let mut other = Client::negotiated(&path);
    let threads = daemon.threads();
    let mut waiting = Client::negotiated(&path);
    waiting.send(br#"{"execute":"media-eject","arguments":{"timeout":3600}}"#);
    while run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0]).data[4] & 0xF != 1 {
        thread::sleep(Duration::from_millis(1));
    }
    drop(waiting);
    // The threads that served the client go when they have given up.
    while daemon.threads() > threads {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(run(&[0x1E, 0, 0, 0, 0, 0]).status, 0);
    let drive = other.ok("drive-query", json!({}))[0].take();
    assert_eq!((&drive["tray"], &drive["medium"]["blocks"]), (&json!("closed"), &json!(2)));
}

#[test]
fn the_daemon_ends_although_a_client_waits_for_an_hour() {
    let mut control = Control::start(&["cd0"]);
    let image = control.image("disc", 1, 10);
    let mut client = control.client();
    client.ok("media-insert", json!({ "file": image }));
    let guest = guest(&control);
    lock(&guest, true);
    client.send(br#"{"execute":"media-eject","arguments":{"timeout":3600}}"#);
    while guest.run(&[0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0], 8).good()[4] & 0xF != 1 {
        thread::sleep(Duration::from_millis(1));
    }
    // Joins every thread: it would last the hour.
    control.stop();
    assert_eq!(locator(control.drive()).as_deref(), Some(image.as_str()));
    assert!(client.answer()["error"].is_object());
    assert_eq!(client.line(), None);
}
