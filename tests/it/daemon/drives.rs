//! The drives that `spindled` is asked for, and what is in them.

use crate::support::control::Client;
use crate::support::daemon::Daemon;
use crate::support::guest::{Command, Guest, Options, REQUESTS, lun};
use crate::support::images::mds::{Session, Track, build};

/// The data of the first answer that is no unit attention.
fn ask(guest: &mut Guest, at: u16, cdb: &[u8], room: usize) -> Vec<u8> {
    let command = Command { lun: lun(at), ..Command::new(cdb, room) };
    loop {
        let reply = guest.command(REQUESTS, &command);
        if reply.status == 0 {
            return reply.data;
        }
        assert_eq!(reply.sense[2] & 0xF, 6, "{:x?}", reply.sense);
    }
}

#[test]
fn eight_drives_are_eight_logical_units_each_with_its_disc_and_name() {
    let folder = tempfile::tempdir().unwrap();
    let image = |at: u8| {
        let path = folder.path().join(format!("{at}.iso"));
        std::fs::write(&path, [at; 4096]).unwrap();
        format!("--drive=name=cd{at},image={},serial=S-{at},product=Reader {at}", path.display())
    };
    let drives: Vec<_> = (0..8).map(image).collect();
    let daemon = Daemon::start(&drives.iter().map(String::as_str).collect::<Vec<_>>());
    let mut guest = daemon.guest(Options::default());
    // REPORT LUNS: a header of eight bytes, then eight for each.
    assert_eq!(ask(&mut guest, 0, &[0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 256).len(), 8 + 8 * 8);
    for at in 0..8 {
        assert_eq!(ask(&mut guest, at, &[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0], 2048), [at as u8; 2048]);
        assert_eq!(ask(&mut guest, at, &[0x12, 1, 0x80, 0, 255, 0], 255)[4..7], *format!("S-{at}").as_bytes());
        assert_eq!(ask(&mut guest, at, &[0x12, 0, 0, 0, 36, 0], 36)[16..24], *format!("Reader {at}").as_bytes());
    }
}

/// Machines that have nothing to do with each other, served by one daemon.
#[test]
fn drives_with_a_socket_of_their_own_are_targets_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let image = |byte: u8| {
        std::fs::write(at(&format!("{byte}.iso")), [byte; 4096]).unwrap();
        at(&format!("{byte}.iso"))
    };
    let daemon = Daemon::start(&[
        "--control",
        &at("control"),
        &format!("--drive=name=a,image={}", image(1)),
        &format!("--drive=name=b,image={},socket={}", image(2), at("other")),
        &format!("--drive=name=c,image={}", image(3)),
        &format!("--drive=name=d,image={},socket={}", image(4), at("other")),
    ]);
    let mut guests = [daemon.path(), at("other").into()].map(|path| Guest::connect(&path, Options::default()));
    for (guest, bytes) in guests.iter_mut().zip([[1, 3], [2, 4]]) {
        assert_eq!(ask(guest, 0, &[0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], 256).len(), 8 + 2 * 8);
        for (at, byte) in (0..).zip(bytes) {
            assert_eq!(ask(guest, at, &[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0], 2048), [byte; 2048]);
        }
    }
    let drives = Client::negotiated(at("control").as_ref()).ok("drive-query", serde_json::json!({}));
    let places: Vec<_> =
        drives.as_array().unwrap().iter().map(|drive| (drive["lun"].as_u64(), drive["socket"].as_str())).collect();
    let other = at("other");
    assert_eq!(places, [(Some(0), None), (Some(0), Some(&*other)), (Some(1), None), (Some(1), Some(&*other))]);
    // A machine that leaves takes its locks and its place, and nothing of the others'.
    let [first, mut second] = guests;
    drop(first);
    assert_eq!(ask(&mut second, 1, &[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0], 2048), [4; 2048]);
    daemon.signal(rustix::process::Signal::TERM);
    assert_eq!(daemon.end().0.code(), Some(0));
    assert!(!folder.path().join("other").exists(), "its socket goes with it");
}

#[test]
fn a_drive_may_start_without_a_disc_or_with_its_tray_open() {
    let daemon = Daemon::start(&["--drive", "name=a", "--drive", "name=b,tray=open"]);
    let mut guest = daemon.guest(Options::default());
    for (at, tray) in [(0, 1), (1, 2)] {
        ask(&mut guest, at, &[0x12, 0, 0, 0, 36, 0], 36);
        let command = Command { lun: lun(at), ..Command::new(&[0; 6], 0) };
        guest.command(REQUESTS, &command);
        // MEDIUM NOT PRESENT, and by tray: CLOSED or OPEN.
        let sense = guest.command(REQUESTS, &command).sense;
        assert_eq!((sense[2], sense[12], sense[13]), (2, 0x3A, tray));
    }
}

#[test]
fn a_drive_is_called_and_behaves_as_it_is_told_else_as_all_are() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let names = "vendor=ACME,product=Reader 9,revision=9.87,serial=S-1";
    let daemon = Daemon::start(&[
        "--control",
        control.to_str().unwrap(),
        "--behaviour",
        "edc-errors+seek-delay",
        "--drive",
        &format!("name=a,{names},behaviour=real-speed"),
        "--drive=name=b,behaviour=none",
        "--drive=name=c",
    ]);
    let drives = Client::negotiated(&control).ok("drive-query", serde_json::json!({}));
    let behaviours: Vec<_> =
        drives.as_array().unwrap().iter().map(|drive| drive["behaviour"].as_str().unwrap()).collect();
    assert_eq!(behaviours, ["real-speed", "none", "seek-delay+edc-errors"]);
    let mut guest = daemon.guest(Options::default());
    // INQUIRY: standard data, Unit Serial Number, Device Identification; GET CONFIGURATION: feature 0108h.
    assert_eq!(ask(&mut guest, 0, &[0x12, 0, 0, 0, 36, 0], 36)[8..], *b"ACME    Reader 9        9.87");
    assert_eq!(ask(&mut guest, 0, &[0x12, 1, 0x80, 0, 255, 0], 255)[4..], *b"S-1");
    assert_eq!(ask(&mut guest, 0, &[0x12, 1, 0x83, 0, 255, 0], 255)[8..], *b"ACME    Reader 9        S-1");
    let feature = ask(&mut guest, 0, &[0x46, 2, 1, 8, 0, 0, 0, 0, 255, 0], 255);
    assert_eq!(feature[8..], *b"\x01\x08\x03\x04S-1 ");
}

#[test]
fn a_last_sector_that_is_not_whole_is_filled_with_zeros_and_named_in_the_log() {
    let image = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(image.path(), [7; 2048 + 100]).unwrap();
    let path = image.path().to_str().unwrap();
    let daemon = Daemon::start(&[path, "--once"]);
    let mut guest = daemon.guest(Options::default());
    assert_eq!(ask(&mut guest, 0, &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8), [0, 0, 0, 1, 0, 0, 8, 0]);
    let last = ask(&mut guest, 0, &[0x28, 0, 0, 0, 0, 1, 0, 0, 1, 0], 2048);
    assert_eq!((&last[..100], &last[100..]), (&[7; 100][..], &[0; 1948][..]));
    drop(guest);
    let (_, log) = daemon.end();
    let warnings: Vec<_> = log.iter().filter(|line| line.starts_with("[WARN")).collect();
    assert!(matches!(&warnings[..], [line] if line.contains(path) && line.contains("2148 bytes")), "{log:#?}");
}

#[test]
fn structures_that_an_mds_stores_reach_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let track = Track {
        point: 1,
        mode: 2,
        interleaved: false,
        bytes: 2048,
        start: 0,
        offset: 0,
        pregap: 0,
        blocks: 3,
        files: vec![b"*.mdf".to_vec()],
    };
    let stored = [&[1; 4][..], &[4; 2048], &[2; 2048]].concat();
    let image = build(0x10, &[Session { start: 0, end: 3, tracks: vec![track] }], &stored, None);
    let path = folder.path().join("disc.mds");
    std::fs::write(&path, image).unwrap();
    std::fs::write(folder.path().join("disc.mdf"), [5; 3 * 2048]).unwrap();
    let daemon = Daemon::start(&[path.to_str().unwrap()]);
    let mut guest = daemon.guest(Options::default());
    assert_eq!(ask(&mut guest, 0, &[0x28, 0, 0, 0, 0, 2, 0, 0, 1, 0], 2048), [5; 2048]);
    let mut structure = |format| ask(&mut guest, 0, &[0xAD, 0, 0, 0, 0, 0, 0, format, 0x10, 0, 0, 0], 4096);
    assert_eq!(structure(0x00), [&[8, 2, 0, 0][..], &[2; 2048]].concat());
    assert_eq!(structure(0x01), [0, 6, 0, 0, 1, 1, 1, 1]);
    assert_eq!(structure(0x04), [&[8, 2, 0, 0][..], &[4; 2048]].concat());
}
