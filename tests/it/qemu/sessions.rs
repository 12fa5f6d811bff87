//! Discs of several sessions: Linux mounts the last, or the one that it is told to.

use tempfile::TempDir;

use super::said::insert;
use crate::support::host::sha256;
use crate::support::images::described::{ccd, nrg};
use crate::support::images::discs::{extra, mixed, put, sessions, text, xa};
use crate::support::vm::{Daemon, Vm};

/// Mounts with these options and compares the only file.
fn has(vm: &mut Vm, options: &str, file: &str, content: &[u8]) {
    vm.ok(&format!("mount -t iso9660 -o ro{options} /dev/sr0 /mnt"));
    assert_eq!(vm.ok("ls /mnt"), format!("{file}\n"), "{options}");
    assert_eq!(vm.ok(&format!("cat /mnt/{file}")).as_bytes(), content, "{options}");
    vm.ok("umount /mnt");
}

#[test]
fn every_session_mounts_and_the_last_is_the_one_that_linux_takes() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let folder = folder.path();
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);

    let disc = sessions::disc();
    insert(&daemon, &mut vm, &put(folder, "sessions", &nrg::files(&disc, nrg::Options::default())));
    for (options, number) in [("", 3), (",session=0", 1), (",session=1", 2), (",session=2", 3)] {
        has(&mut vm, options, &sessions::file(number), &sessions::content(number));
    }
    // isoinfo looks at the address that it is told.
    for track in &disc.tracks {
        let listing = vm.ok(&format!("isoinfo -J -f -T {} -i /dev/sr0", track.start));
        assert_eq!(listing, format!("/{}\n", sessions::file(track.session)));
    }

    insert(&daemon, &mut vm, &put(folder, "extra", &ccd::files(&extra::disc(), ccd::Options::default())));
    has(&mut vm, "", extra::FILE, &text(extra::BLOCKS));
    has(&mut vm, ",session=2", extra::FILE, &text(extra::BLOCKS));
    assert_ne!(vm.run("dd if=/dev/sr0 of=/dev/null bs=2k count=1 iflag=direct").0, 0, "sound is no block");

    // One session with sound or Form 2 after the file system.
    let disc = mixed::disc();
    let iso = mixed::iso(&disc, folder);
    insert(&daemon, &mut vm, &mixed::cue(&disc, folder));
    has(&mut vm, "", mixed::FILE, &text(mixed::BLOCKS));
    let count = disc.tracks[0].blocks();
    let read = vm.ok(&format!("sg_dd if=/dev/sg0 of=- bs=2048 count={count} 2>/dev/null | sha256sum"));
    assert_eq!(read.split(' ').next(), Some(sha256(iso.as_ref()).as_str()), "the blocks of whole sectors");
    insert(&daemon, &mut vm, &xa::cue(&xa::disc(), folder));
    has(&mut vm, "", xa::FILE, &text(xa::BLOCKS));
}
