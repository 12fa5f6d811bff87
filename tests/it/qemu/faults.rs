//! The fault lab in a Linux guest: what `docs/guide/faults.md` says that it gets, and that all is well when the faults are gone.

use std::path::Path;

use tempfile::TempDir;

use crate::support::host::{patterned_file, sha256};
use crate::support::vm::{Daemon, Vm};

const BLOCKS: u32 = 8192;
/// What Linux calls a read error in its log, and to a program.
const MEDIUM_ERROR: &str = "critical medium error";
const NO_DATA: &str = "No data available";
/// What it calls a tray that does not open.
const EJECT_FAILED: &str = "Media load or eject failed";

/// Reads 20 blocks, one by one, past the page cache; how many came, and what `dd` says.
fn read(vm: &mut Vm, first: u32) -> (u32, String) {
    let said = vm.run(&format!("dd if=/dev/sr0 of=/tmp/read bs=2048 skip={first} count=20 iflag=direct 2>&1")).1;
    (vm.ok("wc -c </tmp/read").trim().parse::<u32>().unwrap() / 2048, said)
}

/// The guest reads the whole disc.
fn all_is_well(vm: &mut Vm, image: &Path) {
    vm.until("blockdev --getsize64 /dev/sr0", &format!("{}\n", u64::from(BLOCKS) * 2048));
    vm.ok("udevadm settle --timeout=60; dmesg -c >/dev/null");
    assert!(vm.ok("dd if=/dev/sr0 bs=64k iflag=direct 2>/dev/null | sha256sum").starts_with(&sha256(image)));
    assert_eq!(vm.run("dmesg | grep -iE 'sr0|error'").1, "", "the kernel's own view");
}

#[test]
fn a_linux_guest_gets_the_faults_that_the_guide_describes_and_no_others() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let image = folder.path().join("disc.iso");
    patterned_file(&image, 7, BLOCKS);
    let daemon = Daemon::start(&[image.to_str().unwrap()]);
    let tray = || daemon.status()[0]["tray"].clone();
    let mut vm = Vm::linux(&daemon);
    all_is_well(&mut vm, &image);

    // A scratch. Linux counts 512 bytes to a sector.
    daemon.spindle_ok(&["fault", "read-error", "--blocks", "1000-1001"]);
    for (first, blocks) in [(990, 10), (1001, 0)] {
        let (came, said) = read(&mut vm, first);
        assert!(came == blocks && said.contains(NO_DATA), "{came} from block {first}: {said}");
    }
    assert_eq!(read(&mut vm, 1002).0, 20);
    let told = vm.ok(&format!("dmesg | grep '{MEDIUM_ERROR}'"));
    let sectors: Vec<_> =
        told.lines().filter_map(|line| line.split_once("dev sr0, sector ")?.1.split(' ').next()).collect();
    assert_eq!(sectors, ["4000", "4004"], "{told}");
    let guide = include_str!("../../../docs/guide/faults.md");
    assert!(
        [MEDIUM_ERROR, NO_DATA, EJECT_FAILED].iter().all(|words| guide.contains(words)),
        "the guide says other words"
    );
    daemon.spindle_ok(&["fault", "clear"]);
    all_is_well(&mut vm, &image);

    // The tray.
    daemon.spindle_ok(&["fault", "tray-stuck"]);
    // Linux tells a program of no answer to this but in its log (`ioctl_internal_command`).
    vm.run("eject /dev/sr0");
    let told = vm.ok("dmesg -c");
    assert!(told.contains(EJECT_FAILED), "the log has {told:?}");
    assert_eq!(tray(), "closed");
    all_is_well(&mut vm, &image);
    daemon.spindle_ok(&["fault", "clear"]);
    vm.ok("eject /dev/sr0");
    assert_eq!(tray(), "open");
    vm.ok("eject -t /dev/sr0");
    all_is_well(&mut vm, &image);

    // A disc that goes while it is read.
    daemon.spindle_ok(&["fault", "medium-gone", "--blocks", "5000"]);
    let (came, said) = read(&mut vm, 4990);
    assert_eq!(came, 10, "{said}");
    vm.until("dd if=/dev/sr0 of=/dev/null bs=2048 count=1 2>&1", "No medium found");
    vm.until("udevadm info /dev/sr0 | grep ID_CDROM_MEDIA=1 || echo absent", "absent");
    assert_eq!((tray(), daemon.status()[0].get("medium")), ("closed".into(), None));
    daemon.spindle_ok(&["insert", "--timeout", "60", image.to_str().unwrap()]);
    all_is_well(&mut vm, &image);
}
