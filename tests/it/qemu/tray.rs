//! Tray and lock, moved from both sides.

use std::process::Stdio;

use crate::support::vm::{Daemon, Vm};

const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

/// The guest's own view of the drive: udev keeps it, from media events.
fn guest_sees(vm: &mut Vm, medium: bool) {
    let text = if medium { "ID_CDROM_MEDIA=1" } else { "absent" };
    vm.until("udevadm info /dev/sr0 | grep ID_CDROM_MEDIA=1 || echo absent", text);
}

fn tray_is_open(daemon: &Daemon) -> bool {
    match daemon.status()[0]["tray"].as_str() {
        Some("open") => true,
        Some("closed") => false,
        other => panic!("tray {other:?}"),
    }
}

#[test]
fn guest_and_host_move_the_tray_and_each_sees_the_other() {
    let daemon = Daemon::start(&[RESCUE]);
    let mut vm = Vm::linux(&daemon);
    let log = daemon.folder().join("events");
    let mut watch =
        daemon.command(&["watch"]).stdout(std::fs::File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    guest_sees(&mut vm, true);

    vm.ok("eject /dev/sr0");
    assert!(tray_is_open(&daemon));
    guest_sees(&mut vm, false);
    vm.ok("eject -t /dev/sr0");
    assert!(!tray_is_open(&daemon));
    guest_sees(&mut vm, true);

    // The guest's udev holds the door, and opens it when the host asks.
    daemon.spindle_ok(&["eject", "--timeout", "60"]);
    assert!(tray_is_open(&daemon));
    guest_sees(&mut vm, false);
    daemon.spindle_ok(&["insert", "--timeout", "60", RESCUE]);
    guest_sees(&mut vm, true);
    daemon.spindle_ok(&["tray", "open", "--timeout", "60"]);
    guest_sees(&mut vm, false);
    daemon.spindle_ok(&["tray", "close"]);
    guest_sees(&mut vm, true);

    let _ = watch.kill();
    let _ = watch.wait();
    let events = std::fs::read_to_string(&log).unwrap();
    assert_eq!(events.matches("cd0: tray ").count(), 6, "{events}");
}

#[test]
fn a_mounted_disc_is_locked_until_the_guest_lets_it_go_or_the_host_insists() {
    let daemon = Daemon::start(&[RESCUE]);
    let mut vm = Vm::linux(&daemon);
    let mount = "mount -t iso9660 -o ro /dev/sr0 /mnt";
    vm.ok(mount);
    let (status, output) = vm.run("sg_start --eject /dev/sg0");
    assert_ne!(status, 0, "{output}");
    assert!(output.contains("Illegal request") || output.contains("Medium removal prevented"), "{output}");
    assert!(!tray_is_open(&daemon));
    vm.ok("test -s /mnt/boot/grub/i386-pc/moddep.lst");

    // The guest's udev answers the request: it unlocks the door and ejects.
    daemon.spindle_ok(&["eject", "--timeout", "60"]);
    assert!(tray_is_open(&daemon));
    guest_sees(&mut vm, false);
    vm.ok("umount /mnt");

    // A guest that does not answer keeps its disc, unless the host insists.
    daemon.spindle_ok(&["insert", "--timeout", "60", RESCUE]);
    guest_sees(&mut vm, true);
    vm.ok(mount);
    vm.ok("kill -STOP $(pidof systemd-udevd)");
    let refused = daemon.spindle(&["eject", "--timeout", "1"]);
    assert!(!refused.status.success());
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("lock"), "{words}");
    assert!(!tray_is_open(&daemon));
    daemon.spindle_ok(&["eject", "--force"]);
    assert!(tray_is_open(&daemon));
}
