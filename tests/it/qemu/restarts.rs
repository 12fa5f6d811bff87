//! The daemon is killed, or asked to end, while a guest of QEMU 10 reads. `qemu-scripts/restart-soak` does the same more often.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::load::{self, complaints, count};
use crate::support::vm::{Daemon, Vm};

const BLOCKS: u32 = 8192;
/// Ends, unless `SPINDLE_RESTARTS` says how many.
const RESTARTS: usize = 8;
/// For the machine to come back: reached only when it does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine has connected again.
fn wait_for_connection(daemon: &Daemon, before: usize) {
    let deadline = Instant::now() + PATIENCE;
    while daemon.connections() == before {
        assert!(Instant::now() < deadline, "the machine does not come back\n{}", daemon.log());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn kills_under_a_guests_read_load_cost_it_nothing() {
    ends_under_load(Signal::KILL);
}

/// As when the service is restarted, or updated.
#[test]
fn ends_that_are_asked_for_under_a_guests_read_load_cost_it_nothing() {
    ends_under_load(Signal::TERM);
}

fn ends_under_load(signal: Signal) {
    let restarts = std::env::var("SPINDLE_RESTARTS").map_or(RESTARTS, |times| times.parse().unwrap());
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let (image, state) = (folder.path().join("disc.iso"), folder.path().join("state"));
    patterned_file(&image, 7, BLOCKS);
    let mut daemon = Daemon::start(&["--state-dir", state.to_str().unwrap(), image.to_str().unwrap()]);
    let mut vm = Vm::reconnecting(&daemon);
    // Somebody holds the medium, and two read it: one by its own commands, one through the kernel.
    vm.ok("sg_prevent --prevent=1 /dev/sg0 && dmesg -c");
    load::start(&mut vm, BLOCKS);
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..restarts {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        thread::sleep(Duration::from_micros(random % 700_000));
        let before = daemon.connections();
        daemon.restart_by(signal);
        // Most ends come while requests are served; some before the machine is back.
        if !random.is_multiple_of(5) {
            wait_for_connection(&daemon, before);
        }
    }
    vm.ok("sleep 1");
    // Before the end, which whoever waits for a ring that is looked at no more does not reach.
    assert_eq!(complaints(&mut vm), "", "the kernel's own view");
    let reports = load::end(&mut vm);
    // One that the daemon ends by itself costs a guest that does not read just then nothing that it would see.
    let connections = daemon.connections();
    assert!(connections <= restarts + 1, "{connections} connections with {restarts} ends\n{}", daemon.log());
    assert_eq!(reports.errors(), [""; 0], "{}", vm.ok("dmesg | tail -n 40"));
    for report in reports.both() {
        assert_eq!(count(report, "discs "), 1);
    }
    assert_eq!(complaints(&mut vm), "", "the kernel's own view");
    let drive = daemon.status();
    assert_eq!(drive[0]["locked-by"], serde_json::json!([0]), "{drive}");
    println!(
        "restarts {restarts} by {signal:?}, connections {connections}, reads {} and {}, errors 0, wrong or doubled 0",
        count(&reports.generic, "reads "),
        count(&reports.block, "reads ")
    );
}

/// QEMU 7.2 does not connect again, nor does QEMU 10 that was not told to. A machine that was not reading goes on, and gets its drive
/// back by hot-plug (docs/guide/restarts.md).
#[test]
fn a_machine_that_does_not_reconnect_gets_its_drive_back_by_hot_plug() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let (image, state) = (folder.path().join("disc.iso"), folder.path().join("state"));
    patterned_file(&image, 7, BLOCKS);
    let mut daemon = Daemon::start(&["--state-dir", state.to_str().unwrap(), image.to_str().unwrap()]);
    let mut vm = Vm::linux(&daemon);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), "7\n");
    daemon.restart();
    vm.qmp("device_del", &json!({ "id": "cd" }));
    vm.until("ls /dev/sg0 2>&1", "No such file");
    let path = daemon.folder().join("drive");
    let address = json!({ "type": "unix", "data": { "path": path } });
    let backend = json!({ "type": "socket", "data": { "addr": address, "server": false } });
    vm.qmp("chardev-add", &json!({ "id": "again", "backend": backend }));
    vm.qmp("device_add", &json!({ "driver": "vhost-user-scsi-pci", "id": "cd2", "chardev": "again" }));
    vm.until("ls /dev/sg0", "sg0\n");
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), "7\n");
}

/// The guide's row for a request under way, with QEMU 7.2.
#[test]
fn a_request_under_way_waits_for_ever_where_the_machine_does_not_reconnect() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let image = folder.path().join("disc.iso");
    patterned_file(&image, 7, BLOCKS);
    let mut daemon = Daemon::start(&[image.to_str().unwrap()]);
    let mut vm = Vm::with_programs(&daemon);
    vm.ok("udevadm settle");
    daemon.spindle_ok(&["fault", "delay", "--seconds", "3600"]);
    vm.ok("(sg_raw -r 2048 /dev/sg0 28 00 00 00 00 64 00 00 01 00 >/dev/null 2>&1; echo $? >/tmp/status) & sleep 1");
    daemon.restart();
    // The guest goes on; neither its program nor QEMU gets over it.
    vm.qmp("device_del", &json!({ "id": "cd" }));
    vm.ok("sleep 5; test ! -e /tmp/status");
    let devices = vm.qmp("qom-list", &json!({ "path": "/machine/peripheral" }))["return"].take();
    assert!(devices.as_array().unwrap().iter().any(|device| device["name"] == "cd"), "{devices}");
}

/// The guide's row for a reset, with QEMU 7.2.
#[test]
fn a_reset_ends_a_machine_that_does_not_reconnect() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let image = folder.path().join("disc.iso");
    patterned_file(&image, 7, BLOCKS);
    let mut daemon = Daemon::start(&[image.to_str().unwrap()]);
    let mut vm = Vm::linux(&daemon);
    daemon.restart();
    vm.qmp("system_reset", &json!({}));
    let said = vm.ended();
    assert!(said.contains("unable to start vhost-user-scsi"), "{said}");
}
