//! The programs that people use with optical drives, on a real kernel: all succeed, and what they say agrees with the disc.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::support::host::{run, sha256, sparse_file, tree};
use crate::support::vm::{Daemon, Vm};

use super::said::{msf, says};

/// A labelled ISO 9660 disc and its number of blocks.
fn disc(folder: &Path, label: &str) -> (String, u64) {
    let files = folder.join("files");
    tree(&files);
    let image = folder.join("disc.iso").display().to_string();
    run("xorriso", &["-as", "mkisofs", "-quiet", "-R", "-J", "-V", label, "-o", &image, &files.display().to_string()]);
    let blocks = fs::metadata(&image).unwrap().len() / 2048;
    (image, blocks)
}

#[test]
fn every_client_succeeds_and_agrees_with_the_disc() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let (image, blocks) = disc(folder.path(), "CLIENTS");
    let last = blocks - 1;
    let bytes = blocks * 2048;
    let daemon = Daemon::start(&["--drive", &format!("name=cd0,image={image},serial=0123456789AB")]);
    let mut vm = Vm::linux(&daemon);

    // sg3_utils.
    says(&vm.ok("sg_turs -v /dev/sr0"), &[]);
    says(&vm.ok("sg_requests /dev/sr0"), &["No Sense"]);
    says(
        &vm.ok("sg_inq /dev/sr0"),
        &[
            "PQual=0",
            "PDT=5",
            "RMB=1",
            "Vendor identification: SPINDLE",
            "Product identification: Virtual Optical",
            "Unit serial number: 0123456789AB",
        ],
    );
    let pages = vm.ok("sg_vpd --page=0 --raw /dev/sr0 | od -An -tx1 -v");
    let pages: Vec<&str> = pages.split_whitespace().skip(4).collect();
    assert!(["00", "80", "83"].iter().all(|page| pages.contains(page)), "{pages:?}");
    for page in &pages {
        vm.ok(&format!("sg_vpd --page=0x{page} /dev/sr0"));
    }
    says(&vm.ok("sg_vpd --page=sn /dev/sr0"), &["Unit serial number: 0123456789AB"]);
    says(&vm.ok("sg_vpd --page=di /dev/sr0"), &["T10 vendor identification", "vendor id: SPINDLE", "0123456789AB"]);
    says(
        &vm.ok("sg_readcap /dev/sr0"),
        &[
            &format!("Last LBA={last} (0x{last:x}), Number of logical blocks={blocks}"),
            "Logical block length=2048 bytes",
        ],
    );
    says(
        &vm.ok("sg_readcap --16 /dev/sr0"),
        &[
            "prot_en=0",
            &format!("Last LBA={last} (0x{last:x}), Number of logical blocks={blocks}"),
            "Logical block length=2048 bytes",
        ],
    );
    says(
        &vm.ok("sg_modes -a /dev/sr0"),
        &["Mode data length=", ">> Read-Write error recovery", "MM capabilities and mechanical status"],
    );
    says(&vm.ok("sg_modes -6 -a /dev/sr0"), &["MM capabilities and mechanical status"]);
    says(&vm.ok("sg_luns /dev/sg0"), &["Lun list length = 8", "1 lun entry", "0000000000000000"]);
    let commands = vm.ok("sg_opcodes --no-inquiry /dev/sr0");
    for name in ["Test Unit Ready", "Inquiry", "Read(10)", "Read TOC/PMA/ATIP", "Get configuration", "Mode sense(10)"] {
        assert!(commands.to_lowercase().contains(&name.to_lowercase()), "{name}: {commands}");
    }
    vm.ok("sg_opcodes --no-inquiry --opcode=0x28 /dev/sr0");
    says(&vm.ok("sg_opcodes --no-inquiry --tmf /dev/sr0"), &["Abort task", "Logical unit reset"]);
    says(
        &vm.ok("sg_get_config /dev/sr0"),
        &[
            "Current profile: CD-ROM",
            "Profile list feature",
            "Core feature",
            "Removable media feature",
            "CD read feature",
        ],
    );
    says(&vm.ok("sg_logs -L /dev/sr0"), &["Supported log pages", "0x00 "]);
    says(&vm.ok("sg_read if=/dev/sg0 bs=2048 count=16 2>&1"), &["16+0 records in"]);
    vm.ok("sg_verify --lba=0 --count=16 /dev/sg0 && sg_prevent --allow /dev/sg0 && sg_sync /dev/sg0 && sg_start --loej --start /dev/sg0");
    says(&vm.ok("sg_dd if=/dev/sg0 of=/tmp/copy bs=2048 bpt=16 2>&1"), &[&format!("{blocks}+0 records in")]);
    assert_eq!(vm.ok("sha256sum </tmp/copy; rm /tmp/copy").split(' ').next(), Some(sha256(image.as_ref()).as_str()));

    // libcdio and cdrkit.
    says(
        &vm.ok("cd-info --no-cddb /dev/sr0"),
        &[
            "Vendor                      : SPINDLE",
            "Model                       : Virtual Optical",
            "Disc mode is listed as: CD-DATA (Mode 1)",
            "1: 00:02:00  000000 data",
            &format!("170: {}  {blocks:06} leadout", msf(blocks)),
            "CD-ROM with ISO 9660 filesystem and joliet extension",
            &format!("ISO 9660: {blocks} blocks, label `CLIENTS"),
        ],
    );
    says(
        &vm.ok("cd-drive"),
        &[
            "Drive: /dev/",
            "Vendor                      : SPINDLE",
            "Can eject                                 : Yes",
            "Can read DVD-ROM                        : Yes",
        ],
    );
    says(
        &vm.ok("wodim -prcap dev=/dev/sr0"),
        &[
            "'SPINDLE '",
            "Does read CD-R media",
            "Does not write CD-R media",
            "Does read DVD-ROM media",
            "Loading mechanism type: tray",
            "Does support ejection of CD via START/STOP command",
        ],
    );
    says(
        &vm.ok("wodim -toc dev=/dev/sr0"),
        &[
            "first: 1 last 1",
            "track:   1 lba:         0 (        0) 00:02:00 adr: 1 control: 4",
            &format!("track:lout lba: {blocks:>9} ({:>9}) {}", blocks * 4, msf(blocks)),
        ],
    );
    says(&vm.ok("setcd -i /dev/sr0"), &["Disc found in drive: data disc type 1", "Volume name: Clients"]);
    vm.ok("setcd -x 4 /dev/sr0");

    // udev, util-linux, the kernel.
    says(&vm.ok("blkid -p /dev/sr0"), &["LABEL=\"CLIENTS\""]);
    vm.until("udevadm info /dev/sr0", "ID_FS_LABEL=CLIENTS");
    let properties = vm.ok("udevadm info --query=property /dev/sr0 | sort");
    says(
        &properties,
        &[
            "ID_BUS=scsi",
            "ID_CDROM=1",
            "ID_CDROM_CD=1",
            "ID_CDROM_DVD=1",
            "ID_CDROM_MEDIA=1",
            "ID_CDROM_MEDIA_CD=1",
            "ID_CDROM_MEDIA_SESSION_COUNT=1",
            "ID_CDROM_MEDIA_TRACK_COUNT=1",
            "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1",
            "ID_FS_LABEL=CLIENTS",
            "ID_FS_TYPE=iso9660",
            "ID_MODEL=Virtual_Optical",
            "ID_TYPE=cd",
            "ID_VENDOR=SPINDLE",
        ],
    );
    says(&properties, &["0123456789AB"]);
    says(
        &vm.ok("/lib/udev/cdrom_id /dev/sr0 | sort"),
        &["ID_CDROM_MEDIA=1", "ID_CDROM_MEDIA_CD=1", "ID_CDROM_MEDIA_TRACK_COUNT_DATA=1"],
    );
    says(
        &vm.ok("cat /proc/sys/dev/cdrom/info"),
        &[
            "drive name:\t\tsr0",
            "Can close tray:\t\t1",
            "Can open tray:\t\t1",
            "Can lock tray:\t\t1",
            "Can read DVD:\t\t1",
        ],
    );
    assert_eq!(vm.ok("blockdev --getsize64 /dev/sr0 && blockdev --getss /dev/sr0"), format!("{bytes}\n2048\n"));
    assert_eq!(vm.ok("sha256sum </dev/sr0").split(' ').next(), Some(sha256(image.as_ref()).as_str()));
    vm.ok("eject -X /dev/sr0");
}

#[test]
fn the_medium_that_the_guest_sees_follows_the_size_of_the_image() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let (image, _) = disc(folder.path(), "SIZES");
    let daemon = Daemon::start(&[&image]);
    let mut vm = Vm::linux(&daemon);
    for (gigabytes, profile, property) in [
        (4, "DVD-ROM", "ID_CDROM_MEDIA_DVD=1"),
        (8, "DVD-ROM", "ID_CDROM_MEDIA_DVD=1"),
        (25, "BD-ROM", "ID_CDROM_MEDIA_BD=1"),
        (50, "BD-ROM", "ID_CDROM_MEDIA_BD=1"),
        (100, "BD-ROM", "ID_CDROM_MEDIA_BD=1"),
    ] {
        let bytes = gigabytes * 1_000_000_000_u64 / 2048 * 2048;
        let path = folder.path().join("large");
        let _ = fs::remove_file(&path);
        sparse_file(&path, image.as_ref(), bytes);
        daemon.spindle_ok(&["insert", "--timeout", "60", path.to_str().unwrap()]);
        vm.until("blockdev --getsize64 /dev/sr0", &format!("{bytes}\n"));
        let config = vm.ok("sg_get_config --current /dev/sr0");
        assert!(config.contains(&format!("Current profile: {profile}")), "{gigabytes} GB: {config}");
        vm.until("udevadm info /dev/sr0", property);
        // The last block, through the kernel.
        vm.ok(&format!("dd if=/dev/sr0 of=/dev/null bs=2k iflag=direct skip={} count=1", bytes / 2048 - 1));
        vm.ok("mount -t iso9660 -o ro /dev/sr0 /mnt && test -s /mnt/large && umount /mnt");
    }
}
