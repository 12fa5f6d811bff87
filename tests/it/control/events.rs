//! Events: what clients are told without asking.

use serde_json::{Value, json};
use spindle::scsi::{LogicalUnit, Reset};

use super::{guest, lock};
use crate::support::control::{Client, Control};
use crate::support::disc::with_bad_block;

/// The names of the next events, with what tells them apart.
fn next(client: &mut Client, count: usize) -> Vec<(String, Value)> {
    let all = (0..count).map(|_| {
        let (name, data) = client.event();
        let told = match name.as_str() {
            "DEVICE_TRAY_MOVED" => data["tray-open"].clone(),
            "SPINDLE_MEDIUM_CHANGED" => data.get("medium").map_or(Value::Null, |medium| medium["locator"].clone()),
            "SPINDLE_LOCK_CHANGED" => data["locked"].clone(),
            _ => data["drive"].clone(),
        };
        (name, told)
    });
    all.collect()
}

fn event(name: &str, told: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), told.into())
}

#[test]
fn a_change_is_told_step_by_step_to_every_client() {
    let control = Control::start(&["cd0"]);
    let (mut first, mut second) = (control.client(), control.client());
    let [one, two] = [1, 2].map(|byte| control.image(&byte.to_string(), byte, 10));
    first.ok("media-insert", json!({ "file": one }));
    first.ok("media-insert", json!({ "file": two }));
    first.ok("media-eject", json!({}));
    let expected = [
        event("DEVICE_TRAY_MOVED", true),
        event("SPINDLE_MEDIUM_CHANGED", one),
        event("DEVICE_TRAY_MOVED", false),
        event("DEVICE_TRAY_MOVED", true),
        event("SPINDLE_MEDIUM_CHANGED", Value::Null),
        event("SPINDLE_MEDIUM_CHANGED", two),
        event("DEVICE_TRAY_MOVED", false),
        event("DEVICE_TRAY_MOVED", true),
        event("SPINDLE_MEDIUM_CHANGED", Value::Null),
    ];
    for client in [&mut first, &mut second] {
        assert_eq!(next(client, expected.len()), expected);
    }
}

#[test]
fn a_tray_event_has_the_members_that_qemu_gives_it() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    control.drive().open_tray(false).unwrap();
    let moved = json!({ "device": "cd0", "id": "cd0", "tray-open": true });
    assert_eq!(client.event(), ("DEVICE_TRAY_MOVED".to_owned(), moved));
}

#[test]
fn what_the_guest_does_is_told() {
    let control = Control::start(&["cd0"]);
    let image = control.image("disc", 1, 10);
    let guest = guest(&control);
    let mut client = control.client();
    client.ok("media-insert", json!({ "file": image }));
    guest.settle();
    lock(&guest, true);
    lock(&guest, true);
    client.refused("eject", json!({ "id": "cd0" }));
    lock(&guest, false);
    guest.run(&[0x1B, 0, 0, 0, 2, 0], 0).good();
    guest.settle();
    guest.run(&[0x1B, 0, 0, 0, 3, 0], 0).good();
    next(&mut client, 3);
    assert_eq!(
        next(&mut client, 5),
        [
            event("SPINDLE_LOCK_CHANGED", true),
            event("SPINDLE_EJECT_REQUESTED", "cd0"),
            event("SPINDLE_LOCK_CHANGED", false),
            event("DEVICE_TRAY_MOVED", true),
            event("DEVICE_TRAY_MOVED", false),
        ]
    );
    guest.settle();
    lock(&guest, true);
    control.drive().reset(Reset::PowerOn);
    assert_eq!(next(&mut client, 2), [event("SPINDLE_LOCK_CHANGED", true), event("SPINDLE_LOCK_CHANGED", false)]);
}

#[test]
fn a_read_error_names_the_block_and_many_are_one() {
    let control = Control::start(&["cd0"]);
    let guest = guest(&control);
    control.drive().change_medium(with_bad_block(1, 40, 9), false).unwrap();
    guest.settle();
    let mut client = control.client();
    for _ in 0..100 {
        assert_eq!(guest.run(&[0x28, 0, 0, 0, 0, 8, 0, 0, 4, 0], 4 * 2048).kaq(), (3, 0x11, 0));
    }
    let (name, data) = client.event();
    assert_eq!((name.as_str(), &data["drive"], &data["block"]), ("SPINDLE_READ_ERROR", &json!("cd0"), &json!(9)));
    assert!(!data["reason"].as_str().unwrap().is_empty());
    // A guest that reads on and on must not flood the clients: at most one a second, and the next one counts the others.
    control.drive().open_tray(true).unwrap();
    let mut told = 1;
    loop {
        let (name, _) = client.event();
        if name == "DEVICE_TRAY_MOVED" {
            break;
        }
        told += 1;
    }
    assert!(told < 50, "{told}");
}

#[test]
fn no_event_comes_before_the_negotiation() {
    let control = Control::start(&["cd0"]);
    let mut late = Client::connect(&control.path());
    late.line();
    control.drive().open_tray(false).unwrap();
    late.ok("qmp_capabilities", json!({}));
    control.drive().close_tray();
    assert_eq!(next(&mut late, 1), [event("DEVICE_TRAY_MOVED", false)]);
}
