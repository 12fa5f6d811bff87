//! Linux mounts discs that other programs wrote, and finds in them what was put there.

use std::fs;

use tempfile::TempDir;

use crate::support::host::{CHECKSUMS, checksums, run, sha256, tree};
use crate::support::vm::{Daemon, Start, Vm};

#[test]
fn linux_mounts_iso_9660_and_udf_discs_and_every_checksum_matches() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let files = folder.path().join("files");
    tree(&files);
    let expected = checksums(&files);
    assert_eq!(expected.lines().count(), 7);

    let [iso, bridge, udf] = ["plain.iso", "bridge.iso", "udf.img"].map(path);
    run("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-J", "-V", "PLAIN", "-o", &iso, &path("files")]);
    let genisoimage = ["-quiet", "-udf", "-R", "-J", "-joliet-long", "-input-charset", "utf-8"];
    run("genisoimage", &[&genisoimage[..], &["-V", "BRIDGE", "-o", &bridge, &path("files")]].concat());
    fs::File::create(&udf).unwrap().set_len(16 << 20).unwrap();
    run("mkudffs", &["--media-type=hd", "--blocksize=2048", "--udfrev=0x0201", "--label=PURE", &udf]);

    let daemon = Daemon::start(&[&iso]);
    let disk = format!("if=virtio,format=raw,file={udf}");
    let mut vm = Vm::start_with(&daemon, Start::Kernel, &["-smp", "2", "-drive", &disk]);
    vm.wait_for_shell();
    vm.ok("mkdir -p /tmp/udf && mount -t udf /dev/vda /tmp/udf");

    for (image, label, kind, options) in [
        (&iso, "PLAIN", "iso9660", ""),
        (&bridge, "BRIDGE", "iso9660", ""),
        (&bridge, "BRIDGE", "udf", ",iocharset=utf8"),
    ] {
        daemon.spindle_ok(&["insert", "--timeout", "60", image]);
        vm.until("blkid -p -o value -s LABEL /dev/sr0", label);
        vm.ok(&format!("mount -t {kind} -o ro{options} /dev/sr0 /mnt"));
        assert_eq!(vm.ok(&format!("cd /mnt && {CHECKSUMS}")), expected, "{kind} on {label}");
        if kind == "iso9660" && label == "PLAIN" {
            vm.ok("cp -r /mnt/. /tmp/udf/ && umount /tmp/udf");
        }
        vm.ok("umount /mnt");
        assert_eq!(vm.ok("sha256sum </dev/sr0").split(' ').next(), Some(sha256(image.as_ref()).as_str()), "{label}");
    }

    // The file system that Linux itself wrote, now on a disc.
    daemon.spindle_ok(&["insert", "--timeout", "60", &udf]);
    vm.until("blkid -p -o value -s LABEL /dev/sr0", "PURE");
    vm.ok("mount -t udf -o ro,iocharset=utf8 /dev/sr0 /mnt");
    assert_eq!(vm.ok(&format!("cd /mnt && {CHECKSUMS}")), expected);
}
