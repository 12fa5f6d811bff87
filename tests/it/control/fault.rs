//! The fault lab's verbs.

use serde_json::json;
use spindle::drive::Tray;

use super::guest;
use crate::support::control::Control;

#[test]
fn faults_are_added_listed_felt_and_cleared() {
    let control = Control::start(&["cd0", "cd1"]);
    let mut client = control.client();
    let file = control.image("a", 7, 100);
    for drive in ["cd0", "cd1"] {
        client.ok("media-insert", json!({ "drive": drive, "file": file }));
    }
    let error = json!({ "drive": "cd0", "kind": "read-error", "first": 10, "last": 20 });
    assert_eq!(client.ok("fault-add", error), json!({ "drive": "cd0", "fault": 1 }));
    let delay = json!({ "drive": "cd0", "kind": "delay", "seconds": 0.5 });
    assert_eq!(client.ok("fault-add", delay), json!({ "drive": "cd0", "fault": 2 }));
    let stuck = json!({ "drive": "cd1", "kind": "tray-stuck" });
    assert_eq!(client.ok("fault-add", stuck), json!({ "drive": "cd1", "fault": 1 }));
    let faults = json!([
        { "drive": "cd0", "fault": 1, "kind": "read-error", "first": 10, "last": 20 },
        { "drive": "cd0", "fault": 2, "kind": "delay", "seconds": 0.5 },
        { "drive": "cd1", "fault": 1, "kind": "tray-stuck" },
    ]);
    assert_eq!(client.ok("fault-query", json!({})), faults);
    assert_eq!(client.ok("fault-query", json!({ "drive": "cd1" })), json!([faults[2]]));
    assert_eq!(client.ok("drive-query", json!({}))[0]["faults"], 2);

    client.ok("fault-clear", json!({ "drive": "cd0", "fault": 2 }));
    let guest = guest(&control);
    let answer = guest.run(&[0x28, 0, 0, 0, 0, 9, 0, 0, 4, 0], 4 * 2048);
    assert_eq!((answer.kaq(), answer.data.len()), ((3, 0x11, 0), 2048));
    // Force opens no stuck tray, and nobody waits for the guest.
    for verb in ["media-eject", "tray-open"] {
        let (_, description) = client.refused(verb, json!({ "drive": "cd1", "force": true, "timeout": 3600 }));
        assert!(description.contains("stuck"), "{description}");
    }
    for (verb, arguments) in [
        ("eject", json!({ "id": "cd1", "force": true })),
        ("blockdev-open-tray", json!({ "id": "cd1" })),
        ("blockdev-change-medium", json!({ "id": "cd1", "filename": file })),
        ("media-insert", json!({ "drive": "cd1", "file": file })),
    ] {
        let (_, description) = client.refused(verb, arguments);
        assert!(description.contains("stuck"), "{description}");
    }
    assert_eq!(client.ok("fault-clear", json!({ "drive": "cd1" })), json!({ "drive": "cd1", "cleared": 1 }));
    client.ok("tray-open", json!({ "drive": "cd1" }));
    assert_eq!(control.drives[1].snapshot().tray, Tray::Open);
}

#[test]
fn a_medium_that_is_gone_is_told() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    let file = control.image("a", 7, 100);
    client.ok("media-insert", json!({ "file": file }));
    while client.event().0 != "SPINDLE_MEDIUM_CHANGED" {}
    assert_eq!(client.ok("fault-add", json!({ "kind": "medium-gone" })), json!({ "drive": "cd0" }));
    loop {
        let (event, data) = client.event();
        if event == "SPINDLE_MEDIUM_CHANGED" {
            assert_eq!(data, json!({ "drive": "cd0" }));
            break;
        }
    }
    assert_eq!(client.ok("fault-query", json!({})), json!([]));
    let again = client.ask("fault-add", json!({ "kind": "medium-gone" }));
    assert_eq!(again["error"]["reason"], "no-medium", "{again}");
    let drive = &client.ok("drive-query", json!({}))[0];
    assert_eq!((&drive["tray"], drive.get("medium")), (&json!("closed"), None));
}

#[test]
fn what_is_no_fault_is_refused() {
    let control = Control::start(&["cd0"]);
    let mut client = control.client();
    for arguments in [
        json!({}),
        json!({ "kind": "smoke" }),
        json!({ "kind": "delay" }),
        json!({ "kind": "delay", "seconds": -1 }),
        json!({ "kind": "delay", "seconds": 1e300 }),
        json!({ "kind": "read-error", "seconds": 1 }),
        json!({ "kind": "tray-stuck", "first": 1 }),
        json!({ "kind": "read-error", "first": 2, "last": 1 }),
        json!({ "kind": "read-error", "last": 1 }),
        json!({ "kind": "read-error", "first": 4_294_967_296_i64 }),
    ] {
        let (class, _) = client.refused("fault-add", arguments);
        assert_eq!(class, "GenericError");
    }
    for number in [0, -1, 1, 4_294_967_297_i64] {
        client.refused("fault-clear", json!({ "fault": number }));
    }
    assert_eq!(client.ok("fault-query", json!({})), json!([]));
    assert_eq!(client.ok("fault-clear", json!({})), json!({ "drive": "cd0", "cleared": 0 }));
}
