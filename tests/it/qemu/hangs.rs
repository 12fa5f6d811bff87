//! A Linux guest whose disc is on storage that does not answer for several deadlines of `--read-deadline`.

use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::control::Client;
use crate::support::disc::block;
use crate::support::fuse::Fuse;
use crate::support::host::patterned_file;
use crate::support::load::{self, count};
use crate::support::vm::{Daemon, Start, Vm};
use crate::support::wait::wait_until;

const BLOCKS: u32 = 8192;
/// Neither the start nor the end of the disc, where whoever looks at a new disc reads.
const HANGING: std::ops::Range<u32> = 2000..6000;
/// In seconds: short, so that several pass; and the one that everybody has.
const SHORT: u32 = 5;
const DEFAULT: u32 = 20;

/// A file system with the disc of which the seed is 7.
fn storage() -> Fuse {
    Fuse::mount((0..BLOCKS).flat_map(|lba| block(7, lba)).collect())
}

/// Two drives: the first has that disc, the second the one with the seed 8, which is on no such storage. In the guest they are sr0
/// and sr1, sg0 and sg1.
fn start(fuse: &Fuse, folder: &TempDir, sockets: Sockets, deadline: u32) -> (Daemon, Vm, Client) {
    let socket = folder.path().join("other").display().to_string();
    let first = format!("name=cd0,image={}", fuse.path().display());
    let second = format!("name=cd1,image={}", disc(folder, 8));
    let chardev = format!("socket,id=other,path={socket}");
    let (second, machine) = match sockets {
        // Linux counts drives as they are on the bus.
        Sockets::Two => (
            format!("{second},socket={socket}"),
            vec!["-chardev", &chardev, "-device", "vhost-user-scsi-pci,id=cd1,chardev=other,addr=0x10"],
        ),
        Sockets::One => (second, vec![]),
    };
    let seconds = deadline.to_string();
    let own = if deadline == DEFAULT { vec![] } else { vec!["--read-deadline", &seconds] };
    let daemon = Daemon::start(&[&own[..], &["--drive", &first, "--drive", &second]].concat());
    let mut vm = Vm::start_with(&daemon, Start::Kernel, &[&["-smp", "2"], &machine[..]].concat());
    vm.wait_for_shell();
    vm.ok("udevadm settle");
    assert_eq!(
        vm.ok("spindle-read-load seed /dev/sg0; spindle-read-load seed /dev/sg1; dmesg -c >/dev/null"),
        "7\n8\n"
    );
    let events = Client::negotiated(&daemon.folder().join("control"));
    (daemon, vm, events)
}

/// Of two drives.
#[derive(Clone, Copy)]
enum Sockets {
    One,
    Two,
}

fn disc(folder: &TempDir, seed: u32) -> String {
    let path = folder.path().join(seed.to_string());
    patterned_file(&path, seed, BLOCKS);
    path.display().to_string()
}

fn hang(fuse: &Fuse) {
    fuse.set_hanging(u64::from(HANGING.start) * 2048..u64::from(HANGING.end) * 2048);
}

/// The guest reads all of the second drive, past its page cache.
fn reads_the_other_drive(vm: &mut Vm) {
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg1"), "8\n");
    vm.ok("dd if=/dev/sr1 of=/dev/null bs=64k iflag=direct");
}

/// Waits until the storage has not answered one more command of the first drive in time. Of several within a second one is told.
fn a_deadline_passes(events: &mut Client, deadline: u32) {
    loop {
        let (event, data) = events.event();
        if event == "SPINDLE_READ_ERROR" {
            assert_eq!(data["drive"], "cd0", "{data}");
            let said = format!("has not answered for {deadline} s");
            assert!(data["reason"].as_str().unwrap().contains(&said), "{data}");
            return;
        }
    }
}

#[test]
fn a_read_outlasts_storage_that_hangs_for_three_deadlines() {
    a_read_outlasts_three(SHORT);
}

/// 65 seconds of them: as long as a network that comes back takes, and half of what Linux allows a command in all.
#[test]
fn a_read_outlasts_storage_that_hangs_for_three_deadlines_as_they_come() {
    a_read_outlasts_three(DEFAULT);
}

/// Three deadlines and a part of the fourth.
fn a_read_outlasts_three(deadline: u32) {
    let (fuse, folder) = (storage(), TempDir::with_prefix("spindle-").unwrap());
    let (daemon, mut vm, mut events) = start(&fuse, &folder, Sockets::Two, deadline);
    let _patience = fuse.patience();
    hang(&fuse);
    load::start(&mut vm, BLOCKS);
    wait_until("a read hangs", || fuse.waiting() > 0);
    for _ in 0..3 {
        a_deadline_passes(&mut events, deadline);
        assert_eq!(daemon.status()[0]["tray"], "closed");
        reads_the_other_drive(&mut vm);
    }
    thread::sleep(Duration::from_secs(deadline.into()) / 4);
    assert_eq!(vm.run("cat /tmp/*.status").0, 1, "both readers go on");
    all_is_well_once_it_answers(&mut vm, &fuse);
}

/// Of the two that read all the time, a program that sends commands itself was told each time. The kernel's own reads have waited, and
/// come.
fn all_is_well_once_it_answers(vm: &mut Vm, fuse: &Fuse) {
    fuse.release();
    // Far more than one pass over what hung, so that it is read again, and right.
    vm.ok("sleep 3");
    let reports = load::end(vm);
    let [told] = reports.errors()[..] else { panic!("{:?}", reports.both()) };
    assert!(count(&reports.generic, "sense 2/04/01 ") > 0, "{told}");
    assert!(count(&reports.block, "reads ") > 100, "{}", reports.block);
    let complaints = vm.run("dmesg | grep -iE 'sr[01]|I/O error|reset|hung|offline'").1;
    assert_eq!(complaints, "", "the kernel's own view");
}

/// Two programs read from it all the time, each of their commands is given again at once, and all come through the same ring.
#[test]
fn a_drive_of_the_same_socket_is_read_beside_a_disc_that_hangs() {
    let (fuse, folder) = (storage(), TempDir::with_prefix("spindle-").unwrap());
    let (daemon, mut vm, mut events) = start(&fuse, &folder, Sockets::One, SHORT);
    let _patience = fuse.patience();
    hang(&fuse);
    load::start(&mut vm, BLOCKS);
    wait_until("a read hangs", || fuse.waiting() > 0);
    a_deadline_passes(&mut events, SHORT);
    reads_the_other_drive(&mut vm);
    assert_eq!(daemon.status()[0]["tray"], "closed");
    assert_eq!(vm.run("cat /tmp/*.status").0, 1, "both readers go on");
    all_is_well_once_it_answers(&mut vm, &fuse);
}

#[test]
fn a_disc_on_storage_that_hangs_is_swapped_and_ejected_like_any_other() {
    let (fuse, folder) = (storage(), TempDir::with_prefix("spindle-").unwrap());
    let (daemon, mut vm, mut events) = start(&fuse, &folder, Sockets::Two, SHORT);
    let _patience = fuse.patience();
    let read = |reader: &str| format!("rm -f /tmp/status; ({reader} >/dev/null 2>/tmp/said; echo $? >/tmp/status) &");
    hang(&fuse);
    // The kernel has the disc open and locked; its read waits when the disc goes.
    vm.ok(&read("dd if=/dev/sr0 bs=2k skip=3000 count=8 iflag=direct"));
    wait_until("a read hangs", || fuse.waiting() > 0);
    a_deadline_passes(&mut events, SHORT);
    a_deadline_passes(&mut events, SHORT);
    assert_ne!(daemon.status()[0]["locked-by"], serde_json::json!([]));
    assert_eq!(vm.run("cat /tmp/status").0, 1, "it goes on");
    daemon.spindle_ok(&["insert", "--drive", "cd0", "--timeout", "60", &disc(&folder, 9)]);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), "9\n");
    vm.until("cat /tmp/status", "\n");
    assert_ne!(vm.ok("cat /tmp/status"), "0\n", "the disc that was read is gone");
    assert_eq!(
        vm.ok("dd if=/dev/sr0 bs=2k skip=3000 count=1 iflag=direct 2>/dev/null | od -An -tx4 -N4"),
        " 00000bb8\n"
    );

    // In again, and taken out at once.
    fuse.release();
    daemon.spindle_ok(&["insert", "--drive", "cd0", "--timeout", "60", &fuse.path().display().to_string()]);
    assert_eq!(vm.ok("spindle-read-load seed /dev/sg0"), "7\n");
    hang(&fuse);
    vm.ok(&read("sg_raw -r 2048 /dev/sg0 28 00 00 00 0f a0 00 00 01 00"));
    wait_until("a read hangs", || fuse.waiting() > 0);
    daemon.spindle_ok(&["eject", "--drive", "cd0", "--force", "--timeout", "0"]);
    assert_eq!(daemon.status()[0]["tray"], "open");
    vm.until("cat /tmp/status", "\n");
    let said = vm.ok("cat /tmp/said");
    assert!(said.contains("Medium not present"), "{said}");
    reads_the_other_drive(&mut vm);
}
