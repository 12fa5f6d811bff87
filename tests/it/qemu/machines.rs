//! Machines of other shapes, machines that come and go, and several drives.

use crate::support::host::{patterned_file, sha256};
use crate::support::vm::{Daemon, Start, THREADS, Vm};

const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";

fn reads_the_rescue_disc(vm: &mut Vm) {
    assert_eq!(vm.ok("sha256sum </dev/sr0").split(' ').next(), Some(sha256(RESCUE.as_ref()).as_str()));
}

/// Each processor has a queue of its own, and each queue reads.
fn every_processor_reads(vm: &mut Vm, processors: u32) {
    vm.wait_for_shell();
    assert_eq!(vm.ok("nproc").trim(), processors.to_string());
    vm.ok(&format!(
        "processor=0
        while [ $processor -lt {processors} ]; do
            taskset -c $processor dd if=/dev/sr0 of=/dev/null bs=2k count=1 skip=$processor iflag=direct || exit
            processor=$((processor + 1))
        done"
    ));
    reads_the_rescue_disc(vm);
}

#[test]
fn machines_with_one_and_with_eight_processors_read_the_disc() {
    let daemon = Daemon::start(&[RESCUE]);
    for processors in [1, 8] {
        let number = processors.to_string();
        let arguments = [&THREADS[..], &["-smp", &number]].concat();
        let mut vm = Vm::start_with(&daemon, Start::Kernel, &arguments);
        every_processor_reads(&mut vm, processors);
    }
}

/// Up to the boot loader: Linux takes minutes to start that many emulated processors.
#[test]
fn a_machine_with_sixty_two_processors_boots_and_one_with_more_is_told_what_to_set() {
    let mut daemon = Daemon::start(&[RESCUE]);
    let boots = |daemon: &Daemon, arguments: &[&str]| {
        let mut vm = Vm::start_with(daemon, Start::SeaBios, &[&THREADS, arguments].concat());
        vm.console_shows("The highlighted entry will be executed");
    };
    boots(&daemon, &["-smp", "62"]);
    // QEMU 7.2 ends then, QEMU 10.0 goes on without the drive: the log is what both have.
    let vm = Vm::start_with(&daemon, Start::SeaBios, &[&THREADS[..], &["-smp", "64"]].concat());
    daemon.logs("more than 62 processors, add num_queues=62 to its vhost-user-scsi device");
    drop(vm);
    boots(&daemon, &["-smp", "64", "-global", "vhost-user-scsi.num_queues=62"]);
}

#[test]
fn the_drive_keeps_its_disc_over_reboots_and_restarts() {
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::linux(&daemon);
    assert_ne!(vm.run("dd if=/dev/sr0 of=/dev/null count=1").0, 0, "no disc yet");
    daemon.spindle_ok(&["insert", "--timeout", "60", RESCUE]);
    vm.until("blkid -p -o value -s LABEL /dev/sr0", "ISOIMAGE");
    vm.send("reboot -f");
    vm.wait_for_shell();
    reads_the_rescue_disc(&mut vm);
    drop(vm);
    reads_the_rescue_disc(&mut Vm::linux(&daemon));
}

#[test]
fn two_drives_are_two_devices_with_their_own_discs() {
    let folder = tempfile::TempDir::with_prefix("spindle-").unwrap();
    let [first, second, third] = [1, 2, 3].map(|seed| {
        let path = folder.path().join(seed.to_string()).display().to_string();
        patterned_file(path.as_ref(), seed, 100);
        path
    });
    let drives = [format!("name=cd1,image={first},serial=ONE"), format!("name=cd2,image={second},product=Second")];
    let daemon = Daemon::start(&["--drive", &drives[0], "--drive", &drives[1]]);
    let mut vm = Vm::linux(&daemon);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0; spindle-read-load seed /dev/sg1"), "1\n2\n");
    assert!(vm.ok("sg_inq --page=0x80 /dev/sr0").contains("Unit serial number: ONE"));
    assert!(vm.ok("sg_inq /dev/sr1").contains("Product identification: Second "));
    daemon.spindle_ok(&["insert", "--timeout", "60", "--drive", "cd2", &third]);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0; spindle-read-load seed /dev/sg1"), "1\n3\n");
}

#[test]
fn a_daemon_started_for_one_machine_ends_with_it() {
    let mut daemon = Daemon::start(&["--once", RESCUE]);
    let mut vm = Vm::linux(&daemon);
    reads_the_rescue_disc(&mut vm);
    drop(vm);
    assert_eq!(daemon.ended(), Some(0), "{}", daemon.log());
}
