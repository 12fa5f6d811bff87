//! A guest whose kernel gives up on commands that take too long: they are over then, and the drive serves what comes next.

use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::vm::{Daemon, Vm};

const BLOCKS: u32 = 8192;

#[test]
fn a_command_that_a_guest_gives_up_on_is_over() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let image = folder.path().join("disc.iso");
    patterned_file(&image, 7, BLOCKS);
    let daemon = Daemon::start(&[image.to_str().unwrap()]);
    let mut vm = Vm::with_programs(&daemon);
    vm.ok("sg_turs /dev/sg0; sg_turs /dev/sg0 && dmesg -c");
    // Far longer than this test takes.
    daemon.spindle_ok(&["fault", "delay", "--seconds", "3600"]);
    // One on each processor, which has a ring of its own, then one alone.
    let read = "sg_raw -t 3 -r 65536 -o /dev/null /dev/sg0 28 00 00 00 00 64 00 00 20 00";
    vm.ok(&format!("taskset 1 {read} & taskset 2 {read}; test $? != 0 && wait $! && exit 1; {read}; test $? != 0"));
    // Also while it waits: what reads nothing is answered on each ring.
    vm.ok("taskset 1 sg_turs /dev/sg0; taskset 1 sg_turs /dev/sg0 && taskset 2 sg_turs /dev/sg0");
    daemon.spindle_ok(&["fault", "clear"]);
    assert_eq!(vm.ok("cat /sys/block/sr0/device/state"), "running\n");
    // Programs that check every byte.
    vm.ok(&format!("spindle-read-load sg /dev/sg0 {BLOCKS} /tmp/stop >/tmp/sg & sleep 2; touch /tmp/stop; wait $!"));
    let complaints = vm.run("dmesg | grep -iE 'offline|bug|not a head|rejecting|hung|oops'").1;
    assert_eq!(complaints, "", "the kernel's own view");
}
