//! Discs of several sessions: Linux mounts the last, or the one that it is told to.

use tempfile::TempDir;

use super::said::{insert, says};
use crate::support::host::sha256;
use crate::support::images::described::source_disc::{Mode, SourceDisc};
use crate::support::images::described::source_sector::msf;
use crate::support::images::described::{ccd, nrg};
use crate::support::images::discs::{bridges, extra, mixed, put, sessions, text, xa};
use crate::support::vm::{Daemon, Vm};

/// Mounts ISO 9660 with these options and compares the only file.
fn has(vm: &mut Vm, options: &str, file: &str, content: &[u8]) {
    mounted(vm, "iso9660", options, file, content);
}

fn mounted(vm: &mut Vm, kind: &str, options: &str, file: &str, content: &[u8]) {
    vm.ok(&format!("mount -t {kind} -o ro{options} /dev/sr0 /mnt"));
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

    // Hybrid discs: each file system in each session.
    let disc = bridges::disc();
    insert(&daemon, &mut vm, &put(folder, "bridges", &nrg::files(&disc, nrg::Options::default())));
    for (options, number) in [("", 2), (",session=0", 1), (",session=1", 2)] {
        has(&mut vm, options, &bridges::file(number), &bridges::content(number));
    }
    // Of UDF the option is the address where the session begins.
    for (options, number) in
        [(String::new(), 2), (",session=0".to_owned(), 1), (format!(",session={}", disc.tracks[1].start), 2)]
    {
        let options = format!(",iocharset=utf8{options}");
        mounted(&mut vm, "udf", &options, &bridges::file(number), &bridges::content(number));
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

#[test]
fn an_open_disc_tells_where_its_next_session_begins() {
    let folder = TempDir::with_prefix("spindle-").unwrap();
    let disc = SourceDisc::cd(&[(1, Mode::Mode1, 150, 400)]);
    let mut files = ccd::files(&disc, ccd::Options::default());
    let next = disc.tracks[0].end() + 11_400;
    // After lead-out, lead-in and a pre-gap of two seconds. What a recorder leaves in the lead-in of a session that another may follow: mode 5, points B0h and C0h.
    let (sheet, start) = (String::from_utf8(files[0].1.clone()).unwrap(), msf(next));
    let entries: String = [(4, 0xB0, start, 2, [79, 59, 74]), (5, 0xC0, [162, 128, 140], 0, [97, 27, 21])]
        .map(|(number, point, [am, asec, af], zero, [pm, ps, pf])| {
            format!(
                "[Entry {number}]\r\nSession=1\r\nPoint=0x{point:x}\r\nADR=0x05\r\nControl=0x04\r\nTrackNo=0\r\nAMin={am}\r\n\
                 ASec={asec}\r\nAFrame={af}\r\nALBA=0\r\nZero={zero}\r\nPMin={pm}\r\nPSec={ps}\r\nPFrame={pf}\r\nPLBA=0\r\n"
            )
        })
        .concat();
    assert!(sheet.contains("TocEntries=4\r\n") && sheet.contains("[TRACK 1]"), "{sheet}");
    let sheet = sheet.replace("TocEntries=4\r\n", "TocEntries=6\r\n").replace("[TRACK 1]", &(entries + "[TRACK 1]"));
    files[0].1 = sheet.into_bytes();

    let daemon = Daemon::start(&[]);
    let mut vm = Vm::with_programs(&daemon);
    insert(&daemon, &mut vm, &put(folder.path(), "open", &files));
    says(
        &vm.ok("wodim -toc dev=/dev/sr0 2>&1"),
        &["first: 1 last 1", "track:   1 lba:         0", "track:lout lba:       400"],
    );
    says(
        &vm.ok("cdrdao disk-info --device /dev/sr0"),
        &[
            "CD-R empty           : no",
            "Sessions             : 1",
            "Appendable           : yes",
            "Start of last session: 0 (",
            &format!("Start of new session : {next} ("),
        ],
    );
    says(
        &vm.ok("cd-info --no-cddb --no-analyze /dev/sr0"),
        &["  1: 00:02:00  000000 data", "170: 00:07:25  000400 leadout"],
    );
    says(
        &vm.ok("udevadm info --query=property /dev/sr0 | sort"),
        &["ID_CDROM_MEDIA_SESSION_COUNT=2\n", "ID_CDROM_MEDIA_SESSION_NEXT=2\n"],
    );
}
