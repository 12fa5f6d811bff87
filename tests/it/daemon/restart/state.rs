//! Everything that a drive remembers, piece by piece.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{EJECT, LOAD, Restarted, TEST_UNIT_READY, events, folder_with_image, good, read, run, sense, settle};
use crate::support::disc::block;
use crate::support::guest::{Command, Guest, Options, REQUESTS};
use crate::support::images::discs::sound;

/// MODE SENSE (10) of a page, without its header.
pub fn page(guest: &mut Guest, code: u8) -> Vec<u8> {
    good(guest, &[0x5A, 0, code, 0, 0, 0, 0, 0, 64, 0], 64)[8..].to_vec()
}

pub fn select(guest: &mut Guest, page: &[u8]) {
    let list = [&[0; 8], page].concat();
    let cdb = [0x55, 0x10, 0, 0, 0, 0, 0, 0, list.len() as u8, 0];
    let reply = guest.command(REQUESTS, &Command { out: &list, ..Command::new(&cdb, 0) });
    assert_eq!(reply.status, 0, "{:x?}", reply.sense);
}

/// PREVENT, also persistently; SET CD SPEED; RESERVE; another volume.
pub fn lock_and_set(guest: &mut Guest) {
    for prevent in [1, 3] {
        good(guest, &[0x1E, 0, 0, 0, prevent, 0], 0);
    }
    good(guest, &[0xBB, 0, 0x03, 0x20, 0, 0, 0, 0, 0, 0, 0, 0], 0);
    good(guest, &[0x16, 0, 0, 0, 0, 0], 0);
    let mut audio = page(guest, 0x0E);
    (audio[9], audio[11]) = (0x40, 0x50);
    select(guest, &audio);
}

/// Who holds the reservation. There is nobody whom it could be seen to keep out: a connection is one nexus.
pub fn reserved_by(here: &Restarted) -> Value {
    let saved = here.client().ok("state-save", json!({}));
    let mut saved: Value = serde_json::from_str(saved["state"].as_str().unwrap().lines().nth(1).unwrap()).unwrap();
    saved["drive"]["reservation"].take()
}

#[test]
fn a_guest_at_rest_sees_no_change() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    for _ in 0..3 {
        here.restart_under(&mut guest);
        assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
        assert_eq!(events(&mut guest), (0, 2));
        assert_eq!(read(&mut guest, 9), block(3, 9));
    }
    // The next machine finds a drive that was just switched on.
    guest.hang_up();
    let mut next = here.daemon().guest(Options::default());
    // What was answered at the first place of a ring may be kept of the machine before.
    good(&mut next, &[0x12, 0, 0, 0, 36, 0], 36);
    assert_eq!(sense(&mut next, &TEST_UNIT_READY), (6, 0x29, 0));
}

#[test]
fn locks_settings_speed_and_reservation_hold() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    lock_and_set(&mut guest);
    let mut recovery = page(&mut guest, 0x01);
    recovery[3] = 7;
    select(&mut guest, &recovery);
    let all = page(&mut guest, 0x3F);
    let performance = good(&mut guest, &[0xAC, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], 64);
    here.restart_under(&mut guest);
    assert_eq!(page(&mut guest, 0x3F), all);
    assert_eq!((all[0], performance[10..12].to_vec()), (0x01, vec![0; 2]));
    assert_eq!(good(&mut guest, &[0xAC, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], 64), performance);
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
    assert_eq!((&here.query()["locked-by"], reserved_by(&here)), (&json!([0]), json!(0)));
    let answer = here.client().ask("eject", json!({"id": "cd0"})).to_string();
    assert!(answer.contains("is locked"), "{answer}");
    // One of the two locks, and then none: let go of, it stays let go of.
    good(&mut guest, &[0x1E, 0, 0, 0, 0, 0], 0);
    assert_eq!(here.query()["locked-by"], json!([0]));
    good(&mut guest, &[0x1E, 0, 0, 0, 2, 0], 0);
    here.restart_under(&mut guest);
    assert_eq!(here.query()["locked-by"], json!([]));
    good(&mut guest, &EJECT, 0);
}

#[test]
fn what_a_guest_was_not_told_yet_it_is_told_afterwards() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    let other = here.image("other.iso", 4);
    let outside = std::fs::File::open(&other).unwrap();
    let mut client = here.client();
    let add = b"{\"execute\": \"add-fd\", \"arguments\": {\"fdset-id\": 1}}";
    client.send_with(add, &[std::os::fd::AsFd::as_fd(&outside)]);
    assert!(client.answer().get("return").is_some());
    client.ok("media-insert", json!({"file": "/dev/fdset/1", "locator": other}));
    here.restart_under(&mut guest);
    // All of it, in order, and nothing more: half now, half after another restart.
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
    assert_eq!(events(&mut guest), (3, 2));
    here.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x28, 0));
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(events(&mut guest), (2, 2));
    assert_eq!(events(&mut guest), (0, 2));
    assert_eq!(read(&mut guest, 5), block(4, 5));
    // Somebody wants the medium of a guest that holds it.
    good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
    assert!(here.client().ask("eject", json!({"id": "cd0"})).get("error").is_some());
    here.restart_under(&mut guest);
    assert_eq!(events(&mut guest), (1, 2));
    // A guest that has not said anything yet has the power-on to learn of.
    guest.hang_up();
    let mut next = here.daemon().guest(Options::default());
    good(&mut next, &[0x12, 0, 0, 0, 36, 0], 36);
    here.restart_under(&mut next);
    assert_eq!(sense(&mut next, &TEST_UNIT_READY), (6, 0x29, 0));
}

#[test]
fn the_tray_is_where_it_was_with_what_was_in_it() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    good(&mut guest, &EJECT, 0);
    settle(&mut guest);
    here.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (2, 0x3A, 2));
    assert_eq!(here.query()["medium"]["locator"], image);
    good(&mut guest, &LOAD, 0);
    here.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x28, 0));
    assert_eq!(read(&mut guest, 1), block(3, 1));
    // Taken out it does not come back, although the command line still names it.
    here.client().ok("media-eject", json!({}));
    here.client().ok("tray-close", json!({}));
    settle(&mut guest);
    here.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (2, 0x3A, 1));
    assert_eq!(here.query().get("medium"), None);
}

#[test]
fn a_drive_has_the_names_that_it_had() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut here = Restarted::start_in(folder, &["--drive=name=cd0,vendor=ACME,revision=9.9,serial=S-1"]);
    let mut guest = here.guest();
    let inquiry = good(&mut guest, &[0x12, 0, 0, 0, 36, 0], 36);
    // What the command line says no more stays; what it says anew counts.
    here.arguments = vec!["--drive=name=cd0,vendor=OTHER".to_owned()];
    here.restart_under(&mut guest);
    let now = good(&mut guest, &[0x12, 0, 0, 0, 36, 0], 36);
    assert_eq!(now[8..16], *b"OTHER   ");
    assert_eq!(now[16..], inquiry[16..]);
    assert_eq!(now[32..36], *b"9.9 ");
    assert_eq!(good(&mut guest, &[0x12, 1, 0x80, 0, 64, 0], 64)[4..7], *b"S-1");
}

/// A play is a calculation: while nobody counts it goes on all the same.
#[test]
fn what_plays_goes_on_and_what_is_paused_stays() {
    let folder = tempfile::TempDir::new().unwrap();
    let samples: Vec<u8> = (0..6000).flat_map(sound).collect();
    std::fs::write(folder.path().join("disc.bin"), &samples).unwrap();
    let sheet = folder.path().join("disc.cue");
    std::fs::write(&sheet, "FILE disc.bin BINARY\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n").unwrap();
    let mut here = Restarted::start_in(folder, &[sheet.to_str().unwrap()]);
    let mut guest = here.guest();
    let at = |guest: &mut Guest| {
        let data = good(guest, &[0x42, 0, 0x40, 1, 0, 0, 0, 0, 16, 0], 16);
        (data[1], i32::from_be_bytes(data[8..12].try_into().unwrap()))
    };
    // From block 100 to 5,900.
    good(&mut guest, &[0x45, 0, 0, 0, 0, 100, 0, 0x16, 0xA8, 0], 0);
    let (status, before) = at(&mut guest);
    assert_eq!(status, 0x11);
    here.restart_late_under(&mut guest);
    let (status, after) = at(&mut guest);
    assert_eq!(status, 0x11);
    // 75 in a second.
    assert!((before + 15..5900).contains(&after) && before >= 100, "{before}, then {after}");
    // PAUSE, after it has gone on for some sectors at least.
    while at(&mut guest).1 < after + 10 {
        std::thread::sleep(Duration::from_millis(10));
    }
    good(&mut guest, &[0x4B, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0);
    let paused = at(&mut guest);
    here.restart_late_under(&mut guest);
    assert_eq!(at(&mut guest), paused);
    assert_eq!(paused.0, 0x12);
    // To the end, which is told once, also over a restart, whether or not something was kept since.
    for lock in [false, true] {
        good(&mut guest, &[0x45, 0, 0, 0, 0, 100, 0, 0, 5, 0], 0);
        while here.query()["audio"] == "playing" {
            std::thread::sleep(Duration::from_millis(10));
        }
        if lock {
            good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
        }
        here.restart_under(&mut guest);
        assert_eq!(at(&mut guest).0, 0x13);
        here.restart_under(&mut guest);
        assert_eq!(at(&mut guest).0, 0x15);
    }
}

#[test]
fn a_daemon_that_is_asked_to_end_leaves_the_machine_its_drive() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
    here.daemon().signal(Signal::TERM);
    let (status, _, runtime) = here.daemon.take().unwrap().end_in_folder();
    assert!(status.success());
    here.start_again(runtime);
    guest.reconnect(&here.daemon().path());
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
}

/// Who only looks whether somebody listens is no machine that has left.
#[test]
fn a_look_at_the_socket_takes_nothing_from_the_machine() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut guest = here.guest();
    good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
    here.restart();
    for _ in 0..3 {
        drop(std::os::unix::net::UnixStream::connect(here.daemon().path()).unwrap());
    }
    guest.reconnect(&here.daemon().path());
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
}

/// Several drives, several machines, one folder.
#[test]
fn each_drive_has_its_own() {
    let (folder, image) = folder_with_image(3);
    let other = folder.path().join("other").to_str().unwrap().to_owned();
    let drives = [format!("--drive=name=a,image={image}"), format!("--drive=name=b,socket={other}")];
    let mut here = Restarted::start_in(folder, &drives.each_ref().map(String::as_str));
    let mut first = here.guest();
    let mut second = Guest::connect(other.as_ref(), Options::default());
    settle(&mut second);
    good(&mut second, &EJECT, 0);
    good(&mut first, &[0x1E, 0, 0, 0, 1, 0], 0);
    here.restart_under(&mut first);
    second.reconnect(other.as_ref());
    assert_eq!(sense(&mut second, &TEST_UNIT_READY), (2, 0x3A, 2));
    assert_eq!(sense(&mut first, &EJECT), (5, 0x53, 2));
    assert_eq!(run(&mut first, &TEST_UNIT_READY, 0).status, 0);
}

#[test]
fn a_serial_number_that_was_remembered_is_no_other_drives() {
    let mut here = Restarted::start(&["--drive", "name=cd0,serial=AAA"]);
    here.client().ok("tray-open", json!({}));
    let runtime = here.kill();
    here.arguments = vec!["--drive=name=cd0".to_owned(), "--drive=name=cd1,serial=AAA".to_owned()];
    let (mut command, _runtime) = here.command(runtime);
    let output = command.output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("drives cd0 and cd1 have the same serial number"), "{words}");
}
