//! `spindled` as the service that qemu-scripts/spindled@.service describes, under systemd itself. That runs in a guest, which finds the
//! programs and the unit on the disc in its drive.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::host::{patterned_file, run};
use crate::support::vm::{Daemon, Start, Vm};

const UNIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/qemu-scripts/spindled@.service");
const SERVICE: &str = "spindled@vm1";
const CONTROL: &str = "/run/spindled/vm1/control";

/// What goes to the guest: the service, a disc of one file for its command line, and one of two files.
fn disc(folder: &TempDir) -> String {
    let files = folder.path().join("files");
    fs::create_dir_all(files.join("sheet")).unwrap();
    for program in [env!("CARGO_BIN_EXE_spindled"), env!("CARGO_BIN_EXE_spindle")] {
        fs::copy(program, files.join(Path::new(program).file_name().unwrap())).unwrap();
    }
    fs::copy(UNIT, files.join("spindled@.service")).unwrap();
    patterned_file(&files.join("first.iso"), 1, 300);
    patterned_file(&files.join("sheet/track.bin"), 2, 300);
    let sheet = "FILE track.bin BINARY\nTRACK 01 MODE1/2048\nINDEX 01 00:00:00\n";
    fs::write(files.join("sheet/disc.cue"), sheet).unwrap();
    let disc = folder.path().join("disc.iso").display().to_string();
    run("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-o", &disc, &files.display().to_string()]);
    disc
}

fn status(vm: &mut Vm) -> Value {
    serde_json::from_str(&vm.ok(&format!("/mnt/spindle status --json --control {CONTROL}"))).unwrap()
}

/// What systemd says of the service.
fn property(vm: &mut Vm, name: &str) -> String {
    vm.ok(&format!("systemctl show --value -p {name} {SERVICE}")).trim().to_owned()
}

/// The process is of the user that the unit names, and can do nothing that this user may not.
fn owns_nothing(status: &str) {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    assert_eq!(field("Uid:").split('\t').collect::<Vec<_>>(), ["64055"; 4], "{status}");
    assert_eq!((field("CapEff:"), field("CapPrm:")), ("0000000000000000", "0000000000000000"), "{status}");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1", "2"), "{status}");
}

#[test]
fn a_service_that_is_killed_comes_back_with_discs_that_no_path_leads_to() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let daemon = Daemon::start(&[&disc(&folder)]);
    let mut vm = Vm::start(&daemon, Start::Systemd);
    vm.wait_for_shell();
    vm.until("mkdir -p /mnt; mount -o ro /dev/sr0 /mnt 2>&1; ls /mnt", "spindled@.service");
    vm.ok("ln -s /mnt/spindled /usr/bin/
           cp /mnt/spindled@.service /etc/systemd/system/
           echo libvirt-qemu:x:64055:64055::/:/bin/sh >>/etc/passwd
           echo libvirt-qemu:x:64055: >>/etc/group
           mkdir -p /etc/default
           echo SPINDLED=/mnt/first.iso >/etc/default/spindled-vm1
           systemctl daemon-reload");
    // A unit that has anything systemd does not know is said in its log.
    vm.ok(&format!("systemctl start {SERVICE} || {{ journalctl -u {SERVICE} -o cat; exit 1; }}"));
    assert_eq!(status(&mut vm)[0]["medium"]["locator"], "/mnt/first.iso");
    let mut process = property(&mut vm, "MainPID");
    owns_nothing(&vm.ok(&format!("cat /proc/{process}/status")));

    vm.ok(&format!(
        "cp -r /mnt/sheet /tmp/sheet
         /mnt/spindle insert --control {CONTROL} /tmp/sheet/disc.cue
         rm -r /tmp/sheet"
    ));
    assert_eq!(property(&mut vm, "NFileDescriptorStore"), "2");
    let before = status(&mut vm);
    assert_eq!(before[0]["medium"]["format"], "cue");
    for end in ["kill --signal=KILL", "kill --signal=KILL", "kill --signal=ABRT", "restart"] {
        vm.ok(&format!("systemctl {end} {SERVICE}"));
        vm.ok(&format!(
            "for try in $(seq 50); do
                 [ $(systemctl show --value -p MainPID {SERVICE}) != {process} ] && systemctl is-active --quiet {SERVICE} && exit
                 sleep 1
             done
             journalctl -b -o cat | tail -n 50
             exit 1"
        ));
        process = property(&mut vm, "MainPID");
        assert_eq!(status(&mut vm), before, "{end}");
        assert_eq!(property(&mut vm, "NFileDescriptorStore"), "2", "{end}");
    }
    vm.ok(&format!("/mnt/spindle eject --control {CONTROL}"));
    assert_eq!(property(&mut vm, "NFileDescriptorStore"), "0");
    vm.ok(&format!("systemctl stop {SERVICE}"));
    // Neither systemd nor the daemon has anything to complain of but those ends.
    let log = vm.ok(&format!("journalctl -b -o cat -t systemd -t spindled | grep -e {SERVICE} -e spindled"));
    let complaint = log.lines().find(|line| {
        let complains = ["ailed", "gnoring", "nknown", "warn", "cannot", "damaged", "panicked"]
            .iter()
            .any(|word| line.contains(word));
        complains && !line.contains("Failed with result 'signal'") && !line.contains("Failed with result 'core-dump'")
    });
    assert_eq!(complaint, None, "{log}");
}
