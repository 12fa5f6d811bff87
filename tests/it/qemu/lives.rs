//! Guests that are reset, panic, let go of their driver, sleep, stand still or are killed while they read, and the drive that the
//! next life finds: as new, with its disc.

use std::thread;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::load::{self, count};
use crate::support::vm::{Daemon, Start, Vm};
use crate::support::wait::wait_until;

const BLOCKS: u32 = 8192;

/// A daemon with a patterned disc, of which the seed is 7.
fn daemon(folder: &TempDir) -> Daemon {
    Daemon::start(&[&disc(folder, 7)])
}

fn disc(folder: &TempDir, seed: u32) -> String {
    let path = folder.path().join(seed.to_string());
    patterned_file(&path, seed, BLOCKS);
    path.display().to_string()
}

fn is_locked(daemon: &Daemon) -> bool {
    daemon.status()[0]["locked-by"] != json!([])
}

/// Reads, and the lock is held.
fn busy(daemon: &Daemon, vm: &mut Vm) {
    vm.ok("udevadm settle; dmesg -c");
    // Programs of udev's that look at the disc unlock the tray when they are done.
    wait_until("the tray is locked", || {
        vm.run("sg_prevent --prevent=1 /dev/sg0");
        is_locked(daemon)
    });
    load::start(vm, BLOCKS);
    vm.ok("sleep 1");
    assert_eq!(vm.run("cat /tmp/*.status").0, 1, "both go on");
}

/// The driver of a new life was told of the power-on, and finds the disc; the tray moves when it is asked to.
fn is_as_new(daemon: &Daemon, vm: &mut Vm, seed: u32) {
    vm.until("dmesg", "Power-on or device reset occurred");
    let finds_the_disc = |vm: &mut Vm| assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), format!("{seed}\n"));
    finds_the_disc(vm);
    let tray = |daemon: &Daemon| daemon.status()[0]["tray"].clone();
    vm.ok("eject /dev/sr0");
    assert_eq!(tray(daemon), "open");
    vm.ok("eject -t /dev/sr0");
    assert_eq!(tray(daemon), "closed");
    finds_the_disc(vm);
}

#[test]
fn resets_panics_and_kills_under_load_leave_a_drive_as_new() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let daemon = daemon(&folder);
    let mut vm = Vm::linux(&daemon);
    busy(&daemon, &mut vm);
    vm.qmp("system_reset", &json!({}));
    // It stands still before the next life's udev can have locked the tray again.
    vm.qmp("stop", &json!({}));
    wait_until("the lock goes with a reset", || !is_locked(&daemon));
    vm.qmp("cont", &json!({}));
    vm.wait_for_shell();
    is_as_new(&daemon, &mut vm, 7);

    busy(&daemon, &mut vm);
    vm.send("echo c >/proc/sysrq-trigger");
    vm.wait_for_shell();
    is_as_new(&daemon, &mut vm, 7);

    busy(&daemon, &mut vm);
    // By SIGKILL.
    drop(vm);
    wait_until("the lock goes with QEMU", || !is_locked(&daemon));
    let mut vm = Vm::linux(&daemon);
    is_as_new(&daemon, &mut vm, 7);
}

#[test]
fn a_guest_that_stands_still_sleeps_grows_and_reloads_its_driver_under_load_loses_nothing() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let daemon = daemon(&folder);
    let mut vm = Vm::start_with(&daemon, Start::Kernel, &["-smp", "2", "-m", "512,slots=2,maxmem=2G"]);
    vm.wait_for_shell();
    busy(&daemon, &mut vm);
    stands_still(&daemon, &mut vm);
    grows(&mut vm);
    let reports = load::end(&mut vm);
    assert_eq!(reports.errors(), [""; 0]);
    reads_into_new_memory(&daemon, &mut vm, &disc(&folder, 8));
    sleeps(&daemon, &mut vm);
    reloads_its_driver(&daemon, &mut vm);
}

/// Requests are under way for as long as it stands still, and beyond the time that they take.
fn stands_still(daemon: &Daemon, vm: &mut Vm) {
    for _ in 0..5 {
        daemon.spindle_ok(&["fault", "delay", "--seconds", "0.3"]);
        thread::sleep(Duration::from_millis(400));
        vm.qmp("stop", &json!({}));
        let before = vm.memory();
        thread::sleep(Duration::from_millis(600));
        assert_eq!(vm.memory(), before, "something wrote into a machine that stands still");
        daemon.spindle_ok(&["fault", "clear"]);
        vm.qmp("cont", &json!({}));
        // And at full speed.
        thread::sleep(Duration::from_millis(200));
        vm.qmp("stop", &json!({}));
        let before = vm.memory();
        thread::sleep(Duration::from_millis(50));
        assert_eq!(vm.memory(), before, "something wrote into a machine that stands still");
        vm.qmp("cont", &json!({}));
    }
}

/// A memory module is plugged in while requests are under way.
fn grows(vm: &mut Vm) {
    vm.qmp(
        "object-add",
        &json!({ "qom-type": "memory-backend-memfd", "id": "more", "size": 128 << 20, "share": true }),
    );
    vm.qmp("device_add", &json!({ "driver": "pc-dimm", "id": "dimm", "memdev": "more" }));
    vm.until("cat /sys/devices/system/memory/memory*/state", "offline");
    vm.ok("for state in /sys/devices/system/memory/memory*/state; do
               grep -q online $state || echo online_movable >$state || exit
           done");
}

/// Programs get that memory first, as nothing else can be there; a disc that was not in the drive before is found in it.
fn reads_into_new_memory(daemon: &Daemon, vm: &mut Vm, disc: &str) {
    daemon.spindle_ok(&["insert", "--force", disc]);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), "8\n");
    load::start(vm, BLOCKS);
    vm.ok("sleep 2");
    vm.qmp("stop", &json!({}));
    let modules = vm.qmp("query-memory-devices", &json!({}));
    let module = &modules["return"][0]["data"];
    let number = |name: &str| module[name].as_u64().unwrap();
    let words = vm.physical(number("addr"), number("size"));
    // Eight bytes: the block's address, the seed, a count.
    let found = words.chunks_exact(8).filter(|word| word[2..6] == [0, 0, 8, 0]).count();
    assert!(found > 64 * 256, "{found} words of the disc are in the new memory");
    vm.qmp("cont", &json!({}));
    let reports = load::end(vm);
    assert_eq!(reports.errors(), [""; 0]);
    assert!(reports.both().iter().all(|report| count(report, "reads ") > 0));
}

/// Suspend to RAM: the driver lets go of the device, the machine is reset when it wakes up.
fn sleeps(daemon: &Daemon, vm: &mut Vm) {
    busy(daemon, vm);
    vm.ok("(sleep 0.3; echo mem >/sys/power/state; echo $? >/tmp/woken) &");
    wait_until("the guest sleeps", || vm.qmp("query-status", &json!({}))["return"]["status"] == "suspended");
    assert!(!is_locked(daemon), "the driver has let go of the drive");
    vm.qmp("system_wakeup", &json!({}));
    vm.until("cat /tmp/woken", "0\n");
    vm.ok("sleep 0.5");
    // The power-on is told once; that is all that anybody sees of it.
    let reports = load::end(vm);
    let other = reports.errors().into_iter().find(|line| !["sense 6/29/00 1", "error 5 1"].contains(line));
    assert_eq!(other, None, "{}", vm.ok("dmesg | tail -n 40"));
    is_as_new(daemon, vm, 8);
}

fn reloads_its_driver(daemon: &Daemon, vm: &mut Vm) {
    let driver = "/sys/bus/virtio/drivers/virtio_scsi";
    for on in [&format!("cat /tmp/device >{driver}/bind"), "rmmod virtio_scsi && modprobe virtio_scsi"] {
        busy(daemon, vm);
        vm.ok(&format!("basename {driver}/virtio* >/tmp/device && cat /tmp/device >{driver}/unbind"));
        assert!(!is_locked(daemon), "the driver has let go of the drive");
        // The programs find no device any more.
        load::end(vm);
        vm.ok(on);
        vm.until("test -e /dev/sg0 && test -e /dev/sr0 && echo there", "there");
        is_as_new(daemon, vm, 8);
    }
}
