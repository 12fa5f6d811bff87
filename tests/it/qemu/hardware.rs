//! What programs that list hardware say of the drive, and those that move its tray and set its speed.

use super::said::{insert, says};
use crate::support::vm::{Daemon, Vm};

const RESCUE: &str = "/usr/lib/grub-rescue/grub-rescue-cdrom.iso";
const REVISION: &str = "0.1";

#[test]
fn the_drive_is_listed_among_the_hardware_as_what_it_is() {
    let drive = format!("name=cd0,image={RESCUE},vendor=ACME,product=Rotor 9000,serial=0123456789AB");
    let daemon = Daemon::start(&["--drive", &drive]);
    let mut vm = Vm::with_programs(&daemon);
    vm.until("udevadm info /dev/sr0", "ID_FS_LABEL=ISOIMAGE");

    says(
        &vm.ok("hwinfo --cdrom"),
        &[
            "CD-ROM (DVD)",
            "Hardware Class: cdrom",
            "Model: \"ACME Rotor 9000\"",
            "Vendor: \"ACME\"",
            "Device: \"Rotor 9000\"",
            &format!("Revision: \"{REVISION}\""),
            "Driver: \"virtio_scsi\", \"sr\"",
            "Device File: /dev/sr0 (/dev/sg0)",
            "Features: DVD",
            "Volume ID: \"ISOIMAGE\"",
        ],
    );
    let json = vm.ok("lshw -quiet -json -class disk");
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let drive = &found[0];
    for (field, value) in [
        ("description", "DVD reader"),
        ("product", "Rotor 9000"),
        ("vendor", "ACME"),
        ("version", REVISION),
        ("serial", "0123456789AB"),
        ("businfo", "scsi@0:0.0.0"),
    ] {
        assert_eq!(drive[field], value, "{json}");
    }
    assert_eq!(drive["configuration"]["status"], "ready");
    for capability in ["removable", "audio", "dvd"] {
        assert!(drive["capabilities"][capability].is_string(), "{capability}: {json}");
    }
    says(
        &vm.ok("cd-drive"),
        &[
            "Vendor                      : ACME",
            "Model                       : Rotor 9000",
            &format!("Revision                    : {REVISION}"),
            "Profile List Feature",
            "Tray type loading mechanism",
            "can eject the medium",
            "can be locked into the Logical Unit",
            "Multi-Read Feature",
            "CD Read Feature",
            "DVD Read Feature",
            "The Logical Unit Unique Identifier Feature\n\t0123456789AB",
            "Can eject                                 : Yes",
            "Can close tray                            : Yes",
            "Can disable manual eject                  : Yes",
            "Can read multiple sessions (e.g. PhotoCD) : Yes",
            "Can read IRSC                           : Yes",
            "Can read Media Channel Number (or UPC)  : Yes",
            "Can read CD-R                           : Yes",
            "Can read CD-RW                          : Yes",
            "Can read DVD-ROM                        : Yes",
            "Can write CD-RW                         : No",
            "Can write DVD-R                         : No",
            "Can write DVD-RAM                       : No",
        ],
    );
    let known = vm.ok("udevadm info --query=property /dev/sr0 && udevadm info --query=symlink /dev/sr0");
    for property in [
        "ID_CDROM=1\n",
        "ID_CDROM_CD=1\n",
        "ID_CDROM_DVD=1\n",
        "ID_CDROM_BD=1\n",
        "ID_VENDOR=ACME\n",
        "ID_MODEL=Rotor_9000\n",
        &format!("ID_REVISION={REVISION}\n"),
        "ID_SCSI_SERIAL=0123456789AB\n",
        "ID_TYPE=cd\n",
        "disk/by-label/ISOIMAGE",
    ] {
        assert!(known.contains(property), "{property}: {known}");
    }
    assert!(!known.contains("ID_CDROM_CD_R") && !known.contains("ID_CDROM_DVD_R"), "it writes nothing: {known}");
}

#[test]
fn the_programs_for_tray_and_speed_reach_the_drive() {
    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    let tray = |state: &str| assert_eq!(daemon.status()[0]["tray"], state);

    // The empty drive first: a program that needs a disc says that there is none.
    says(&vm.run("cd-discid /dev/sr0 2>&1").1, &["No medium found"]);
    says(&vm.ok("setcd -i /dev/sr0"), &["No disc is inserted"]);
    insert(&daemon, &mut vm, RESCUE);
    // Linux refuses to move the tray of a drive that another program has open, and cdeject does not say so; udev opens it
    // after each change of the disc.
    vm.ok("udevadm control --stop-exec-queue");
    for state in ["open", "closed"] {
        vm.ok("eject -T /dev/sr0");
        tray(state);
    }
    vm.ok("cdeject -d /dev/sr0");
    tray("open");
    says(&vm.ok("setcd -i /dev/sr0"), &["CD tray is open"]);
    vm.ok("cdclose -d /dev/sr0");
    tray("closed");

    // Page 2Ah has the speed in kilobytes per second from byte 22 on.
    let speed = |vm: &mut Vm| {
        let page = vm.ok("sg_modes -p 0x2a -r /dev/sr0 | od -An -v -tu1");
        let page: Vec<u32> = page.split_whitespace().skip(8).map(|byte| byte.parse().unwrap()).collect();
        page[14] << 8 | page[15]
    };
    let full = speed(&mut vm);
    // It finds the speeds by choosing one after the other.
    assert_eq!(vm.ok("eject -X /dev/sr0").trim(), (full / 176).to_string());
    vm.ok("eject -x 4 /dev/sr0");
    assert_eq!(speed(&mut vm) / 176, 4);
    says(&vm.ok("setcd -x 8 /dev/sr0"), &["(8x)"]);
    assert_eq!(speed(&mut vm) / 176, 8);
    vm.ok("eject -x 0 /dev/sr0");
    assert_eq!(speed(&mut vm), full);
}
