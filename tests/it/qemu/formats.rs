//! A guest reads the same disc from every image format and container.

use std::fs;

use tempfile::TempDir;

use crate::support::host::sha256;
use crate::support::images::same_disc::{MAKERS, blocks};
use crate::support::vm::{Daemon, Vm};

#[test]
fn linux_reads_the_same_disc_from_every_format_and_container() {
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::linux(&daemon);
    for (id, make) in MAKERS {
        let (folder, plain) = (TempDir::with_prefix("spindle-").unwrap(), TempDir::with_prefix("spindle-").unwrap());
        let blocks = blocks(id);
        let image = make(&blocks, folder.path());
        let expected = plain.path().join("blocks");
        fs::write(&expected, &blocks).unwrap();
        daemon.spindle_ok(&["insert", "--spool", "--timeout", "60", image.to_str().unwrap()]);
        // The guest knows of the new disc when it has its size; each disc has its own hash.
        vm.until("blockdev --getsize64 /dev/sr0", &blocks.len().to_string());
        let read = vm.ok("sha256sum </dev/sr0");
        assert_eq!(read.split(' ').next(), Some(sha256(&expected).as_str()), "{id}");
    }
}
