//! The control socket against QEMU's own client: the package `qemu.qmp`, which `qemu-scripts/lib/python` installs.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::daemon::Daemon;
use crate::support::python;

#[test]
fn qemus_own_client_drives_the_daemon_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (socket, image) = (path("control"), path("disc.iso"));
    std::fs::write(&image, vec![1; 20 * 2048]).unwrap();
    let daemon = Daemon::start(&["--control", &socket, "--media-root", folder.path().to_str().unwrap()]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/qemu/qmp_client.py");
    let output = Command::new(python::interpreter()).arg(script).arg(&socket).arg(&image).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let text = String::from_utf8(output.stdout).unwrap();
    let mut seen = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut next = || seen.next().unwrap_or_else(|| panic!("{text}"));
    assert_eq!(next()["major"], env!("CARGO_PKG_VERSION_MAJOR").parse::<u32>().unwrap());
    let commands = next();
    for name in [
        "query-block",
        "eject",
        "blockdev-open-tray",
        "blockdev-close-tray",
        "blockdev-insert-medium",
        "blockdev-remove-medium",
        "blockdev-change-medium",
        "query-version",
        "query-commands",
        "query-qmp-schema",
        "add-fd",
        "remove-fd",
        "query-fdsets",
        "quit",
    ] {
        assert!(commands.as_array().unwrap().contains(&json!(name)), "{name}");
    }
    let (moved, changed) = ("DEVICE_TRAY_MOVED", "SPINDLE_MEDIUM_CHANGED");
    assert_eq!(next(), json!([[moved, true], [changed, null], [moved, false]]));
    assert_eq!(next(), json!([image, false, false]));
    assert_eq!(next()[0]["fds"][0]["opaque"], "from python");
    assert_eq!(next(), json!(["CommandNotFound", "The command no-such has not been found"]));
    assert_eq!(next(), json!(["DeviceNotFound", "Device 'cd9' not found"]));
    assert_eq!(next()[0], "GenericError");
    assert_eq!(next(), json!(["GenericError", "Parameter 'x' is unexpected"]));
    assert_eq!(next(), json!(true));
    assert_eq!(daemon.end().0.code(), Some(0), "quit ends it");
}
