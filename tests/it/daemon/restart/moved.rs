//! The state of a drive in the daemon of another host (`spindle state`): the same guest goes on there.

use std::process::{Command, Output, Stdio};

use serde_json::json;

use super::state::{lock_and_set, page, reserved_by};
use super::{EJECT, Restarted, TEST_UNIT_READY, events, folder_with_image, good, read, sense, settle};
use crate::support::disc::block;
use crate::support::guest::{Guest, REQUESTS};

/// `spindle state` on a host.
fn state(host: &Restarted, way: &str, file: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
    command.env("SPINDLE_CONTROL", host.path("control")).args(["state", way, file]).stdin(Stdio::null());
    command.output().unwrap()
}

fn done(output: &Output) {
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
}

/// Two hosts with the same disc in images of their own, and a guest of the first.
fn hosts(seed: u32) -> (Restarted, Restarted, Guest) {
    let [mut here, there] = [0, 1].map(|_| {
        let (folder, image) = folder_with_image(seed);
        Restarted::start_in(folder, &[&image])
    });
    let guest = here.guest();
    (here, there, guest)
}

/// The guest is stopped on the one host and goes on with the other. Its rings are stopped first, as QEMU does: a worker that has not
/// fallen asleep yet would take from them what is for the other host.
fn go(here: &mut Restarted, there: &mut Restarted, guest: &mut Guest) {
    let file = here.path("vm1.state");
    (0..=REQUESTS).for_each(|ring| _ = guest.stop_ring(ring));
    done(&state(here, "save", &file));
    guest.hang_up();
    // When it has noticed that, the drive is as new.
    here.daemon().wait_for_line("the front-end disconnected");
    done(&state(there, "load", &file));
    guest.reconnect(&there.daemon().path());
}

#[test]
fn lock_settings_speed_and_reservation_move() {
    let (mut here, mut there, mut guest) = hosts(3);
    lock_and_set(&mut guest);
    let all = page(&mut guest, 0x3F);
    let performance = good(&mut guest, &[0xAC, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], 64);
    let mut watching = there.client();
    go(&mut here, &mut there, &mut guest);
    assert_eq!(watching.event(), ("SPINDLE_STATE_LOADED".to_owned(), json!({ "drive": "cd0" })));
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0), "nothing that was not pending");
    assert_eq!(events(&mut guest), (0, 2));
    assert_eq!(page(&mut guest, 0x3F), all);
    assert_eq!(good(&mut guest, &[0xAC, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], 64), performance);
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
    assert_eq!(read(&mut guest, 9), block(3, 9));
    assert_eq!((&there.query()["locked-by"], reserved_by(&there)), (&json!([0]), json!(0)));
    // What was loaded is kept, as any change is.
    there.restart_under(&mut guest);
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
    assert_eq!(page(&mut guest, 0x3F), all);
    // Also when nothing has happened since.
    go(&mut there, &mut here, &mut guest);
    here.restart_under(&mut guest);
    assert_eq!(page(&mut guest, 0x3F), all);
    assert_eq!(sense(&mut guest, &EJECT), (5, 0x53, 2));
}

#[test]
fn what_a_guest_was_not_told_yet_it_is_told_there() {
    let (mut here, mut there, mut guest) = hosts(3);
    let mut client = here.client();
    // The disc is taken out and put in again.
    client.ok("blockdev-open-tray", json!({ "id": "cd0" }));
    client.ok("blockdev-close-tray", json!({ "id": "cd0" }));
    go(&mut here, &mut there, &mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
    assert_eq!(events(&mut guest), (3, 2));
    // And back again, half of it told.
    go(&mut there, &mut here, &mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x28, 0));
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (0, 0, 0));
    assert_eq!(events(&mut guest), (2, 2));
    assert_eq!(events(&mut guest), (0, 2));
}

#[test]
fn a_wish_for_the_medium_and_an_open_tray_move() {
    let (mut here, mut there, mut guest) = hosts(3);
    good(&mut guest, &[0x1E, 0, 0, 0, 1, 0], 0);
    assert!(here.client().ask("eject", json!({ "id": "cd0" })).get("error").is_some());
    go(&mut here, &mut there, &mut guest);
    assert_eq!(events(&mut guest), (1, 2));
    good(&mut guest, &[0x1E, 0, 0, 0, 0, 0], 0);
    good(&mut guest, &EJECT, 0);
    settle(&mut guest);
    // The first host's tray is closed on the disc, and opens with the guest's arrival.
    go(&mut there, &mut here, &mut guest);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (2, 0x3A, 2));
    assert_eq!(here.query()["tray"], "open");
    good(&mut guest, &[0x1B, 0, 0, 0, 3, 0], 0);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x28, 0));
    assert_eq!(read(&mut guest, 9), block(3, 9));
}

#[test]
fn a_disc_that_is_missed_on_one_host_is_not_missed_on_the_other() {
    let (folder, image) = folder_with_image(3);
    let mut here = Restarted::start_in(folder, &[&image]);
    let mut there = Restarted::start(&[]);
    let mut guest = here.guest();
    let runtime = here.kill();
    std::fs::remove_file(&image).unwrap();
    here.start_again(runtime);
    guest.reconnect(&here.daemon().path());
    assert_eq!(here.query()["absent"]["locator"], image);
    go(&mut here, &mut there, &mut guest);
    assert_eq!(there.query().get("absent"), None);
    assert_eq!(sense(&mut guest, &TEST_UNIT_READY), (6, 0x3A, 0));
}

#[test]
fn files_that_are_no_state_are_refused_in_one_line() {
    let (here, _there, _guest) = hosts(3);
    let lines = |file: &str| {
        let output = state(&here, "load", file);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let no_state = "spindle: Drive cd0: this is no saved state of a drive: \"spindle state save\" writes one\n";
    let (none, other, image) = (here.path("none"), here.path("other"), here.path("disc.iso"));
    assert_eq!(lines(&none), format!("spindle: {none}: No such file or directory (os error 2)\n"));
    std::fs::write(&other, [0xFF; 100]).unwrap();
    assert_eq!(lines(&other), no_state);
    assert_eq!(lines(&image), no_state, "only the beginning of a long file is read");
    let folder = here.path("no/folder");
    let output = state(&here, "save", &folder);
    assert!(
        !output.status.success()
            && String::from_utf8_lossy(&output.stderr).starts_with(&format!("spindle: {folder}: "))
    );
    // Standard output, and a file that is its owner's alone.
    let saved = state(&here, "save", "-").stdout;
    done(&state(&here, "save", &other));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&other).unwrap().permissions());
    assert_eq!((mode & 0o777, saved.len()), (0o600, std::fs::read(&other).unwrap().len()));
    done(&state(&here, "load", &other));
}
