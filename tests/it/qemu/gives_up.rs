//! A guest that gives up on commands: they are over when its reset is, and the drive serves what comes next.

use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::vm::{Daemon, Vm};

const BLOCKS: u32 = 8192;

#[test]
fn commands_that_a_guest_gives_up_on_are_over() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let image = folder.path().join("disc.iso");
    patterned_file(&image, 7, BLOCKS);
    let daemon = Daemon::start(&[image.to_str().unwrap()]);
    let mut vm = Vm::with_programs(&daemon);
    vm.ok("sg_turs /dev/sg0; sg_turs /dev/sg0 && dmesg -c");
    // Far longer than this test takes.
    daemon.spindle_ok(&["fault", "delay", "--seconds", "3600"]);
    // On each processor, which has a ring of its own. Linux' driver does not give up by itself: a program has it reset the drive.
    let read = "sg_raw -r 65536 -o /dev/null /dev/sg0 28 00 00 00 00 64 00 00 20 00 >/dev/null 2>&1";
    vm.ok(&format!(
        "for processor in 1 2; do
             (taskset $processor {read}; echo $? >/tmp/status.$processor) &
         done
         sleep 1
         test ! -e /tmp/status.1 && test ! -e /tmp/status.2"
    ));
    vm.ok("sg_reset --device /dev/sg0");
    vm.until("cat /tmp/status.1 /tmp/status.2 2>/dev/null | wc -l", "2");
    assert!(!vm.ok("cat /tmp/status.1 /tmp/status.2").contains('0'), "a read that was ended has no data");
    // Each ring goes on, and the drive says why.
    vm.ok("! taskset 1 sg_turs /dev/sg0 && taskset 1 sg_turs /dev/sg0 && taskset 2 sg_turs /dev/sg0");
    daemon.spindle_ok(&["fault", "clear"]);
    assert_eq!(vm.ok("cat /sys/block/sr0/device/state"), "running\n");
    // Programs that check every byte.
    vm.ok(&format!(
        "for load in 'sg /dev/sg0' 'block /dev/sr0'; do
             set -- $load
             (spindle-read-load $1 $2 {BLOCKS} /tmp/stop >/tmp/$1 2>&1; echo $? >/tmp/$1.status) &
         done
         sleep 2; touch /tmp/stop"
    ));
    vm.until("cat /tmp/sg.status /tmp/block.status 2>/dev/null | wc -l", "2");
    let report = vm.ok("cat /tmp/sg /tmp/block /tmp/*.status");
    assert_eq!(vm.ok("cat /tmp/sg.status /tmp/block.status"), "0\n0\n", "{report}");
    let complaints = vm.run("dmesg | grep -iE 'offline|bug|not a head|rejecting|hung|oops'").1;
    assert_eq!(complaints, "", "the kernel's own view");
}
