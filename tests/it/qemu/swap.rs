//! Discs are swapped while the guest reads.

use std::fs;

use tempfile::TempDir;

use crate::support::host::patterned_file;
use crate::support::load::{self, Reports, count};
use crate::support::vm::{Daemon, Vm};

const BLOCKS: u32 = 1024;
const SWAPS: u32 = 200;

/// What a guest may see around a medium change: no medium, or a unit attention for the medium or its removal.
const MEDIUM_CHANGES: &[&str] =
    &["sense 2/3a/00", "sense 2/3a/01", "sense 2/3a/02", "sense 6/28/00", "sense 6/3a/00", "sense 2/04/01"];

#[test]
fn two_hundred_swaps_under_read_load_show_no_stale_byte_and_no_other_error() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let disc = |seed: u32| {
        let path = folder.path().join(seed.to_string());
        patterned_file(&path, seed, BLOCKS);
        path.display().to_string()
    };
    let daemon = Daemon::start(&[&disc(0)]);
    let mut vm = Vm::linux(&daemon);
    load::start(&mut vm, BLOCKS);
    for seed in 1..=SWAPS {
        daemon.spindle_ok(&["insert", "--timeout", "60", &disc(seed)]);
        fs::remove_file(folder.path().join((seed - 1).to_string())).unwrap();
        // From here on nobody reads the disc before.
        assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), format!("{seed}\n"));
    }
    let Reports { generic, block } = load::end(&mut vm);
    for report in [&generic, &block] {
        assert!(count(report, "reads ") > SWAPS.into(), "{report}");
    }
    assert!(count(&generic, "discs ") > u64::from(SWAPS / 2), "the load was there during the swaps: {generic}");
    let other = generic
        .lines()
        .filter(|line| line.starts_with("sense ") || line.starts_with("wrong"))
        .find(|line| !MEDIUM_CHANGES.iter().any(|change| line.starts_with(change)));
    assert_eq!(other, None, "{generic}");
    // The kernel tells its own reader only that the medium is not there (EIO, ENOMEDIUM, a device without a size).
    let other = block
        .lines()
        .filter(|line| line.starts_with("error "))
        .find(|line| !["error 5 ", "error 123 ", "error short "].iter().any(|known| line.starts_with(known)));
    assert_eq!(other, None, "{block}");
    let complaints =
        vm.run("dmesg | grep -E 'Sense Key : (Illegal|Medium|Hardware|Aborted)|disagree|resetting|not found'").1;
    assert_eq!(complaints, "", "the kernel's own view");
}
